"""One command on several nodes: whose line is whose, and nothing that acts on a terminal."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from mezite.cli.msh.several import AT_ONCE, MAX_LINE, Fleet, Run


def ran(*runs: Run) -> list[Run]:
    Fleet(list(runs), dict(os.environ)).go()
    return list(runs)


def sh(node: str, script: str) -> Run:
    return Run(node, ["sh", "-c", script])


def test_each_line_stands_behind_its_node(capsys: pytest.CaptureFixture[str]) -> None:
    runs = ran(sh("a", "echo 1; echo 2; exit 3"), sh("node-b", "printf unfinished; echo oops >&2"))
    shown = capsys.readouterr()
    assert sorted(shown.out.splitlines()) == ["a      | 1", "a      | 2", "node-b | unfinished"]
    assert shown.err == "node-b | oops\n"
    assert [run.status for run in runs] == [3, 0]


def test_one_that_was_refused_is_told_and_counts_as_failed(capsys: pytest.CaptureFixture[str]) -> None:
    refused, fine = ran(Run("a", refusal="a is offline"), sh("b", "echo here"))
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("b | here\n", "a | a is offline\n")
    assert (refused.status, fine.status) == (255, 0)


def test_one_that_was_killed_says_by_what() -> None:
    assert [run.status for run in ran(sh("a", "kill -9 $$"))] == [128 + 9]


def test_an_endless_line_comes_in_pieces(capsys: pytest.CaptureFixture[str]) -> None:
    ran(sh("a", f"head -c {3 * MAX_LINE + 1} /dev/zero | tr '\\0' x"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= MAX_LINE + len("a | ")
    assert sum(line.count("x") for line in lines) == 3 * MAX_LINE + 1


@pytest.mark.parametrize(("terminal", "shown"), [(True, "a | ^[[2Jhere\n"), (False, "a | \x1b[2Jhere\n")])
def test_a_terminal_is_shown_what_would_act_on_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, terminal: bool, shown: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    ran(sh("a", r"printf '\033[2Jhere\n'"))
    assert capsys.readouterr().out == shown


def test_a_bounded_number_is_at_work(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = f"touch {tmp_path}/$$; ls {tmp_path} | wc -l; sleep 0.05; rm {tmp_path}/$$"
    runs = ran(*(sh(f"node-{number:02}", script) for number in range(3 * AT_ONCE)))
    counted = [int(line.split("|")[1]) for line in capsys.readouterr().out.splitlines()]
    assert len(counted) == len(runs) == 3 * AT_ONCE
    assert max(counted) <= AT_ONCE


def test_nobody_is_asked_anything(capsys: pytest.CaptureFixture[str]) -> None:
    ran(sh("a", "read x || echo no input; (: < /dev/tty) 2>/dev/null || echo no terminal"))
    assert capsys.readouterr().out == "a | no input\na | no terminal\n"
