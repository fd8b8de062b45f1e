"""A widget that is rows of cells: it is asked for lines of its exact width and draws those that changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from rich.style import Style
from textual.geometry import Region
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing import Line
from tui.themes import Theme

if TYPE_CHECKING:
    from tui.app import Console

Draw = Callable[[Theme, int, int], Sequence[Line]]
"""(theme, width, height) -> the rows from the top; what is missing below stays blank."""


class Drawn(Widget):
    """Rows by a function. `redraw` asks it again and repaints the rows that say something else."""

    def __init__(self, draw: Draw, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self._draw = draw
        self._rows: list[list[tuple[str, str]]] = []

    @property
    def console_app(self) -> Console:
        return cast("Console", self.app)

    def redraw(self) -> None:
        known, self._rows = self._rows, self._drawn()
        if len(known) != len(self._rows):
            self.refresh()
            return
        for row, (old, now) in enumerate(zip(known, self._rows, strict=True)):
            if old != now:
                self.refresh(Region(0, row, self.size.width, 1))

    def on_resize(self) -> None:
        self._rows = self._drawn()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        if y >= len(self._rows):
            return Strip.blank(width)
        line = Line(self.console_app.look)
        line.pieces = list(self._rows[y])
        line.width = width
        strip = Strip(line.segments(width, ascii_only=self.console_app.ascii_only), width)
        return strip.apply_style(Style(bgcolor=self.background_colors[1].rich_color))

    def _drawn(self) -> list[list[tuple[str, str]]]:
        width, height = self.size
        if not width or not height:
            return []
        rows = list(self._draw(self.console_app.look, width, height))[:height]
        rows += [Line(self.console_app.look) for _ in range(height - len(rows))]
        return [row.cut(width).to(width).pieces for row in rows]


def label(words: str, note: str = "", *, blank_above: bool = False) -> Draw:
    """The name of what stands below, and a note at the right."""

    def draw(theme: Theme, width: int, height: int) -> list[Line]:
        line = Line(theme).add(words, "muted", "bold")
        if note:
            line.sides(Line(theme).add(note, "muted"), width)
        return [Line(theme), line] if blank_above else [line]

    return draw
