"""The one-row bars: where one is (header), that the hub is away (band), what just happened (strip), and the
keys that work here (footer). Each renders for its exact width and leaves out whole words, never halves.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from textual.events import Click

from tui.drawing import Line
from tui.keys import Key
from tui.state import State
from tui.themes import Theme
from tui.widgets.drawn import Drawn

WIDE = 110


@dataclass(frozen=True, slots=True)
class Tab:
    """A place in the header."""

    key: str
    name: str


class Header(Drawn):
    """Cluster, places, who, UTC time, and whether the hub is there. A click on a place goes there."""

    def __init__(
        self, tabs: Sequence[Tab], here: str, state: Callable[[], State], now: Callable[[], datetime]
    ) -> None:
        super().__init__(self._lines, classes="bar")
        self._tabs, self._here, self._state, self._now = tabs, here, state, now
        self._spans: list[tuple[int, int, Tab]] = []

    def _lines(self, theme: Theme, width: int, height: int) -> list[Line]:
        state, wide = self._state(), width >= WIDE
        line = Line(theme).add(" mezite ", "text", "bold")
        if state.person and wide:
            line.outside(state.person.cluster, 24, "muted").add(" ")
        line.add(" ")
        self._spans = []
        for tab in self._tabs:
            start = line.width
            self._tab(line, tab)
            self._spans.append((start, line.width, tab))
            line.add("  " if width >= 150 else " ")
        return [line.sides(self._right(theme, state, wide=wide), width)]

    def _tab(self, line: Line, tab: Tab) -> None:
        here, theme = tab.name == self._here, line.theme
        ground = f" on {theme.selected}" if here and not theme.flat else ""
        line.styled(f" {tab.key} ", theme.style("muted") + ground)
        line.styled(tab.name, theme.style("text", "bold underline" if here else "") + ground)
        line.styled(" ", theme.style("text") + ground)

    def _right(self, theme: Theme, state: State, *, wide: bool) -> Line:
        right = Line(theme)
        if state.person and wide:
            right.outside(state.person.name, 24, "muted").add("  ")
        right.add(f"{self._now():%H:%M:%S} UTC" if wide else f"{self._now():%H:%M}")
        if state.link.up:
            return right.add(" ● ", "ok")
        return right.add(" ○ ", "warn" if state.link.lost_at else "muted")

    def on_click(self, event: Click) -> None:
        for start, end, tab in self._spans:
            if start <= event.x < end:
                self.console_app.go(tab.name)


class Footer(Drawn):
    """The keys that work now, the most used first, as many as fit. Each can be clicked."""

    def __init__(self, keys: Callable[[], Sequence[Key]], help_cap: str = "?") -> None:
        super().__init__(self._lines, classes="bar")
        self._keys, self._help_cap = keys, help_cap
        self._spans: list[tuple[int, int, Key]] = []

    def _lines(self, theme: Theme, width: int, height: int) -> list[Line]:
        line = Line(theme).add(" ")
        tail = Line(theme).add(self._help_cap, "accent", "bold").add(" keys ", "muted")
        self._spans = []
        for key in self._keys():
            if key.why_not or not key.in_footer:
                continue
            piece = Line(theme).add(key.cap, "accent", "bold").add(f" {key.does}", "muted").add("   ")
            if line.width + piece.width > width - tail.width - 1:
                break
            self._spans.append((line.width, line.width + piece.width - 3, key))
            line.join(piece)
        return [line.sides(tail, width)]

    def on_click(self, event: Click) -> None:
        if event.x >= self.size.width - len(self._help_cap) - 6:
            self.console_app.explain_keys()
            return
        for start, end, key in self._spans:
            if start <= event.x < end:
                key.act()
                return


def lost_band(theme: Theme, width: int, state: State, now: datetime) -> list[Line]:
    """One amber row while the hub is away: since when, and how old the screen is."""
    link = state.link
    if link.lost_at is None:
        return []
    away = max(int((now - link.lost_at).total_seconds()), 0)
    since = f"{away} s" if away < 120 else f"{away // 60} min"
    words = f" Hub lost {since} ago."
    if link.seen_at:
        words += f" What you see is from {link.seen_at:%H:%M:%S}."
    line = Line(theme).styled(f"{words} Trying again; R tries now.", theme.fill("warn"))
    line.cut(width)
    return [line.styled(" " * (width - line.width), theme.fill("warn"))]
