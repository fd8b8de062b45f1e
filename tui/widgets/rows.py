"""A list that holds a thing and not a row number. Only visible rows are built, whatever their count.

1. The cursor is a key. When rows come or go around it, its row stays at its line of the screen.
2. When the thing itself goes, the cursor takes its neighbour.
3. In a list that follows, the cursor is at the end and goes with it, until somebody moves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, cast

from rich.style import Style
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from tui.drawing import Line
from tui.themes import Theme

T = TypeVar("T")

WHEEL: Final = 3


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """How things of this list are told apart and drawn: `row(theme, thing, width, under_cursor)`."""

    key: Callable[[T], str]
    row: Callable[[Theme, T, int, bool], Line]
    empty: Callable[[Theme], Sequence[Line]]


class Rows(Widget, Generic[T], can_focus=True):
    """A `Moved` is sent up whenever another thing is under the cursor, `Opened` for a second click."""

    class Moved(Message):
        pass

    class Opened(Message):
        pass

    def __init__(self, kind: Kind[T], *, id: str | None = None, follow: bool = False) -> None:
        super().__init__(id=id)
        self.kind = kind
        self.follow = follow
        self.things: Sequence[T] = ()
        self.cursor = ""
        self.top = 0
        self.built = 0
        """Rows built so far; a test holds that it does not grow with the list."""
        self._places: dict[str, int] = {}

    @property
    def index(self) -> int:
        return self._places.get(self.cursor, 0)

    @property
    def current(self) -> T | None:
        return self.things[self.index] if self.things else None

    def show(self, things: Sequence[T]) -> None:
        """Other rows; the cursor stays with its thing, and its thing at its line."""
        if things is self.things:
            return
        index, screen_line = self.index, self.index - self.top
        before = self.cursor
        self.things = things
        self._places = {self.kind.key(thing): place for place, thing in enumerate(things)}
        if not things:
            self.cursor = ""
        elif self.follow:
            self.cursor = self.kind.key(things[-1])
        elif self.cursor not in self._places:
            self.cursor = self.kind.key(things[min(index, len(things) - 1)])
        self.top = self.index - screen_line
        self._keep_visible()
        self.refresh()
        if self.cursor != before:
            self.post_message(self.Moved())

    def move_to(self, index: int) -> None:
        if not self.things:
            return
        index = max(0, min(index, len(self.things) - 1))
        cursor = self.kind.key(self.things[index])
        if cursor == self.cursor:
            return
        old, old_top, self.cursor = self.index, self.top, cursor
        self._keep_visible()
        if self.top == old_top:
            for changed in (old, index):
                self.refresh(Region(0, changed - self.top, self.size.width, 1))
        else:
            self.refresh()
        self.post_message(self.Moved())

    def select(self, key: str) -> bool:
        """Puts the cursor on a thing, if it is there."""
        if key in self._places:
            self.move_to(self._places[key])
        return key in self._places

    def on_key(self, event: events.Key) -> None:
        page = max(self.size.height - 1, 1)
        steps = {"j": 1, "down": 1, "k": -1, "up": -1, "pagedown": page, "pageup": -page}
        if event.key in steps:
            self.move_to(self.index + steps[event.key])
        elif event.key in ("g", "home"):
            self.move_to(0)
        elif event.key in ("G", "end", "upper_g"):
            self.move_to(len(self.things) - 1)
        else:
            return
        event.stop()
        event.prevent_default()

    def on_click(self, event: events.Click) -> None:
        index = self.top + event.y
        if index >= len(self.things):
            return
        again = index == self.index and self.has_focus
        self.move_to(index)
        if again:
            self.post_message(self.Opened())

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        event.stop()
        self.move_to(self.index + WHEEL)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        event.stop()
        self.move_to(self.index - WHEEL)

    def on_focus(self) -> None:
        self.refresh()

    def on_blur(self) -> None:
        self.refresh()

    def on_resize(self) -> None:
        self._keep_visible()
        self.refresh()

    def render_line(self, y: int) -> Strip:
        from tui.app import Console

        app, width = cast(Console, self.app), self.size.width
        line = self._line(app.look, self.top + y, y, width)
        strip = Strip(line.segments(width, ascii_only=app.ascii_only), width)
        return strip.apply_style(Style(bgcolor=self.background_colors[1].rich_color))

    def _line(self, theme: Theme, index: int, y: int, width: int) -> Line:
        if not self.things:
            empty = self.kind.empty(theme)
            return empty[y] if y < len(empty) else Line(theme)
        if index >= len(self.things):
            return Line(theme)
        self.built += 1
        thing = self.things[index]
        here = self.kind.key(thing) == self.cursor
        line = self.kind.row(theme, thing, width, here)
        return line.select(width, focused=self.has_focus) if here else line

    def _keep_visible(self) -> None:
        height = max(self.size.height, 1)
        self.top = max(self.index - height + 1, min(self.top, self.index))
        self.top = max(0, min(self.top, len(self.things) - height))
