"""Text from outside, made fit to stand in a message: bounded, and nothing left in it that a terminal obeys.

Whatever is not plainly printable (control and formatting characters, other spaces, lone surrogates) is
written as an escape, so the message also shows what was really there.
"""

from __future__ import annotations

from typing import Final

SHOWN_CHARACTERS: Final = 80


def quoted(text: str, limit: int = SHOWN_CHARACTERS) -> str:
    """`text` in double quotes, with `\\u` escapes for what does not print; cut to `limit` characters."""
    shown = "".join(_escaped(letter) for letter in text[:limit])
    return f'"{shown}…"' if len(text) > limit else f'"{shown}"'


def unseen(text: str) -> str | None:
    """The first character that does not plainly print, as `U+001B`; None when all do."""
    return next((f"U+{ord(letter):04X}" for letter in text if not letter.isprintable()), None)


def _escaped(letter: str) -> str:
    if letter in '"\\':
        return "\\" + letter
    if letter.isprintable():
        return letter
    code = ord(letter)
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
