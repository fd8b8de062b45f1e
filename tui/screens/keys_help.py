"""All keys of a screen, also those that do nothing at the moment, with the reason why."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.drawing import Line
from tui.screens.page import Page
from tui.themes import Theme
from tui.widgets.drawn import Drawn

_IN_LISTS: Final = (
    ("j k ↑ ↓", "move"),
    ("g G Home End", "first, last"),
    ("PgUp PgDn", "a page"),
    ("Tab", "next part, next field"),
)


class KeysHelp(ModalScreen[None], inherit_bindings=False):
    AUTO_FOCUS = ""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page = page

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Drawn(self._lines, id="keys")

    def on_mount(self) -> None:
        self._fit()

    def on_resize(self) -> None:
        self._fit()

    def _fit(self) -> None:
        drawn = self.query_one("#keys", Drawn)
        drawn.styles.height = min(len(self._lines(self._page.console_app.look, 66, 0)), self.size.height)
        drawn.redraw()

    def on_key(self, event: events.Key) -> None:
        """Any key closes it, and does nothing else."""
        event.stop()
        self.dismiss()

    def on_click(self, event: events.Click) -> None:
        event.stop()
        self.dismiss()

    def _lines(self, theme: Theme, width: int, height: int) -> Sequence[Line]:
        title = f"Keys in {self._page.place}" if self._page.place else "Keys"
        lines = [Line(theme).add(title, "text", "bold").sides(Line(theme).add("Esc closes", "muted"), width)]
        for key in (key for key in self._page.all_keys() if key.in_help):
            line = Line(theme).add(f"  {key.cap}", "muted" if key.why_not else "accent", "bold").to(17)
            line.add(key.does, "muted" if key.why_not else "text")
            if key.why_not:
                line.to(38).add(key.why_not, "muted")
            lines.append(line)
        if self._page.place:
            tabs = self._page.console_app.tabs
            places = (" ".join(tab.key for tab in tabs), ", ".join(tab.name for tab in tabs))
            for cap, does in (places, *_IN_LISTS):
                lines.append(Line(theme).add(f"  {cap}", "accent", "bold").to(17).add(does))
        return lines
