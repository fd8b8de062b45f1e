"""Access: may this user log in there, and which clause says so."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from textual.app import ComposeResult
from textual.containers import Container, Vertical

from mezite.errors import MeziteError
from tui.drawing import Line
from tui.explained import Answer, Clause, Question, answer, where
from tui.keys import Key
from tui.screens.page import Page
from tui.themes import Theme
from tui.widgets.drawn import Drawn, label
from tui.widgets.field import Field
from tui.widgets.rows import Kind, Rows

_ROLE, _RULE = 24, 22


class Access(Page):
    place = "Access"

    def __init__(self) -> None:
        super().__init__()
        self._answer: Answer | None = None
        self._prepared: tuple[str, str] | None = None

    def body(self) -> ComposeResult:
        with Container(classes="asking"):
            with Vertical(classes="first"):
                yield Drawn(label("WHO"))
                yield Field(id="who", placeholder="user", max_length=64)
            with Vertical():
                yield Drawn(label("LOGIN@NODE"))
                yield Field(id="where", placeholder="ubuntu@web-1", max_length=128)
            with Vertical():
                yield Drawn(label("AS IF ALSO IN ROLE"))
                yield Field(id="roles", placeholder="none", max_length=200)
        yield Drawn(self._headline, id="headline")
        yield Drawn(self._head)
        yield Rows(Kind(_key, _row, _none), id="clauses")

    @property
    def rows(self) -> Rows[tuple[int, Clause]]:
        return self.query_one("#clauses", Rows)

    def prepare(self, node: str, login: str) -> None:
        """Asks about a node: its name stands in the field, who it is about is asked."""
        self._prepared = (node, login)
        if self.is_open:
            self._take_prepared()

    def to_list(self) -> None:
        self.set_focus(self.rows)

    def keys(self) -> Sequence[Key]:
        if isinstance(self.focused, Field):
            return [
                Key(("enter",), "ask", self._ask),
                Key(("tab",), "next field", self.focus_next_part),
                Key(("shift+tab",), "previous field", lambda: self.focus_next_part(-1), in_footer=False),
                Key(("escape",), "to the clauses", self.to_list),
            ]
        none = "" if self._answer else "Nothing was asked yet."
        return [
            Key(("slash",), "ask", partial(self.to_field, "who")),
            Key(("plus",), "with a role", partial(self.to_field, "roles")),
            Key(("enter",), "ask again", self._ask, none),
            Key(("y",), "copy as command", self._copy, none),
        ]

    def opened(self) -> None:
        if self._prepared:
            self._take_prepared()
            return
        if self.state.person:
            self.query_one("#who", Field).value = self.state.person.name
        self.set_focus(self.rows)

    def on_input_submitted(self) -> None:
        self._ask()

    def strip_line(self, theme: Theme, width: int) -> Line:
        line = Line(theme)
        if self._answer:
            line.add(" The same at a prompt: ", "muted").outside(self._answer.question.command(), width - 24)
        return line

    def _take_prepared(self) -> None:
        assert self._prepared is not None
        node, login = self._prepared
        self._prepared = None
        self.query_one("#where", Field).value = f"{login}@{node}"
        who = self.query_one("#who", Field)
        if login and self.state.person:
            who.value = self.state.person.name
            self._ask()
            return
        at = self.query_one("#where", Field)
        self.set_focus(at)
        at.cursor_position = 0
        self.say(f"As which login on {node}? Write it before the @, and who it is about.")

    def _ask(self) -> None:
        login, node = where(self.query_one("#where", Field).value)
        user = self.query_one("#who", Field).value.strip()
        roles = tuple(self.query_one("#roles", Field).value.replace(",", " ").split())
        missing = [
            (name, field)
            for name, field, value in (("a user", "#who", user), ("LOGIN@NODE", "#where", login and node))
            if not value
        ]
        if missing:
            self.say(f"Write {' and '.join(name for name, _ in missing)}.", "warn")
            self.set_focus(self.query_one(missing[0][1], Field))
            return
        if self.state.link.lost_at:
            self.say("Not connected; nothing was asked.", "warn")
            return
        question = Question(user, login, node, roles)
        self.run_worker(self._asked(question), name="explanation", group="explanation", exclusive=True)

    async def _asked(self, question: Question) -> None:
        link = self.console_app.link
        if link is None:
            return
        try:
            said = await link.explain(question.user, question.login, question.node, question.roles)
        except MeziteError as error:
            self.say(error.message, "warn")
            return
        self._answer = answer(question, said)
        self.rows.show(tuple(enumerate(self._answer.clauses)))
        decided = [str(place) for place, each in enumerate(self._answer.clauses) if each.decided]
        if decided:
            self.rows.select(decided[0])
        self.set_focus(self.rows)
        self.say("")
        self.redraw()

    def _copy(self) -> None:
        if self._answer:
            self.console_app.copied(self._answer.question.command())

    def _headline(self, theme: Theme, width: int, height: int) -> list[Line]:
        found = self._answer
        if found is None:
            return [
                Line(theme),
                Line(theme).add("  Ask who may log in where: ").add("/", "accent", "bold").add(" and Enter."),
            ]
        asked = found.question
        place = f"{asked.login} on {asked.node}"
        line = Line(theme).add("  ")
        if found.allowed:
            line.add("✓ Yes. ", "ok", "bold")
            line.outside(f"{asked.user} may log in as {place}.", width - 12, "text", "bold")
        else:
            line.add("✗ No. ", "bad", "bold")
            line.outside(f"{asked.user} may not log in as {place}.", width - 12, "text", "bold")
        told = f"{found.summary[:1].upper()}{found.summary[1:]}."
        if asked.roles:
            told += f" As if {asked.user} were also in {', '.join(asked.roles)}."
        return [Line(theme), line, Line(theme).add("    ").outside(told, width - 6)]

    def _head(self, theme: Theme, width: int, height: int) -> list[Line]:
        if not self._answer or not self._answer.clauses:
            return [Line(theme)]
        role, rule = _ROLE, _RULE
        line = Line(theme).add("  ROLE", "muted").to(2 + role).add("CLAUSE", "muted").to(2 + role + rule)
        return [line.add("VERDICT", "muted").to(2 + role + rule + 20).add("WHY", "muted")]


def _key(numbered: tuple[int, Clause]) -> str:
    return str(numbered[0])


def _row(theme: Theme, numbered: tuple[int, Clause], width: int, under_cursor: bool) -> Line:
    clause = numbered[1]
    line = Line(theme).add("▌ " if under_cursor else "  ", "bad" if clause.verdict == "deny" else "accent")
    line.outside(clause.role or "above all roles", _ROLE - 1, "text", "bold").to(2 + _ROLE)
    line.outside(clause.rule, _RULE - 1).to(2 + _RULE + _ROLE)
    weight = "bold" if clause.decided else ""
    decided = " · decided" if clause.decided else ""
    match clause.verdict:
        case "allow":
            line.add("✓ ", "ok").add(f"allows{decided}", "ok" if clause.decided else "text", weight)
        case "deny":
            line.add("✗ ", "bad").add(f"{'DENIES' if clause.decided else 'denies'}{decided}", "bad", weight)
        case _:
            line.add("○ does not apply", "muted")
    line.to(2 + _ROLE + _RULE + 20)
    return line.outside(clause.reason, width - line.width - 1, "text" if clause.decided else "muted")


def _none(theme: Theme) -> list[Line]:
    return []
