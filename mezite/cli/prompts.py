"""Asking a person, which needs a terminal; without one the error says which option to give instead."""

from __future__ import annotations

import sys
from typing import Final

import click

MAX_LINE: Final = 4096


def interactive() -> bool:
    """Somebody sits there: both what is asked and what is answered goes through a terminal."""
    # A stream that was closed before the program began is None.
    return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))


def secret(what: str, *, from_stdin: bool, twice: bool = False) -> str:
    """A password: typed unseen, twice where it is a fresh one; or the next line of standard input."""
    if from_stdin:
        return line_of_stdin(what.lower())
    _need_terminal(f"no terminal to ask for the {what.lower()}; give it with --password-stdin")
    answer: str = click.prompt(what, hide_input=True, confirmation_prompt=twice, err=True)
    return answer


def one_time_code(what: str = "One-time code") -> str:
    _need_terminal("no terminal to ask for the one-time code; give it with --otp")
    answer: str = click.prompt(what, err=True)
    return answer.replace(" ", "")


def answer(what: str, default: str | None, option: str) -> str:
    _need_terminal(f"no terminal to ask for the {what.lower()}; give it with {option}")
    typed: str = click.prompt(what, default=default, err=True)
    return typed


def line_of_stdin(what: str) -> str:
    """One line of standard input, for `--password-stdin`."""
    line = sys.stdin.readline(MAX_LINE + 2) if sys.stdin else ""
    text = line.rstrip("\r\n")
    if not text or len(text) > MAX_LINE:
        raise click.UsageError(f"standard input holds no {what}")
    return text


def _need_terminal(otherwise: str) -> None:
    if not interactive():
        raise click.UsageError(otherwise)
