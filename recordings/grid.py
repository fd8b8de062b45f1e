"""Lines of cells: two parallel lists each, characters and styles, so that a run of text is two slices.

A cell's character is a string: one character with its combining marks; empty for the right half of the wide
character before it. Two flags spare most lines most of the work: `wide` says that a line may hold such pairs,
`plain` that every style is PLAIN. Every operation leaves pairs whole: half a wide character is nothing a
terminal can show.
"""

from __future__ import annotations

from recordings.styles import PLAIN, Style


class Line:
    """One row of the screen."""

    __slots__ = ("chars", "plain", "styles", "wide")

    def __init__(
        self, chars: list[str], styles: list[Style], *, wide: bool = False, plain: bool = False
    ) -> None:
        self.chars = chars
        self.styles = styles
        self.wide = wide
        self.plain = plain

    @classmethod
    def blank(cls, columns: int, style: Style = PLAIN) -> Line:
        return cls([" "] * columns, [style] * columns, plain=style is PLAIN)

    def clear(self, style: Style) -> None:
        """Makes the whole line blank."""
        columns = len(self.chars)
        self.chars = [" "] * columns
        self.wide = False
        if not (self.plain and style is PLAIN):
            self.styles = [style] * columns
            self.plain = style is PLAIN

    def part(self, x: int) -> None:
        """Makes column `x` a border between characters: a wide one that straddles it becomes blank."""
        if 0 < x < len(self.chars) and self.chars[x] == "":
            self.chars[x - 1] = self.chars[x] = " "
            self.styles[x - 1] = self.styles[x] = PLAIN

    def erase(self, start: int, end: int, style: Style) -> None:
        """Blanks the columns from `start` up to `end`."""
        end = min(end, len(self.chars))
        if start >= end:
            return
        if self.wide:
            self.part(start)
            self.part(end)
        self.chars[start:end] = [" "] * (end - start)
        if not (self.plain and style is PLAIN):
            self.styles[start:end] = [style] * (end - start)
            self.plain = False

    def insert(self, x: int, count: int, style: Style) -> None:
        """Moves what stands from `x` on to the right, over the edge, and leaves blanks."""
        columns = len(self.chars)
        count = min(count, columns - x)
        if count <= 0:
            return
        if self.wide:
            self.part(x)
            self.part(columns - count)
        self.chars[x:] = [" "] * count + self.chars[x : columns - count]
        self.styles[x:] = [style] * count + self.styles[x : columns - count]
        self.plain = self.plain and style is PLAIN

    def delete(self, x: int, count: int, style: Style) -> None:
        """Moves what stands behind `count` columns from `x` to the left, and blanks the end."""
        columns = len(self.chars)
        count = min(count, columns - x)
        if count <= 0:
            return
        if self.wide:
            self.part(x)
            self.part(x + count)
        self.chars[x:] = self.chars[x + count :] + [" "] * count
        self.styles[x:] = self.styles[x + count :] + [style] * count
        self.plain = self.plain and style is PLAIN

    def fit(self, columns: int) -> None:
        """Cuts or fills the line to another width."""
        have = len(self.chars)
        if columns < have:
            if self.wide:
                self.part(columns)
            del self.chars[columns:]
            del self.styles[columns:]
        else:
            self.chars += [" "] * (columns - have)
            self.styles += [PLAIN] * (columns - have)

    @property
    def is_blank(self) -> bool:
        return all(char == " " for char in self.chars) and all(style.bg == "default" for style in self.styles)


def runs(line: Line) -> list[tuple[str, Style]]:
    """The line as stretches of one style, in order."""
    if line.plain:
        return [("".join(line.chars), PLAIN)]
    found: list[tuple[str, Style]] = []
    chars, styles = line.chars, line.styles
    start, current = 0, styles[0]
    for x, style in enumerate(styles):
        # identity first: styles are shared, and comparing eleven fields a cell is what drawing would cost
        if style is not current and style != current:
            found.append(("".join(chars[start:x]), current))
            start, current = x, style
    found.append(("".join(chars[start:]), current))
    return found
