"""Every command explains itself with an example, and starting a program loads nothing heavy."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mezite.cli.mezctl.main import mezctl
from mezite.cli.msh.verbs import msh
from tests.support.hub_process import Prompt

HEAVY = (
    "grpc", "google.protobuf", "cryptography", "yaml", "rich", "textual", "asyncssh", "sqlalchemy",
    "pydantic", "fastapi", "lark", "msgspec", "segno", "asyncio", "ssl", "http.client",
)  # fmt: skip


def commands(program: click.Group, name: str) -> Iterator[tuple[str, click.Command, click.Context]]:
    """A program and all below it, each with the context it is run in."""
    context = click.Context(program, info_name=name)
    yield name, program, context
    for child in program.list_commands(context):
        command = program.get_command(context, child)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{name} {child}")
        else:
            yield f"{name} {child}", command, click.Context(command, info_name=child, parent=context)


EVERY = [*commands(msh, "msh"), *commands(mezctl, "mezctl")]


@pytest.mark.parametrize(("path", "command", "context"), EVERY, ids=[path for path, _, _ in EVERY])
def test_each_command_explains_itself(path: str, command: click.Command, context: click.Context) -> None:
    text = command.get_help(context)
    assert "Example:" in text
    program = path.split()[0]
    examples = text[text.index("Example:") :]
    assert program in examples or "msh completion" in examples
    assert command.help
    assert command.get_short_help_str(200).endswith(".")
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{path} {parameter.opts}"


@pytest.mark.parametrize(("path", "command", "context"), EVERY, ids=[path for path, _, _ in EVERY])
def test_whatever_lists_or_shows_has_a_format(
    path: str, command: click.Command, context: click.Context
) -> None:
    if path.split()[-1] in ("ls", "get", "status", "create", "explain", "verify"):
        assert "--format" in command.get_help(context)


def test_the_manual_has_every_command_and_no_other() -> None:
    manual = (Path(__file__).parents[2] / "docs/cli.md").read_text()
    documented = re.findall(r"^\| `((?:msh|mezctl)[a-z -]*)` \|", manual, flags=re.M)
    leaves = [path for path, command, _ in EVERY if not isinstance(command, click.Group)]
    assert sorted(documented) == sorted(leaves)


@pytest.mark.parametrize("program", ["msh", "mezctl"])
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["login", "--help"], ["status", "--help"]])
def test_starting_a_program_loads_nothing_heavy(program: str, arguments: list[str]) -> None:
    script = (
        "import sys\n"
        f"sys.argv = {[program, *arguments]!r}\n"
        f"from mezite.cli.{program}.main import main\n"
        "try: main()\n"
        f"finally: print('LOADED', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-1] == "LOADED"


def test_a_status_from_the_disk_loads_no_cryptography(prompt: Prompt) -> None:
    script = (
        "import sys\n"
        "sys.argv = ['msh', 'status']\n"
        "from mezite.cli.msh.main import main\n"
        "try: main()\n"
        "finally: print(*[name for name in ('cryptography', 'ssl', 'yaml') if name in sys.modules])\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ended.returncode == 3
    assert ended.stdout.strip() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("program", ["msh", "mezctl"])
def test_completion_scripts_are_printed(prompt: Prompt, program: str, shell: str) -> None:
    outcome = getattr(prompt, program)("completion", shell)
    assert outcome.code == 0
    assert f"_{program.upper()}_COMPLETE={shell}_complete" in outcome.out


def test_completion_completes(monkeypatch: pytest.MonkeyPatch, prompt: Prompt) -> None:
    monkeypatch.setenv("_MSH_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "msh prof")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert prompt.msh().out == "plain,profiles\n"


def test_bash_takes_its_script(prompt: Prompt) -> None:
    script = prompt.msh("completion", "bash").out
    ended = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
