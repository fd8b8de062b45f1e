"""Nodes: who is there, and of the one under the cursor what one may do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from textual.app import ComposeResult
from textual.containers import Container, Vertical

from mezite.clock import rfc3339
from mezite.errors import Invalid
from tui.drawing import Line
from tui.filters import Filter, parse
from tui.keys import Key
from tui.messages import Node
from tui.screens.page import Page
from tui.state import State
from tui.themes import Theme
from tui.widgets.drawn import Drawn
from tui.widgets.field import Field
from tui.widgets.rows import Kind, Rows

FIELDS: Final = ("name", "status", "label", "login")
_NAME: Final = 24


def facts(node: Node) -> dict[str, str]:
    """What a filter may ask of a node."""
    return {
        "name": node.name,
        "status": "online" if node.online else "offline",
        "label": " ".join(f"{key}={value}" for key, value in node.labels),
        "login": " ".join(node.logins),
    }


class Nodes(Page):
    place = "Nodes"

    def __init__(self) -> None:
        super().__init__()
        self._filter = Filter()

    def body(self) -> ComposeResult:
        yield Field(
            id="filter", placeholder="all nodes   / to filter:  name:web-*  label:*env=production*  staging"
        )
        with Container(classes="split"):
            with Vertical(classes="left"):
                yield Drawn(_head)
                yield Rows(Kind(lambda node: node.id, _row, self._empty), id="nodes")
            yield Drawn(_rule, classes="rule")
            yield Drawn(self._pane, classes="pane")

    @property
    def rows(self) -> Rows[Node]:
        return self.query_one("#nodes", Rows)

    def to_list(self) -> None:
        self.set_focus(self.rows)

    def keys(self) -> Sequence[Key]:
        if isinstance(self.focused, Field):
            return [
                Key(("enter",), "to the list", self.to_list),
                Key(("escape",), "all nodes", self._clear),
            ]
        node = self.rows.current if self.is_open else None
        none = "" if node else "No node is under the cursor."
        reach = none or ("" if self.state.link.up else "not connected")
        return [
            Key(("r", "enter"), "who can reach it", self._reach, reach),
            Key(("slash",), "filter", partial(self.to_field, "filter")),
            Key(("y",), "copy name", self._copy, none),
            Key(
                ("escape",),
                "all nodes",
                self._clear,
                "" if self._filter else "No filter is set.",
                in_footer=bool(self._filter),
            ),
        ]

    def opened(self) -> None:
        self.set_focus(self.rows)

    def show(self, state: State) -> None:
        if state.nodes is not None:
            self.rows.show(tuple(node for node in state.nodes if self._filter.holds(_searched(node))))

    def on_rows_moved(self) -> None:
        self.redraw()

    def on_rows_opened(self) -> None:
        self._reach()

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
        nodes = self.state.nodes
        if nodes is None:
            return Line(theme)
        online = sum(node.online for node in nodes)
        left = Line(theme).add(" ● ", "ok").add(f"{online:,} online", "text")
        if online < len(nodes):
            left.add("   ○ ", "warn").add(f"{len(nodes) - online:,} offline")
        place = f"{self.rows.index + 1:,} of {len(self.rows.things):,} " if self.rows.things else ""
        return left.sides(Line(theme).add(place, "muted"), width)

    def _empty(self, theme: Theme) -> list[Line]:
        if reason := self.state.refused.get("nodes"):
            return [Line(theme).add("  ").outside(reason, 70, "warn")]
        if self.state.nodes is None:
            return [Line(theme).add("  loading nodes", "muted")]
        if self._filter:
            return [Line(theme).add("  No node matches. Esc shows all.")]
        return [
            Line(theme).add("  No node is here for you yet."),
            Line(theme).add("  An administrator joins one with: mezctl tokens create --roles=node", "muted"),
        ]

    def _pane(self, theme: Theme, width: int, height: int) -> list[Line]:
        node = self.rows.current
        if node is None:
            return [Line(theme).add(" No node under the cursor.", "muted")]
        parts = _short_parts if self.has_class("stacked") else _parts
        return _as_many_as_fit(parts(theme, node, width), height)

    def _reach(self) -> None:
        node = self.rows.current
        if node is not None:
            self.console_app.ask_about(node.name, node.logins[0] if node.logins else "")

    def _copy(self) -> None:
        if node := self.rows.current:
            self.console_app.copied(node.name)

    def _clear(self) -> None:
        self.query_one("#filter", Field).value = ""
        self.set_focus(self.rows)


def _searched(node: Node) -> Mapping[str, str]:
    return facts(node)


def _head(theme: Theme, width: int, height: int) -> list[Line]:
    return [Line(theme).add("    NODE", "muted").to(4 + _NAME).add("LABELS", "muted")]


def _rule(theme: Theme, width: int, height: int) -> list[Line]:
    if height == 1:
        return [Line(theme).add(" " + "─" * (width - 2), "line")]
    return [Line(theme).add("│", "line") for _ in range(height)]


def _row(theme: Theme, node: Node, width: int, under_cursor: bool) -> Line:
    line = Line(theme).add("▌ " if under_cursor else "  ", "accent")
    line.add("● ", "ok") if node.online else line.add("○ ", "warn")
    line.outside(node.name, _NAME - 1, "text" if node.online else "muted", "bold").to(4 + _NAME)
    labels = "  ".join(f"{key}={value}" for key, value in node.labels)
    return line.outside(labels, width - line.width - 1, "muted")


def _heading(theme: Theme, name: str, note: str, width: int) -> Line:
    line = Line(theme).add(f" {name}", "muted", "bold")
    return line.sides(Line(theme).add(f"{note} ", "muted"), width)


def _parts(theme: Theme, node: Node, width: int) -> list[list[Line]]:
    """The pane's groups, the most wanted first."""
    joined = rfc3339(node.joined_at) if node.joined_at else "unknown"
    about = [("id", node.id), ("joined", joined), ("version", node.version or "unknown")]
    if node.address:
        about.append(("from", node.address))
    return [
        [_title(theme, node, width)],
        _logins(theme, node, width),
        [
            _heading(theme, "LABELS", "roles match on these", width),
            *(_fact(theme, key, value, width) for key, value in node.labels),
            *([] if node.labels else [Line(theme).add("   none", "muted")]),
        ],
        [
            _heading(theme, "NODE", "", width),
            *(_fact(theme, name, value, width) for name, value in about),
        ],
        [
            _heading(theme, "REACH", "", width),
            Line(theme)
            .add("   r  ", "accent", "bold")
            .add("who can reach it")
            .add("   asks Access", "muted"),
        ],
    ]


def _title(theme: Theme, node: Node, width: int) -> Line:
    line = Line(theme).add(" ").outside(node.name, width - 14, "text", "bold").add("  ")
    return line.add("● online", "ok") if node.online else line.add("○ offline", "warn", "bold")


def _fact(theme: Theme, name: str, value: str, width: int) -> Line:
    line = Line(theme).add("   ").outside(name, 14, "muted").add(" ").to(18)
    return line.outside(value, width - line.width - 1)


def _logins(theme: Theme, node: Node, width: int) -> list[Line]:
    lines = [_heading(theme, "LOGINS", "that you may use here", width)]
    if not node.logins:
        return [*lines, Line(theme).add("   none").add("   your roles allow no login here", "muted")]
    for login in node.logins[:6]:
        line = Line(theme).add("   ").outside(login, 13, "bad" if login == "root" else "text", "bold").to(18)
        lines.append(line.outside(f"msh ssh {login}@{node.name}", width - line.width - 1, "muted"))
    if len(node.logins) > 6:
        lines.append(Line(theme).add(f"   and {len(node.logins) - 6} more", "muted"))
    return lines


def _short_parts(theme: Theme, node: Node, width: int) -> list[list[Line]]:
    """The same facts, a row each."""
    labels = "  ".join(f"{key}={value}" for key, value in node.labels) or "none"
    logins = " ".join(node.logins) or "none: your roles allow no login here"
    joined = rfc3339(node.joined_at) if node.joined_at else "unknown"
    about = f"joined {joined}" + (f" from {node.address}" if node.address else "")
    rows = [_title(theme, node, width)]
    for name, value in (("labels", labels), ("logins", logins), ("id", node.id), ("node", about)):
        rows.append(Line(theme).add(f" {name}", "muted").to(11).outside(value, width - 12))
    rows.append(Line(theme).add(" reach", "muted").to(11).add("r ", "accent", "bold").add("asks Access"))
    return [rows]


def _as_many_as_fit(parts: list[list[Line]], height: int) -> list[Line]:
    """Whole groups with a blank row between; what does not fit is left out from the end."""
    lines: list[Line] = []
    for part in parts:
        gap = [Line(part[0].theme)] if lines else []
        if lines and len(lines) + len(gap) + len(part) > height:
            break
        lines += gap + part
    return lines
