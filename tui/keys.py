"""One table of keys for each screen. What is pressed, what the footer shows, what `?` explains and what a
click does all come from it, so that no key shown can be dead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

_KEYCAPS: Final = {
    "enter": "Enter", "escape": "Esc", "space": "Space", "tab": "Tab", "slash": "/", "question_mark": "?",
    "colon": ":", "equals_sign": "=", "minus": "-", "plus": "+", "f1": "F1", "ctrl+l": "Ctrl+L", "left": "←",
    "right": "→", "up": "↑", "down": "↓", "home": "Home", "end": "End", "pageup": "PgUp", "pagedown": "PgDn",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Key:
    """`press` are Textual's names; the first is shown. `why_not`: why it does nothing at the moment."""

    press: tuple[str, ...]
    does: str
    act: Callable[[], object]
    why_not: str = ""
    in_footer: bool = True
    in_help: bool = True

    @property
    def cap(self) -> str:
        return keycap(self.press[0])


def keycap(name: str) -> str:
    return _KEYCAPS.get(name, name)


def pressed(keys: Iterable[Key], name: str) -> Key | None:
    return next((key for key in keys if name in key.press), None)
