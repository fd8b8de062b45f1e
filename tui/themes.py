"""Colour tokens and the four themes. The only file that knows a colour: widgets name what a thing means.

A token has one meaning in the whole console. The theme without colours says the same with weight, underline
and reverse, so nothing rests on a hue alone. `contrast_ratio` is what the themes are held to: 4.5 or more for
every text on every ground it can stand on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Token = Literal["text", "muted", "accent", "ok", "warn", "bad", "line"]

_WITHOUT_HUE: Final[dict[str, str]] = {"accent": "bold", "warn": "bold", "bad": "bold underline"}


@dataclass(frozen=True, slots=True)
class Theme:
    """One set of tokens. `line` is a rule and never text; `flat` themes turn a whole selected row over."""

    name: str
    dark: bool
    page: str
    bar: str
    """Header, footer, fields, dialogs: one step off the page."""
    selected: str
    selected_elsewhere: str
    """The row under the cursor in a pane without focus."""
    line: str
    text: str
    muted: str
    accent: str
    ok: str
    warn: str
    bad: str
    on_fill: str
    flat: bool = False
    hues: bool = True

    def style(self, token: Token, weight: str = "") -> str:
        """How text of this meaning is drawn, as a Rich style."""
        said = "" if self.hues else _WITHOUT_HUE.get(token, "")
        return " ".join(part for part in (weight, said, getattr(self, token)) if part)

    def fill(self, token: Token) -> str:
        """A whole row that speaks: the lost hub, a question that waits for its answer."""
        if not self.hues:
            return "bold reverse"
        return f"{self.on_fill} on {getattr(self, token)}"

    def variables(self) -> dict[str, str]:
        """The tokens as variables of the style sheet."""
        field = self.selected_elsewhere if self.flat else self.selected
        return {
            "mz-page": self.page,
            "mz-bar": self.bar,
            "mz-field": field,
            "mz-text": self.text,
            "mz-muted": self.muted,
            "mz-accent": self.accent,
            "mz-line": self.line,
            "mz-fill": self.on_fill,
        }


DARK: Final = Theme(
    "dark", dark=True, page="#0f141a", bar="#171e26", selected="#1c3652", selected_elsewhere="#212b36",
    line="#2f3b47", text="#dbe2e9", muted="#9aa8b5", accent="#74b9ff", ok="#63c987", warn="#e6b450",
    bad="#ff8078", on_fill="#0f141a",
)  # fmt: skip
LIGHT: Final = Theme(
    "light", dark=False, page="#fbfaf7", bar="#efede6", selected="#cfe2f7", selected_elsewhere="#e4e2db",
    line="#cbc8be", text="#1d2329", muted="#505b66", accent="#0b4f9e", ok="#14602f", warn="#754600",
    bad="#a8121c", on_fill="#ffffff",
)  # fmt: skip
CONTRAST: Final = Theme(
    "contrast", dark=True, page="#000000", bar="#000000", selected="#ffffff", selected_elsewhere="#3a3a3a",
    line="#ffffff", text="#ffffff", muted="#e2e2e2", accent="#6fd6ff", ok="#5dff8f", warn="#ffe14d",
    bad="#ff9c94", on_fill="#000000", flat=True,
)  # fmt: skip
MONO: Final = Theme(
    "mono", dark=True, page="#000000", bar="#000000", selected="#ffffff", selected_elsewhere="#000000",
    line="#ffffff", text="#ffffff", muted="#ffffff", accent="#ffffff", ok="#ffffff", warn="#ffffff",
    bad="#ffffff", on_fill="#000000", flat=True, hues=False,
)  # fmt: skip
THEMES: Final = {theme.name: theme for theme in (DARK, LIGHT, CONTRAST, MONO)}


def chosen(asked: str | None, environ: Mapping[str, str]) -> Theme:
    """The theme asked for; else no colours where `NO_COLOR` says so; else the dark one."""
    if asked:
        return THEMES[asked]
    return MONO if environ.get("NO_COLOR") else DARK


def contrast_ratio(one: str, other: str) -> float:
    """How far two colours stand apart, as the WCAG computes it: 1 to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
