"""Lines of exact width: pieces with a meaning, cut by cells, and text from outside made harmless.

Everything on the screen is made of `Line`s. Text that somebody else wrote enters by `outside` alone: what a
terminal would obey (control characters, bidirectional overrides) is shown as a sign in amber instead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from rich.text import Text

from tui.themes import Theme, Token

ASCII_TWINS: Final = str.maketrans("▌✓✗▲●○▸◆…─│·“”•▼→", '>+x!*o>@~-|.""*v>')
"""For terminals whose locale is not UTF-8: one cell for one cell."""

_HARMLESS: Final = re.compile(r"[ -~]*")


class Line:
    """One row being written from left to right."""

    __slots__ = ("pieces", "theme", "width")

    def __init__(self, theme: Theme) -> None:
        self.theme = theme
        self.pieces: list[tuple[str, str]] = []
        self.width = 0

    def add(self, text: str, means: Token = "text", weight: str = "") -> Line:
        """Words of ours."""
        return self.styled(text, self.theme.style(means, weight))

    def styled(self, text: str, style: str) -> Line:
        self.pieces.append((text, style))
        self.width += cell_len(text)
        return self

    def outside(self, text: str, room: int, means: Token = "text", weight: str = "") -> Line:
        """Words of somebody else, in at most `room` cells; what is left out is marked."""
        plain, sign, end = self.theme.style(means, weight), self.theme.style("warn"), self.width + room
        if room <= 0:
            return self
        # Only as much as can show is looked at: a value of megabytes costs what a short one does.
        for piece, harmless in shown(text[: room + 1]):
            left = end - self.width
            if cell_len(piece) > left:
                return self.styled(cut(piece, left, force=True), plain if harmless else sign)
            self.styled(piece, plain if harmless else sign)
        return self

    def to(self, column: int) -> Line:
        """Blank up to a column; whatever reached beyond it already stays."""
        if column > self.width:
            self.styled(" " * (column - self.width), self.theme.style("text"))
        return self

    def join(self, other: Line) -> Line:
        self.pieces += other.pieces
        self.width += other.width
        return self

    def sides(self, right: Line, width: int) -> Line:
        """`right` at the right edge; what does not fit beside it is cut from here."""
        return self.cut(width - right.width - 1).to(width - right.width).join(right)

    def cut(self, width: int) -> Line:
        """At most `width` cells."""
        if self.width <= width:
            return self
        kept, self.pieces, self.width = self.pieces, [], 0
        for text, style in kept:
            if self.width + cell_len(text) > width - 1:
                return self.styled(cut(text, width - self.width, force=True), style)
            self.styled(text, style)
        return self

    def select(self, width: int, *, focused: bool) -> Line:
        """Puts the ground of the cursor's row under all of it."""
        self.cut(width).to(width)
        theme = self.theme
        if focused and theme.flat:
            style = f"{theme.page} on {theme.text}" if theme.hues else f"reverse {theme.text}"
            self.pieces = [(text, style) for text, _ in self.pieces]
        else:
            ground = theme.selected if focused else theme.selected_elsewhere
            self.pieces = [(text, f"{style} on {ground}") for text, style in self.pieces]
        return self

    def plain(self) -> str:
        return "".join(text for text, _ in self.pieces)

    def segments(self, width: int, *, ascii_only: bool = False) -> list[Segment]:
        """The row as it goes to the terminal, exactly `width` cells."""
        self.cut(width).to(width)
        return [
            Segment(text.translate(ASCII_TWINS) if ascii_only else text, Style.parse(style))
            for text, style in self.pieces
            if text
        ]

    def as_text(self) -> Text:
        return Text.assemble(*self.pieces, end="", no_wrap=True)


def shown(text: str) -> Iterator[tuple[str, bool]]:
    """Pieces that a terminal only draws, and whether each stands for itself or is a sign for another."""
    if _HARMLESS.fullmatch(text):
        yield text, True
        return
    run = ""
    for letter in text:
        if letter.isprintable():
            run += letter
            continue
        if run:
            yield run, True
            run = ""
        yield _sign(letter), False
    if run:
        yield run, True


def _sign(letter: str) -> str:
    code = ord(letter)
    if code < 0x20:
        return f"^{chr(code + 64)}"
    return "^?" if code == 0x7F else f"<U+{code:04X}>"


def cut(text: str, width: int, *, force: bool = False) -> str:
    """At most `width` cells, the last one a mark when something is left out (or `force` says there is)."""
    if width <= 0:
        return ""
    if not force and cell_len(text) <= width:
        return text
    kept, used = "", 0
    for letter in text:
        cells = cell_len(letter)
        if used + cells > width - 1:
            break
        kept, used = kept + letter, used + cells
    return kept + "…"


def wrapped(text: str, width: int) -> list[str]:
    """Words of ours in lines of at most `width` cells."""
    lines = [""]
    for word in text.split():
        joined = f"{lines[-1]} {word}".strip()
        if cell_len(joined) <= width or not lines[-1]:
            lines[-1] = joined
        else:
            lines.append(word)
    return lines
