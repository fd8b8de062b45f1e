"""Text from outside, made fit for a terminal: what would act on it is shown instead of obeyed.

Control characters show as `^X`, everything else that prints nothing or turns text around as `<U+202E>`.
Json and yaml do not pass here: they have escapes of their own.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_UNSEEN: Final = frozenset(("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"))
"""Unicode categories: controls, formats (direction, joiners), surrogates, unassigned, line ends."""


def plain(text: str) -> str:
    """`text` on one line, with nothing in it that a terminal obeys."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_shown(letter) for letter in text)


def width(text: str) -> int:
    """Columns that `text`, already plain, takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(letter) for letter in text)


def cut(text: str, columns: int) -> str:
    """`text` in at most so many columns; what was cut off is shown by `…`."""
    if width(text) <= columns:
        return text
    kept, room = "", columns - 1
    for letter in text:
        room -= _columns(letter)
        if room < 0:
            break
        kept += letter
    return f"{kept}…" if columns > 0 else ""


def _shown(letter: str) -> str:
    code = ord(letter)
    if code < 0x20:
        return f"^{chr(code + 0x40)}"
    if code == 0x7F:
        return "^?"
    return f"<U+{code:04X}>" if unicodedata.category(letter) in _UNSEEN else letter


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in "WF" else 1
