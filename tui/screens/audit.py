"""Audit: the log as it grows. It follows the newest event, or holds still while new ones wait below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from textual.app import ComposeResult
from textual.containers import Vertical

from mezite.clock import EPOCH
from mezite.errors import Invalid
from tui.drawing import Line
from tui.event_text import FIELDS, clock, facts, loudness, paragraphs
from tui.filters import Filter, Term, age, parse
from tui.keys import Key
from tui.messages import Entry
from tui.screens.page import STACKED_BELOW, Page
from tui.state import State
from tui.themes import Theme
from tui.widgets.drawn import Drawn
from tui.widgets.field import Field
from tui.widgets.rows import Kind, Rows


@dataclass(frozen=True, slots=True)
class Column:
    """`field` is what `=` and `-` compare; the last column takes the room that is left."""

    head: str
    noun: str
    field: str
    width: int
    wide_only: bool = False


COLUMNS: Final = (
    Column("TYPE", "type", "type", 24),
    Column("WHO", "user", "user", 19),
    Column("WHAT", "target", "what", 22),
    Column("FROM", "address", "from", 15, wide_only=True),
)
_TIME_AND_CODE: Final = 17


class Audit(Page):
    place = "Audit"

    def __init__(self) -> None:
        super().__init__()
        self._filter = Filter()
        self._column = 1
        self._shown: tuple[object, ...] = ()

    def body(self) -> ComposeResult:
        yield Field(
            id="filter",
            placeholder="all events   / to filter:  type:user.*  user:alice  level:warn  last:1h",
        )
        yield Drawn(self._head)
        rows: Rows[Entry] = Rows(
            Kind(lambda entry: str(entry.seq), self._row, self._empty), id="events", follow=True
        )
        yield rows
        with Vertical(id="event"):
            yield Drawn(self._event, classes="grow")

    @property
    def rows(self) -> Rows[Entry]:
        return self.query_one("#events", Rows)

    @property
    def column(self) -> Column:
        return COLUMNS[self._column]

    def to_list(self) -> None:
        self.set_focus(self.rows)

    def keys(self) -> Sequence[Key]:
        if isinstance(self.focused, Field):
            return [
                Key(("enter",), "to the list", self.to_list),
                Key(("escape",), "all events", self._clear),
            ]
        none = "" if self.rows.current else "No event is under the cursor."
        is_open = self.has_class("open")
        back = "close" if is_open else "all events"
        nothing = "" if is_open or self._filter else "Nothing is open or filtered."
        held = "hold" if self.rows.follow else "follow"
        narrow = none or ("" if self._value() else f"This event has no {self.column.noun}.")
        return [
            Key(("space",), held, self._hold_or_follow),
            Key(("enter",), "close" if is_open else "event", self._open_or_close, none),
            Key(("slash",), "filter", partial(self.to_field, "filter")),
            Key(("equals_sign",), f"only this {self.column.noun}", self._only, narrow),
            Key(("minus",), "without it", self._without, narrow),
            Key(("right",), "next column", lambda: self._step(1), in_footer=False),
            Key(("left",), "previous column", lambda: self._step(-1), in_footer=False),
            Key(("y",), "copy id", self._copy, none),
            Key(("escape",), back, self._back, nothing, in_footer=not nothing),
        ]

    def opened(self) -> None:
        self.set_focus(self.rows)

    def show(self, state: State) -> None:
        if state.events is None:
            return
        # A filter costs a look at every event: only when events or filter are others.
        wanted = (state.events, self._filter)
        if self._shown and self._shown[0] is wanted[0] and self._shown[1] == wanted[1]:
            return
        self._shown = wanted
        self.rows.show(self._matching(state.events) if self._filter else state.events)

    def on_rows_moved(self) -> None:
        rows = self.rows
        at_end = rows.index == len(rows.things) - 1
        # Whoever moves the cursor off the end wants to read: the list holds still from there.
        if rows.follow and not at_end:
            rows.follow = False
        self.redraw()

    def on_rows_opened(self) -> None:
        self._open_or_close()

    def on_input_changed(self, event: Field.Changed) -> None:
        try:
            self._filter = parse(event.value, FIELDS)
        except Invalid as fault:
            self.say(fault.message, "warn")
            return
        self.say("")
        self.show(self.state)
        self.redraw()

    def on_input_submitted(self) -> None:
        self.set_focus(self.rows)

    def strip_line(self, theme: Theme, width: int) -> Line:
        if self.state.events is None:
            return Line(theme)
        rows, last = self.rows, self.state.events[-1].seq if self.state.events else 0
        left = Line(theme)
        if self.state.link.lost_at:
            left.add(" ○ held: hub lost", "warn")
        elif rows.follow:
            left.add(" ● following", "ok")
        else:
            left.add(" ○ holding", "warn")
            below = len(rows.things) - 1 - rows.index
            left.add(f"   {below:,} below; Space follows" if below else "   Space follows", "muted")
        if self._filter:
            left.add("   only ", "muted").outside(str(self._filter), max(width - 70, 10), "accent")
        place = f"{rows.index + 1:,} of {len(rows.things):,} " if rows.things else ""
        right = Line(theme).add(f"{place}", "muted")
        if width >= STACKED_BELOW:
            right = Line(theme).add(place, "muted").add(f"  log at {last:,} ", "muted")
        return left.sides(right, width)

    def _matching(self, events: tuple[Entry, ...]) -> tuple[Entry, ...]:
        now = self.console_app.now()
        return tuple(
            entry
            for entry in events
            if self._filter.holds(facts(entry), age(entry.event.time if entry.event else EPOCH, now))
        )

    def _hold_or_follow(self) -> None:
        rows = self.rows
        rows.follow = not rows.follow
        if rows.follow:
            rows.move_to(len(rows.things) - 1)

    def _open_or_close(self) -> None:
        self.toggle_class("open")

    def _back(self) -> None:
        if self.has_class("open"):
            self.remove_class("open")
        else:
            self._clear()

    def _clear(self) -> None:
        self.query_one("#filter", Field).value = ""
        self.set_focus(self.rows)

    def _step(self, by: int) -> None:
        columns = _columns(self.size.width)
        self._column = (self._column + by) % len(columns)
        self.rows.refresh()

    def _value(self) -> str:
        return facts(self.rows.current).get(self.column.field, "") if self.rows.current else ""

    def _only(self) -> None:
        self._narrow(without=False)

    def _without(self) -> None:
        self._narrow(without=True)

    def _narrow(self, *, without: bool) -> None:
        narrowed = self._filter.narrowed(Term(self.column.field, self._value(), without))
        self.query_one("#filter", Field).value = str(narrowed)

    def _copy(self) -> None:
        entry = self.rows.current
        if entry and entry.event:
            self.console_app.copied(entry.event.id)

    def _head(self, theme: Theme, width: int, height: int) -> list[Line]:
        line = Line(theme).add("  TIME     CODE ", "muted").to(_TIME_AND_CODE + 2)
        for place, column in enumerate(_columns(width)):
            here = place == self._column
            end = line.width + _fit(column, width)
            line.add(column.head, "accent" if here else "muted", "bold" if here else "").to(end)
        return [line.add("DETAIL", "muted")]

    def _row(self, theme: Theme, entry: Entry, width: int, under_cursor: bool) -> Line:
        said, loud = facts(entry), loudness(entry)
        at = clock(entry.event.time, self.console_app.now()) if entry.event else ""
        line = Line(theme).add("▌ " if under_cursor else "  ", "accent").add(at, "muted").to(11)
        line.outside(said.get("code", ""), 7, loud or "muted", "bold" if loud else "")
        line.to(_TIME_AND_CODE + 2)
        for column in _columns(width):
            end = line.width + _fit(column, width)
            weight = "bold" if column.field == "user" else ""
            means = {"type": loud or "text", "from": "muted"}.get(column.field, "text")
            line.outside(said.get(column.field) or "-", end - line.width - 1, means, weight)
            line.to(end)
        return line.outside(said["detail"], width - line.width - 1, "muted")

    def _empty(self, theme: Theme) -> list[Line]:
        if reason := self.state.refused.get("audit"):
            return [
                Line(theme).add("  Your roles do not open the audit log."),
                Line(theme).add("  ").outside(reason, 70, "muted"),
            ]
        if self.state.events is None:
            return [Line(theme).add("  loading events", "muted")]
        return [Line(theme).add("  No event matches. Esc shows all.")]

    def _event(self, theme: Theme, width: int, height: int) -> list[Line]:
        entry = self.rows.current
        if entry is None:
            return []
        title = Line(theme).add(f" event {entry.seq:,} ", "text", "bold")
        lines = [title.add("─" * (width - title.width - 1), "line")]
        facts_of = paragraphs(entry)
        for name, value in facts_of[: height - 1]:
            line = Line(theme).add(" ").outside(name, 12, "muted").to(14)
            lines.append(line.outside(value, width - line.width - 1))
        left = len(facts_of) - (height - 1)
        if left > 0:
            lines[-1] = Line(theme).add(f" and {left + 1} facts more: mezctl audit ls --format json", "muted")
        return lines


def _columns(width: int) -> tuple[Column, ...]:
    return tuple(column for column in COLUMNS if width >= STACKED_BELOW or not column.wide_only)


def _fit(column: Column, width: int) -> int:
    """Columns are as wide as their usual content; on a small terminal two give way to the detail."""
    if width >= STACKED_BELOW:
        return column.width
    return {"type": 18, "user": 14, "what": 15}[column.field]
