"""The state of a terminal's screen and what moves and erases in it: everything but text and the stream.

Positions count from 0. `x` may be `columns`: the last column was written and the next character wraps first.
Lines that come in blank, and cells that are erased, take the background of the pen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from recordings.grid import Line
from recordings.screenstate import SavedCursor
from recordings.styles import PLAIN, PenRack

MAX_COLUMNS: Final = 1000
MAX_ROWS: Final = 500
"""A larger terminal is drawn cut: a resize event must not become a gigabyte."""


class Canvas:
    """Lines, cursor, margins, modes, and the second screen behind the first."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns = min(max(columns, 1), MAX_COLUMNS)
        self.rows = min(max(rows, 1), MAX_ROWS)
        self._rack = PenRack()
        self.on_gone: Callable[[list[Line]], None] | None = None
        """Told of lines of the main screen that scroll off its top or are cleared with all of it."""
        self._dirty: set[int] = set()
        self._reset()

    def _reset(self) -> None:
        self._lines = self._blank_lines()
        self._main: list[Line] | None = None
        self._saved_main: SavedCursor | None = None
        self._x = self._y = 0
        self._reversed = False
        self._tabs = set(range(8, self.columns, 8))
        self._last = ""
        self._soft_reset()
        self._touch(0, self.rows)

    def _soft_reset(self) -> None:
        self._pen = self._rack.pen(PLAIN)
        self._top, self._bottom = 0, self.rows - 1
        self._wraps, self._visible = True, True
        self._inserts = self._origin = self._line_mode = False
        self._saved = SavedCursor()
        self._g0_draws = self._g1_draws = self._shifted = False
        self._note_charset()

    def _note_charset(self) -> None:
        self._draws = self._g1_draws if self._shifted else self._g0_draws

    def _blank_lines(self) -> list[Line]:
        return [Line.blank(self.columns) for _ in range(self.rows)]

    def _touch(self, start: int, end: int) -> None:
        if len(self._dirty) < self.rows:
            self._dirty.update(range(start, end))

    # --- moving ---

    def _place(self, x: int, y: int) -> None:
        """Moves to a column and row; in origin mode rows count from the top margin to the bottom one."""
        last = self.columns - 1
        self._x = x if x < last else last
        self._place_row(y)

    def _place_column(self, x: int) -> None:
        self._x = min(x, self.columns - 1)

    def _place_row(self, y: int) -> None:
        bottom = self.rows - 1
        if self._origin:
            y, bottom = y + self._top, self._bottom
        self._y = y if y < bottom else bottom

    def _up(self, count: int) -> None:
        limit = self._top if self._y >= self._top else 0
        self._x = min(self._x, self.columns - 1)
        self._y = max(self._y - count, limit)

    def _down(self, count: int) -> None:
        limit = self._bottom if self._y <= self._bottom else self.rows - 1
        self._x = min(self._x, self.columns - 1)
        self._y = min(self._y + count, limit)

    def _left(self, count: int) -> None:
        self._x = max(min(self._x, self.columns - 1) - count, 0)

    def _next_lines(self, count: int) -> None:
        self._down(count)
        self._x = 0

    def _previous_lines(self, count: int) -> None:
        self._up(count)
        self._x = 0

    def _right(self, count: int) -> None:
        self._x = min(self._x + count, self.columns - 1)

    def _tab(self, count: int) -> None:
        stops = [stop for stop in self._tabs if stop > self._x]
        stops.sort()
        self._x = stops[count - 1] if count <= len(stops) else self.columns - 1

    def _back_tab(self, count: int) -> None:
        stops = sorted((stop for stop in self._tabs if stop < self._x), reverse=True)
        self._x = stops[count - 1] if count <= len(stops) else 0

    def _index(self) -> None:
        if self._y == self._bottom:
            if self.on_gone is not None:
                self._tell_gone(self._top, 1)
            # what `_pull` does for one line, spelled out: a log does nothing else
            line = self._lines.pop(self._top)
            line.clear(self._pen.blank)
            self._lines.insert(self._bottom, line)
            if len(self._dirty) < self.rows:
                self._dirty.update(range(self._top, self._bottom + 1))
        elif self._y < self.rows - 1:
            self._y += 1

    def _reverse_index(self) -> None:
        if self._y == self._top:
            self._push(self._top, 1)
        elif self._y > 0:
            self._y -= 1

    def _set_margins(self, top: int, bottom: int) -> None:
        bottom = min(bottom, self.rows - 1)
        if top < bottom:
            self._top, self._bottom = top, bottom
            self._place(0, 0)

    @property
    def _in_margins(self) -> bool:
        return self._top <= self._y <= self._bottom

    # --- lines ---

    def _pull(self, y: int, count: int) -> None:
        """Removes `count` lines at `y`; blank ones come in at the bottom margin."""
        lines, bottom, blank = self._lines, self._bottom, self._pen.blank
        for _ in range(min(count, bottom + 1 - y)):
            line = lines.pop(y)
            line.clear(blank)
            lines.insert(bottom, line)
        self._touch(y, bottom + 1)

    def _push(self, y: int, count: int) -> None:
        """Inserts `count` blank lines at `y`; as many fall out at the bottom margin."""
        for _ in range(min(count, self._bottom + 1 - y)):
            line = self._lines.pop(self._bottom)
            line.clear(self._pen.blank)
            self._lines.insert(y, line)
        self._touch(y, self._bottom + 1)

    def _tell_gone(self, y: int, count: int) -> None:
        if self.on_gone is not None and self._main is None and y == 0:
            self.on_gone(self._lines[:count])

    def _scroll_up(self, count: int) -> None:
        self._tell_gone(self._top, min(count, self._bottom + 1 - self._top))
        self._pull(self._top, count)

    def _scroll_down(self, count: int) -> None:
        self._push(self._top, count)

    def _insert_lines(self, count: int) -> None:
        if self._in_margins:
            self._push(self._y, count)
            self._x = 0

    def _delete_lines(self, count: int) -> None:
        if self._in_margins:
            self._pull(self._y, count)
            self._x = 0

    # --- erasing ---

    def _erase_characters(self, count: int) -> None:
        self._erase(self._x, self._x + count)

    def _erase(self, start: int, end: int) -> None:
        self._lines[self._y].erase(start, end, self._pen.blank)
        self._dirty.add(self._y)

    def _erase_in_line(self, how: int) -> None:
        if how == 0:
            self._erase(self._x, self.columns)
        elif how == 1:
            self._erase(0, self._x + 1)
        elif how == 2:
            self._erase(0, self.columns)

    def _erase_in_display(self, how: int) -> None:
        if how in (0, 1):
            self._erase_in_line(how)
        # 3 clears what scrolled away, and nothing is kept of that
        first, last = {0: (self._y + 1, self.rows), 1: (0, self._y), 2: (0, self.rows)}.get(how, (0, 0))
        if how == 2:
            self._tell_gone(0, self.rows)
        for line in self._lines[first:last]:
            line.clear(self._pen.blank)
        self._touch(first, last)

    def _insert_characters(self, count: int) -> None:
        self._lines[self._y].insert(self._x, count, self._pen.blank)
        self._dirty.add(self._y)

    def _delete_characters(self, count: int) -> None:
        self._lines[self._y].delete(self._x, count, self._pen.blank)
        self._dirty.add(self._y)

    def _align(self) -> None:
        """The alignment pattern: a screen of E, margins and cursor where they start."""
        self._top, self._bottom = 0, self.rows - 1
        self._x = self._y = 0
        self._lines = [
            Line(["E"] * self.columns, [PLAIN] * self.columns, plain=True) for _ in range(self.rows)
        ]
        self._touch(0, self.rows)

    # --- saving ---

    def _save(self) -> None:
        self._saved = self._here()

    def _here(self) -> SavedCursor:
        x = min(self._x, self.columns - 1)
        return SavedCursor(
            x, self._y, self._pen.style, self._origin, self._g0_draws, self._g1_draws, self._shifted
        )

    def _restore(self) -> None:
        self._restore_to(self._saved)

    def _restore_to(self, saved: SavedCursor) -> None:
        self._x, self._y = min(saved.x, self.columns - 1), min(saved.y, self.rows - 1)
        self._pen = self._rack.pen(saved.style)
        self._origin = saved.origin
        self._g0_draws, self._g1_draws, self._shifted = saved.g0_draws, saved.g1_draws, saved.shifted
        self._note_charset()

    def _enter_alternate(self, *, saving: bool) -> None:
        if self._main is None:
            if saving:
                self._saved_main = self._here()
            self._main, self._lines = self._lines, self._blank_lines()
            self._touch(0, self.rows)

    def _leave_alternate(self, *, restoring: bool) -> None:
        if self._main is not None:
            self._lines, self._main = self._main, None
            self._touch(0, self.rows)
        if restoring and self._saved_main is not None:
            self._x, self._y = self._saved_main.x, min(self._saved_main.y, self.rows - 1)
            self._pen = self._rack.pen(self._saved_main.style)
        self._x = min(self._x, self.columns - 1)

    # --- size ---

    def resize(self, columns: int, rows: int) -> None:
        """Another size: blank rows below the cursor go first, then rows from the top. No rewrapping."""
        columns, rows = min(max(columns, 1), MAX_COLUMNS), min(max(rows, 1), MAX_ROWS)
        if (columns, rows) == (self.columns, self.rows):
            return
        if columns > self.columns:
            self._tabs.update(range((self.columns + 7) // 8 * 8, columns, 8))
        gone = _fit(self._lines, columns, rows, self._y)
        if self._main is not None:
            _fit(self._main, columns, rows, self._saved_main.y if self._saved_main else 0)
        self.columns, self.rows = columns, rows
        self._x = min(self._x, columns - 1)
        self._y = min(max(self._y - gone, 0), rows - 1)
        self._top, self._bottom = 0, rows - 1
        self._dirty = set(range(rows))


def _fit(lines: list[Line], columns: int, rows: int, cursor_y: int) -> int:
    """Brings lines to another size; says how many rows went at the top."""
    while len(lines) > max(rows, cursor_y + 1) and lines[-1].is_blank:
        lines.pop()
    gone = max(len(lines) - rows, 0)
    del lines[:gone]
    for line in lines:
        line.fit(columns)
    lines += [Line.blank(columns) for _ in range(rows - len(lines))]
    return gone
