"""What all screens share: the grid (header, band, body, strip, footer), one table of keys, one second hand.

A screen below 80x24 says what it needs and nothing else. The strip is always there, so the body never jumps;
only a lost hub inserts a row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, cast

from textual import events
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widget import Widget

from tui.drawing import Line
from tui.keys import Key, pressed
from tui.state import State
from tui.themes import Theme, Token
from tui.widgets.bars import Footer, Header, lost_band
from tui.widgets.drawn import Drawn
from tui.widgets.field import Field

if TYPE_CHECKING:
    from tui.app import Console

SMALLEST: Final = (80, 24)
STACKED_BELOW: Final = 110
_TYPES_NOTHING: Final = ("f1", "tab", "shift+tab", "ctrl+l", "ctrl+c")


class Page(Screen[None], inherit_bindings=False):
    """A screen over the whole terminal. `place` names it in the header; the login form has none."""

    AUTO_FOCUS = ""
    place = ""
    help_cap = "?"

    def __init__(self) -> None:
        super().__init__()
        self.is_open = False
        self._said: tuple[str, Token] = ("", "muted")

    @property
    def console_app(self) -> Console:
        return cast("Console", self.app)

    @property
    def state(self) -> State:
        return self.console_app.state

    def keys(self) -> Sequence[Key]:
        """The keys of this screen, the most used first; the footer shows them in this order."""
        return ()

    def all_keys(self) -> list[Key]:
        everywhere = self.console_app.keys_everywhere(self)
        if isinstance(self.focused, Field):
            # Letters and signs are text there: only keys that type nothing are left.
            everywhere = [key for key in everywhere if key.press[-1] in _TYPES_NOTHING]
        # While the hub is away, trying again is what one wants most.
        first = [key for key in everywhere if key.press[0] == "R" and not key.why_not]
        return [*first, *self.keys(), *(key for key in everywhere if key not in first)]

    def to_field(self, name: str) -> None:
        """Lets the keys go to a field. At once, so that what is typed next is typed there."""
        self.set_focus(self.query_one(f"#{name}", Field))

    def body(self) -> ComposeResult:
        yield from ()

    def show(self, state: State) -> None:
        """Something is known that was not: hand it down to the widgets."""

    def strip_line(self, theme: Theme, width: int) -> Line:
        """What the strip says while nothing has just happened."""
        return Line(theme)

    def compose(self) -> ComposeResult:
        if self.place:
            app = self.console_app
            yield Header(app.tabs, self.place, lambda: self.state, app.now)
            yield Drawn(
                lambda theme, width, _: lost_band(theme, width, self.state, app.now()), classes="band"
            )
        yield from self.body()
        yield Drawn(self._strip, id="strip")
        yield Footer(self.all_keys, self.help_cap)
        yield Drawn(self._too_small, id="too-small")

    def opened(self) -> None:
        """All widgets are there, for the first time: the one to take keys is given the focus."""

    def on_mount(self) -> None:
        # Widgets inside containers are mounted a moment after the screen that holds them.
        self.call_after_refresh(self._open)

    def _open(self) -> None:
        self.is_open = True
        self.refreshed()
        if self.focused is None:
            self.opened()
        self.redraw()

    def on_screen_resume(self) -> None:
        self.refreshed()

    def refreshed(self) -> None:
        """Everything anew from the state."""
        if not self.is_open:
            return
        self._fit_to(*self.size)
        self.show(self.state)
        self.redraw()

    def redraw(self) -> None:
        """Asks each drawn row again; only those that say something else are painted."""
        for band in self.query(".band"):
            band.display = self.state.link.lost_at is not None
        for drawn in self.query(Drawn):
            drawn.redraw()

    def tick(self) -> None:
        """Once a second: what shows time."""
        for drawn in self.query(Drawn):
            if drawn.has_class("bar") or drawn.has_class("band") or drawn.id == "strip":
                drawn.redraw()

    def say(self, words: str, means: Token = "muted") -> None:
        """Puts one sentence into the strip, until the next key."""
        self._said = (words, means)
        if self.is_open:
            self.redraw()

    def on_key(self, event: events.Key) -> None:
        key = pressed(self.all_keys(), event.key) if self.is_open else None
        if key is None:
            return
        event.stop()
        event.prevent_default()
        self._said = ("", "muted")
        if key.why_not:
            self.say(key.why_not, "warn")
        else:
            key.act()
        self.redraw()

    def on_resize(self, event: events.Resize) -> None:
        self._fit_to(event.size.width, event.size.height)

    def on_descendant_focus(self) -> None:
        if self.is_open:
            self.redraw()

    def focus_next_part(self, step: int = 1) -> None:
        """Tab: the next part that takes keys, in reading order."""
        parts: list[Widget] = [widget for widget in self.focus_chain if widget.display]
        if parts:
            place = parts.index(self.focused) if self.focused in parts else -step
            self.set_focus(parts[(place + step) % len(parts)])

    def _fit_to(self, width: int, height: int) -> None:
        small = width < SMALLEST[0] or height < SMALLEST[1]
        self.set_class(small, "small")
        self.set_class(width < STACKED_BELOW, "stacked")

    def _strip(self, theme: Theme, width: int, height: int) -> list[Line]:
        words, means = self._said
        if words:
            return [Line(theme).add(" ").outside(words, width - 2, means)]
        return [self.strip_line(theme, width)]

    def _too_small(self, theme: Theme, width: int, height: int) -> list[Line]:
        words = f"{SMALLEST[0]}x{SMALLEST[1]} needed, this is {width}x{height}"
        blank = [Line(theme) for _ in range(height // 2)]
        return [*blank, Line(theme).to((width - len(words)) // 2).add(words)]
