"""Every way to end: one line on stderr, the right code, never a traceback unless asked for."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import click
import pytest

from mezite.errors import (
    CallerError,
    Damaged,
    Denied,
    Exists,
    Gone,
    Invalid,
    MeziteError,
    NotFound,
    NotLoggedIn,
    SettingsError,
    Throttled,
    Unavailable,
)
from tests.support.hub_process import Outcome, Prompt, environment, program


def ends(prompt: Prompt, raised: BaseException) -> Outcome:
    """What a program does whose one command raises this."""

    @click.command()
    def failing() -> None:
        raise raised

    return prompt.run(failing, "msh", ())


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (CallerError, 1), (Exists, 1), (Gone, 1), (Damaged, 1), (MeziteError, 1), (Invalid, 2),
        (NotLoggedIn, 3),
        (Denied, 4), (NotFound, 5), (Unavailable, 6), (Throttled, 6),
    ],
)  # fmt: skip
def test_each_error_has_its_code_and_one_line(prompt: Prompt, kind: type[MeziteError], code: int) -> None:
    assert ends(prompt, kind("it is so; do this")) == Outcome(code, "", "msh: it is so; do this\n")


def test_all_faults_of_settings_are_told(prompt: Prompt) -> None:
    outcome = ends(prompt, SettingsError(["a: wrong", "b: wrong"]))
    assert outcome == Outcome(2, "", "msh: a: wrong\nmsh: b: wrong\n")


def test_text_of_a_hub_cannot_act_on_the_terminal(prompt: Prompt) -> None:
    assert ends(prompt, Denied("no\x1b[2J\u202e")).err == "msh: no^[[2J<U+202E>\n"


def test_a_fault_of_ours_is_one_line(prompt: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = ends(prompt, KeyError("secret"))
    assert outcome.code == 1
    assert len(outcome.err.splitlines()) == 1
    assert "secret" not in outcome.err
    monkeypatch.setenv("MEZITE_DEBUG", "1")
    assert "Traceback" in ends(prompt, KeyError("x")).err


def test_a_file_that_fails_names_itself(prompt: Prompt) -> None:
    assert (
        "/etc/shadow: Permission denied"
        in ends(prompt, PermissionError(13, "Permission denied", "/etc/shadow")).err
    )


def test_usage_errors_point_to_help(prompt: Prompt) -> None:
    outcome = prompt.msh("login", "--prxy=x")
    assert outcome.code == 2
    assert outcome.err.startswith("msh login: No such option")
    assert outcome.err.endswith("; see: msh login --help\n")
    assert prompt.msh().code == 2
    assert "Commands:" in prompt.msh().err
    assert prompt.mezctl("users").code == 2


def test_ctrl_c_is_130_and_says_nothing(prompt: Prompt) -> None:
    outcome = ends(prompt, KeyboardInterrupt())
    assert outcome.code == 130
    assert outcome.err.strip() == ""


def test_standard_input_that_ends_early_is_said(prompt: Prompt) -> None:
    outcome = prompt.msh("login", "--proxy=127.0.0.1:1", "--user=a", "--password-stdin")
    assert outcome.code in (1, 2, 6)
    assert len(outcome.err.splitlines()) == 1


def test_a_reader_that_goes_away_ends_it_quietly(tmp_path: Path) -> None:
    command = shlex.join([*program("msh"), "completion", "bash"])
    ended = subprocess.run(
        ["bash", "-c", f"{command} | true"], capture_output=True, text=True, env=environment(tmp_path)
    )
    assert ended.stderr == ""


def test_a_closed_stderr_is_no_second_error(tmp_path: Path) -> None:
    command = shlex.join([*program("msh"), "status"])
    ended = subprocess.run(["bash", "-c", f"{command} 2>&-"], env=environment(tmp_path))
    assert ended.returncode == 3
