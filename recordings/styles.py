"""How a cell looks, and what SGR sequences make of it. Pure.

Colours are named as pyte names them: `default`, sixteen names, or six hex digits. A `Pen` is a style with
what each SGR sequence met so far turned it into, so that a colour change already seen costs one dictionary
lookup; the rack that holds pens is bounded, because a hostile stream has sixteen million colours.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

_NAMES: Final = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
_LEVELS: Final = (0x00, 0x5F, 0x87, 0xAF, 0xD7, 0xFF)
_SYSTEM: Final = (
    "000000", "cd0000", "00cd00", "cdcd00", "0000ee", "cd00cd", "00cdcd", "e5e5e5",
    "7f7f7f", "ff0000", "00ff00", "ffff00", "5c5cff", "ff00ff", "00ffff", "ffffff",
)  # fmt: skip
PALETTE: Final = (
    *_SYSTEM,
    *(f"{red:02x}{green:02x}{blue:02x}" for red in _LEVELS for green in _LEVELS for blue in _LEVELS),
    *(f"{grey:02x}" * 3 for grey in range(8, 248, 10)),
)

MAX_SGR: Final = 256
"""Characters of one SGR sequence; a longer one is ignored whole."""
MAX_PENS: Final = 1024
MAX_LEARNED: Final = 512


class Style(NamedTuple):
    """How a cell looks."""

    fg: str = "default"
    bg: str = "default"
    bold: bool = False
    dim: bool = False
    italics: bool = False
    underscore: bool = False
    blink: bool = False
    reverse: bool = False
    conceal: bool = False
    strikethrough: bool = False
    overline: bool = False


PLAIN: Final = Style()

_FG, _BG, _BOLD, _DIM, _ITALICS, _UNDERSCORE, _BLINK, _REVERSE, _CONCEAL, _STRIKE, _OVERLINE = range(11)
_FIELDS: Final[dict[str, tuple[int, str | bool]]] = {
    "1": (_BOLD, True),
    "2": (_DIM, True),
    "3": (_ITALICS, True),
    "4": (_UNDERSCORE, True),
    "5": (_BLINK, True),
    "6": (_BLINK, True),
    "7": (_REVERSE, True),
    "8": (_CONCEAL, True),
    "9": (_STRIKE, True),
    "21": (_UNDERSCORE, True),
    "22": (_BOLD, False),  # and dim, see restyle
    "23": (_ITALICS, False),
    "24": (_UNDERSCORE, False),
    "25": (_BLINK, False),
    "27": (_REVERSE, False),
    "28": (_CONCEAL, False),
    "29": (_STRIKE, False),
    "39": (_FG, "default"),
    "49": (_BG, "default"),
    "53": (_OVERLINE, True),
    "55": (_OVERLINE, False),
    **{f"3{n}": (_FG, name) for n, name in enumerate(_NAMES)},
    **{f"4{n}": (_BG, name) for n, name in enumerate(_NAMES)},
    **{f"9{n}": (_FG, f"bright{name}") for n, name in enumerate(_NAMES)},
    **{f"10{n}": (_BG, f"bright{name}") for n, name in enumerate(_NAMES)},
}
_EXTENDED: Final = {"38": _FG, "48": _BG, "58": None}
"""58 colours the underline, which no cell here holds: read past, never mistaken for what follows."""


def restyle(style: Style, parameters: str) -> Style:
    """The style after an SGR sequence with these parameters (`1;38;5;4`). What is unknown changes nothing."""
    if not parameters:
        return PLAIN
    fields: list[Any] = list(style)
    words = iter(parameters.split(";"))
    for word in words:
        code = word.lstrip("0")
        if not code:
            fields = list(PLAIN)
        elif code in _FIELDS:
            field, value = _FIELDS[code]
            fields[field] = value
            if code == "22":
                fields[_DIM] = False
        elif code in _EXTENDED:
            _put(fields, _EXTENDED[code], _extended(words))
        elif ":" in code:
            _put_colon(fields, code.split(":"))
    return Style._make(fields)


def _extended(words: Iterator[str]) -> str | None:
    """The colour after 38 or 48 in semicolon form. Takes its words whether they make a colour or not."""
    kind = next(words, "")
    if kind == "5":
        return _indexed(next(words, "x"))
    if kind == "2":
        return _rgb(next(words, "x"), next(words, "x"), next(words, "x"))
    return None


def _put(fields: list[Any], side: int | None, colour: str | None) -> None:
    if colour is not None and side is not None:
        fields[side] = colour


def _put_colon(fields: list[Any], parts: list[str]) -> None:
    """The colon forms: 38:5:n, 38:2:r:g:b, 38:2:space:r:g:b and 4:style."""
    code = parts[0].lstrip("0")
    if code == "4" and len(parts) == 2:
        fields[_UNDERSCORE] = parts[1] != "0"
    elif code in _EXTENDED and len(parts) >= 3:
        if parts[1] == "5" and len(parts) == 3:
            _put(fields, _EXTENDED[code], _indexed(parts[2]))
        elif parts[1] == "2" and len(parts) >= 5:
            _put(fields, _EXTENDED[code], _rgb(*(parts[3:6] if len(parts) >= 6 else parts[2:5])))


def _indexed(word: str) -> str | None:
    try:
        return PALETTE[int(word or 0)]
    except (ValueError, IndexError):
        return None


def _rgb(red: str, green: str, blue: str) -> str | None:
    try:
        return bytes((int(red or 0), int(green or 0), int(blue or 0))).hex()
    except ValueError:
        return None


class Pen:
    """A style, the style of what it erases, and where SGR sequences lead from it."""

    __slots__ = ("blank", "learned", "style")

    def __init__(self, style: Style) -> None:
        self.style = style
        # Erasing paints the background and nothing else, as xterm and tmux do.
        self.blank = PLAIN if style.bg == "default" else Style(bg=style.bg)
        self.learned: dict[str, Pen] = {}


class PenRack:
    """Every pen in use, one per style."""

    __slots__ = ("_pens", "_plain")

    def __init__(self) -> None:
        self._pens: dict[Style, Pen] = {}
        self._plain = self.pen(PLAIN)

    def pen(self, style: Style) -> Pen:
        """The pen of a style. A plain one has PLAIN itself, which lines look for by identity."""
        pen = self._pens.get(style)
        if pen is None:
            if len(self._pens) >= MAX_PENS:
                # Forget everything: cells hold styles, not pens, and what is still in use comes back.
                self._pens.clear()
            pen = self._pens[style] = Pen(PLAIN if style == PLAIN else style)
        return pen

    def after(self, pen: Pen, sequence: str) -> Pen:
        """The pen after a whole SGR sequence (`ESC [ … m`); remembered."""
        parameters = sequence[2:-1]
        if parameters in ("", "0"):
            return self._plain
        if len(sequence) >= MAX_SGR:
            return pen
        following = self.pen(restyle(pen.style, parameters))
        if len(pen.learned) >= MAX_LEARNED:
            pen.learned.clear()
        pen.learned[sequence] = following
        return following
