"""Commands by name: some letters, and Enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from textual import events
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen

from tui.drawing import Line
from tui.themes import Theme
from tui.widgets.field import Field
from tui.widgets.rows import Kind, Rows


@dataclass(frozen=True, slots=True)
class Command:
    """`cap` is the key that does the same, if there is one."""

    name: str
    cap: str
    run: Callable[[], object]


def matching(commands: Sequence[Command], typed: str) -> tuple[Command, ...]:
    """Commands that have all the typed words in their names, in any order."""
    words = typed.casefold().split()
    return tuple(command for command in commands if all(word in command.name.casefold() for word in words))


class Palette(ModalScreen[None], inherit_bindings=False):
    AUTO_FOCUS = ""

    def __init__(self, commands: Sequence[Command]) -> None:
        super().__init__()
        self._commands = tuple(commands)

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Field(id="typed", placeholder="what to do; Enter does it, Esc leaves")
            yield Rows(Kind(lambda command: command.name, _row, _none), id="commands")

    def on_mount(self) -> None:
        self._rows.show(self._commands)
        self.set_focus(self.query_one("#typed", Field))

    @property
    def _rows(self) -> Rows[Command]:
        return self.query_one("#commands", Rows)

    def on_input_changed(self, event: Field.Changed) -> None:
        self._rows.show(matching(self._commands, event.value))

    def on_input_submitted(self) -> None:
        self._run()

    def on_rows_opened(self) -> None:
        self._run()

    def on_key(self, event: events.Key) -> None:
        steps = {"down": 1, "up": -1, "tab": 1, "shift+tab": -1}
        if event.key in steps:
            self._rows.move_to(self._rows.index + steps[event.key])
        elif event.key in ("escape", "ctrl+c"):
            self.dismiss()
        elif event.key == "enter":
            self._run()
        event.stop()

    def on_click(self, event: events.Click) -> None:
        if event.widget is self:
            self.dismiss()

    def _run(self) -> None:
        command = self._rows.current
        if command is not None:
            self.dismiss()
            # After the palette is gone: a command may open a screen of its own.
            self.app.call_later(command.run)


def _row(theme: Theme, command: Command, width: int, under_cursor: bool) -> Line:
    line = Line(theme).add("▌ " if under_cursor else "  ", "accent").add(command.name)
    return line.sides(Line(theme).add(f"{command.cap} ", "muted"), width)


def _none(theme: Theme) -> list[Line]:
    return [Line(theme).add("  no command has these words", "muted")]
