"""Asking at the terminal itself, for programs whose standard input and output belong to somebody else."""

from __future__ import annotations

from typing import Final

MAX_LINE: Final = 256


def ask(question: str) -> str | None:
    """One typed line; None when there is no terminal. `question` is plain already."""
    try:
        with open("/dev/tty", "r+b", buffering=0) as terminal:
            terminal.write(f"{question}: ".encode(errors="replace"))
            return terminal.readline(MAX_LINE).decode(errors="replace").strip()
    except OSError:
        return None
