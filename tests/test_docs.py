"""The documents point at things that exist, and what they show was run."""

from __future__ import annotations

import fnmatch
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

CODE = re.compile(r"`((?:tests|mezite|daemons|recordings|tui|docs)/[\w./-]+\.\w+)(?:::(test_\w+))?`")
PROGRAMS = Path(sys.executable).parent
LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_and_test_that_a_page_names_exists(page: Path) -> None:
    missing: list[str] = []
    for path, test in CODE.findall(page.read_text()):
        file = ROOT / path
        if not file.is_file() or (test and not re.search(rf"^(async )?def {test}\(", file.read_text(), re.M)):
            missing.append(f"{path}::{test}")
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    assert not [link for link in LINK.findall(page.read_text()) if not (page.parent / link).exists()]


def test_the_decisions_are_all_listed() -> None:
    records = {path.name for path in (ROOT / "docs/adr").glob("[0-9]*.md")}
    listed = re.findall(r"\]\(([0-9][\w-]+\.md)\)", (ROOT / "docs/adr/README.md").read_text())
    assert sorted(listed) == sorted(records)


def test_the_code_map_names_modules_that_exist() -> None:
    rows = re.findall(r"^\| `([\w/]+)` \|", (ROOT / "ARCHITECTURE.md").read_text(), re.M)
    assert rows
    assert not [name for name in rows if not ((ROOT / name).is_dir() or (ROOT / f"{name}.py").is_file())]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """A demo cluster, as the README starts it."""
    directory = tmp_path_factory.mktemp("demo")
    command = [str(PROGRAMS / "mezite"), "demo", "--headless", "--format", "json", "--dir", str(directory)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        facts: dict[str, Any] = json.loads(running.stdout.readline())
        yield facts
        running.send_signal(signal.SIGTERM)
    assert running.returncode == 0


@pytest.mark.slow
def test_the_readme_shows_what_happens(demo: dict[str, Any], tmp_path: Path) -> None:
    environ = os.environ | {"MEZITE_HOME": str(tmp_path)}
    (shown,) = re.findall(r"```console\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    steps = [(step.split("\n", 1)[0], step.split("\n", 1)[1].splitlines()) for step in shown.split("$ ")[1:]]
    assert steps
    for command, expected in steps:
        done = subprocess.run(
            _runnable(command, demo), capture_output=True, text=True, env=environ, input=_typed(command, demo)
        )
        assert done.returncode == 0, (command, done.stderr)
        assert _matches(done.stdout.splitlines(), expected), (command, done.stdout)


def _runnable(command: str, demo: dict[str, Any]) -> list[str]:
    """The shown command against this cluster: its own addresses and pin, the password not on a terminal."""
    program, *words = shlex.split(command)
    for option, fact in (("--proxy", "web"), ("--ca-pin", "ca_pin"), ("--data-dir", "dir")):
        words = [f"{option}={demo[fact]}" if word.startswith(f"{option}=") else word for word in words]
    if _user(command):
        words.append("--password-stdin")
    return [str(PROGRAMS / program), *words]


def _user(command: str) -> str | None:
    found = re.search(r"msh login .*--user=(\w+)", command)
    return found[1] if found else None


def _typed(command: str, demo: dict[str, Any]) -> str:
    user = _user(command)
    return demo["users"][user]["password"] + "\n" if user else ""


def _matches(told: list[str], expected: list[str]) -> bool:
    """Each expected line in its place, `…` standing for any text, and a line of `…` for any lines."""
    if not expected:
        return not told
    if expected[0] == "…":
        return any(_matches(told[skip:], expected[1:]) for skip in range(len(told) + 1))
    pattern = re.sub(r"([\[\]?*])", r"[\1]", expected[0]).replace("…", "*")
    return bool(told) and fnmatch.fnmatchcase(told[0], pattern) and _matches(told[1:], expected[1:])
