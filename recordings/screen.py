"""A terminal's screen: what a session's output looks like at a moment. The one door to pyte.

Cells, colour names and character widths are pyte's, and where pyte is right the screen is the same as pyte's,
cell for cell; the loop that reads the stream is not (see `terminal`). Where pyte is wrong or silent (the
alternate screen, SU and SD, REP, strings, private and colon SGR, line drawing, wide characters at an edge)
the screen does as tmux 3.3a does. A test keeps the list of what is known to differ.

A screen obeys nothing that reaches beyond it: titles, clipboard, queries, mouse modes are read and dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from pyte.screens import Char
from pyte.screens import wcwidth as pyte_width

from recordings.grid import runs
from recordings.screenstate import ScreenState, freeze, thaw
from recordings.styles import Style
from recordings.terminal import Terminal
from recordings.vt import State


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the next character goes. `x` is the last column also when that one is full."""

    x: int
    y: int
    visible: bool


class Screen(Terminal):
    """A screen of `columns` by `rows`. Feed it bytes, read its lines, ask which of them changed."""

    def __init__(self, columns: int, rows: int) -> None:
        super().__init__(columns, rows, pyte_width)

    # --- what it shows ---

    @property
    def cursor(self) -> Cursor:
        return Cursor(min(self._x, self.columns - 1), self._y, self._visible)

    @property
    def is_alternate(self) -> bool:
        return self._main is not None

    @property
    def is_reversed(self) -> bool:
        """Whether the whole screen is shown with its colours swapped (DECSCNM)."""
        return self._reversed

    @property
    def display(self) -> list[str]:
        """The rows as text."""
        return ["".join(line.chars) for line in self._lines]

    def runs(self, y: int) -> list[tuple[str, Style]]:
        """Row `y` as stretches of one style."""
        return runs(self._lines[y])

    def cell(self, x: int, y: int) -> Char:
        """One cell, as pyte has it. Dim, concealed and overlined stand only in `runs`."""
        data, style = self._lines[y].chars[x], self._lines[y].styles[x]
        return Char(
            data,
            style.fg,
            style.bg,
            bold=style.bold,
            italics=style.italics,
            underscore=style.underscore,
            strikethrough=style.strikethrough,
            reverse=style.reverse ^ self._reversed,
            blink=style.blink,
        )

    def take_dirty(self) -> frozenset[int]:
        """Rows that changed since this was last asked."""
        dirty, self._dirty = frozenset(self._dirty), set()
        return dirty

    # --- snapshots ---

    def snapshot(self) -> bytes:
        """All the screen is, as compact bytes: `restore` goes on as if nothing had been between."""
        return freeze(self.state())

    def state(self) -> ScreenState:
        """All the screen is. Shares its lines: read it before the screen is fed again."""
        return ScreenState(
            columns=self.columns,
            rows=self.rows,
            lines=self._lines,
            main=self._main,
            x=self._x,
            y=self._y,
            style=self._pen.style,
            top=self._top,
            bottom=self._bottom,
            flags=self._flags,
            saved=self._saved,
            saved_main=self._saved_main,
            tabs=frozenset(self._tabs),
            last=self._last,
            machine_state=self._machine.state,
            machine_held=self._machine.held,
            undecoded=self._decoder.getstate()[0],
        )

    @property
    def _flags(self) -> tuple[bool, ...]:
        return (
            self._visible,
            self._reversed,
            self._wraps,
            self._inserts,
            self._origin,
            self._line_mode,
            self._g0_draws,
            self._g1_draws,
            self._shifted,
        )

    @classmethod
    def restore(cls, snapshot: bytes) -> Self:
        """The screen a snapshot is of; anything else raises `BadSnapshot`."""
        state = thaw(snapshot)
        screen = cls(state.columns, state.rows)
        screen._lines, screen._main = state.lines, state.main
        screen._x, screen._y = state.x, state.y
        screen._pen = screen._rack.pen(state.style)
        screen._top, screen._bottom = state.top, state.bottom
        (
            screen._visible,
            screen._reversed,
            screen._wraps,
            screen._inserts,
            screen._origin,
            screen._line_mode,
            screen._g0_draws,
            screen._g1_draws,
            screen._shifted,
        ) = state.flags
        screen._note_charset()
        screen._saved, screen._saved_main = state.saved, state.saved_main
        screen._tabs, screen._last = set(state.tabs), state.last
        screen._machine.state, screen._machine.held = State(state.machine_state), state.machine_held
        screen._decoder.setstate((state.undecoded, 0))
        return screen
