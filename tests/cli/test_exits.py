"""Every way to end: one line on stderr, the right code, never a traceback unless asked for."""

from __future__ import annotations

import os
import shlex
import socket
import subprocess
from pathlib import Path

import click
import pytest

from mezite.cli import prompts
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


def test_a_closed_stdin_is_one_that_has_ended(tmp_path: Path) -> None:
    for words in (
        ["login", "--proxy=127.0.0.1:1", "--user=a", "--password-stdin"],
        ["enrol", "--proxy=127.0.0.1:1", "--token=mze_x", "--password-stdin"],
        ["login", "--proxy=127.0.0.1:1", "--user=a"],
    ):
        command = shlex.join([*program("msh"), *words])
        ended = subprocess.run(
            ["bash", "-c", f"{command} <&-"], capture_output=True, text=True, env=environment(tmp_path)
        )
        assert "internal error" not in ended.stderr
        assert len(ended.stderr.splitlines()) == 1


def test_a_password_from_a_closed_stdin_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    with pytest.raises(click.UsageError, match="standard input holds no password"):
        prompts.secret("Password", from_stdin=True)
    with pytest.raises(click.UsageError, match="no terminal"):
        prompts.secret("Password", from_stdin=False)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    command = shlex.join([*program("msh"), "completion", "bash"])
    ended = subprocess.run(
        ["bash", "-c", f"{command} >/dev/full"], capture_output=True, text=True, env=environment(tmp_path)
    )
    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
    assert "No space left on device" in ended.stderr


def test_the_socket_of_another_os_user_is_no_wrong_usage(
    prompt: Prompt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_self: socket.socket, _path: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setattr(os, "access", lambda *_arguments, **_options: False)
    outcome = prompt.mezctl("--local", f"--data-dir={tmp_path}", "status")
    assert (outcome.code, "for the hub's own user" in outcome.err) == (4, True)


def test_a_machine_without_a_hub_is_unavailable_to_who_asks_for_it(prompt: Prompt, tmp_path: Path) -> None:
    outcome = prompt.mezctl("--local", f"--data-dir={tmp_path}", "status")
    assert outcome.code == 6
    assert "msh login" not in outcome.err
    assert prompt.mezctl(f"--data-dir={tmp_path}", "status").code == 3
