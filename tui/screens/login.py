"""The login form: on first start, after the login ran out, and on demand.

A hub that is not known yet shows its CA pin and nothing is sent to it before a person has agreed; what cannot
be accepted is said in one sentence that is the same for every reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from textual.app import ComposeResult
from textual.containers import Vertical

from mezite.client.contact import meet, parse_proxy
from mezite.client.login import Password, log_in
from mezite.client.profile import Profile
from mezite.client.profiles import Profiles
from mezite.clock import Clock
from mezite.errors import MeziteError, NotLoggedIn, OtpRequired
from tui.drawing import Line, wrapped
from tui.keys import Key
from tui.screens.page import Page
from tui.themes import Theme, Token
from tui.widgets.drawn import Drawn, label
from tui.widgets.field import Field


@dataclass(frozen=True, slots=True)
class Unknown:
    """A hub that was met for the first time, and what it says it is."""

    proxy: str
    cluster: str
    pins: tuple[str, ...]


class Unagreed(Exception):
    """Nobody has agreed to this hub yet."""

    def __init__(self, unknown: Unknown) -> None:
        super().__init__(unknown.proxy)
        self.unknown = unknown


def attempt(profiles: Profiles, clock: Clock, proxy: str, who: Password, agreed: Unknown | None) -> Profile:
    """One try, which waits for the network; raises `Unagreed` when the hub must be agreed to first."""
    address = parse_proxy(proxy)
    known = profiles.find(str(address))
    met: list[Unknown] = []

    def consent(cluster: str, pins: tuple[str, ...]) -> bool:
        met.append(Unknown(str(address), cluster, pins))
        return agreed == met[-1]

    try:
        contact = meet(address, known.hub if known else None, consent=consent)
    except MeziteError:
        if met and agreed != met[-1]:
            raise Unagreed(met[-1]) from None
        raise
    profile = log_in(contact, who, None, clock.now())
    profiles.save(profile)
    return profile


class Login(Page):
    help_cap = "F1"

    def __init__(self, profile: Profile | None, why: str = "") -> None:
        super().__init__()
        self._profile = profile
        self._agreed: Unknown | None = None
        self._asked: Unknown | None = None
        self._outcome: list[tuple[str, Token]] = [(why, "warn")] if why else []

    def body(self) -> ComposeResult:
        hub, login = (self._profile.hub, self._profile.login) if self._profile else (None, None)
        with Vertical(id="form"):
            yield Drawn(self._top, classes="top")
            yield Field(hub.proxy if hub else "", id="proxy", placeholder="mezite.example.com:3080")
            yield Drawn(label("USER", blank_above=True), classes="label")
            yield Field(login.user if login else "", id="user", placeholder="your name in Mezite")
            yield Drawn(label("PASSWORD", blank_above=True), classes="label")
            yield Field(id="password", password=True, max_length=1024)
            yield Drawn(
                label("SECOND FACTOR", "6 digits, or a recovery code", blank_above=True),
                classes="label hidden factor",
            )
            yield Field(id="otp", max_length=64, classes="hidden factor")
            yield Drawn(self._told, id="outcome")

    def keys(self) -> Sequence[Key]:
        return [
            Key(("enter",), "agree and log in" if self._asked else "log in", self._send),
            Key(("tab", "down"), "next field", self.focus_next_part),
            Key(("shift+tab", "up"), "previous field", lambda: self.focus_next_part(-1), in_footer=False),
            Key(("escape",), "quit", self.app.exit),
        ]

    def opened(self) -> None:
        empty = next((field for field in self.query(Field) if not field.value), None)
        if empty:
            self.set_focus(empty)

    def on_input_submitted(self) -> None:
        self._send()

    def on_input_changed(self, event: Field.Changed) -> None:
        if event.input.id == "proxy":
            self._asked = None

    def _value(self, name: str) -> str:
        return self.query_one(f"#{name}", Field).value

    def _send(self) -> None:
        for field in self.query(Field):
            if not field.value.strip() and not field.has_class("hidden"):
                self.set_focus(field)
                self._tell((f"○ {str(field.id).capitalize()} is missing.", "warn"))
                return
        if self._asked:
            self._agreed, self._asked = self._asked, None
        who = Password(self._value("user").strip(), self._value("password"), self._value("otp").strip())
        self._tell(("Asking the hub.", "muted"))
        self.run_worker(
            self._attempt(self._value("proxy").strip(), who), name="login", group="login", exclusive=True
        )

    async def _attempt(self, proxy: str, who: Password) -> None:
        app = self.console_app
        try:
            profile = await asyncio.to_thread(attempt, app.profiles, app.clock, proxy, who, self._agreed)
        except Unagreed as unagreed:
            self._show_unknown(unagreed.unknown)
        except OtpRequired:
            self._ask_for_code(failed=bool(who.otp))
        except NotLoggedIn as refused:
            code = " and the code" if who.otp else ""
            words = f"✗ Not accepted. Check the name, the password{code}."
            self._tell((words if refused.code != "damaged_profile" else f"✗ {refused.message}", "bad"))
        except MeziteError as error:
            self._tell((f"✗ {error.message}", "bad"))
        else:
            app.enter(profile)

    def _show_unknown(self, unknown: Unknown) -> None:
        self._asked = unknown
        self._tell(
            (f"○ {unknown.proxy} is new here. It says it is {unknown.cluster}, with the CA pin", "warn"),
            *((pin, "text") for pin in unknown.pins[:2]),
            ("Compare it with what mezctl status shows at the hub. Enter agrees.", "muted"),
        )

    def _ask_for_code(self, *, failed: bool) -> None:
        for hidden in self.query(".factor"):
            hidden.remove_class("hidden")
        self.set_focus(self.query_one("#otp", Field))
        if failed:
            self._tell(("✗ Not accepted. Check the name, the password and the code.", "bad"))
        else:
            self._tell(("○ The code of your second factor is asked for.", "warn"))

    def _tell(self, *sentences: tuple[str, Token]) -> None:
        self._outcome = list(sentences)
        self.redraw()

    def _top(self, theme: Theme, width: int, height: int) -> list[Line]:
        proxy = Line(theme).add("PROXY", "muted", "bold")
        if self._profile:
            proxy.sides(Line(theme).add("✓ host CA known", "ok"), width)
        return [
            Line(theme).add("mezite", "text", "bold"),
            Line(theme).add("Log in to see your nodes. No hub yet: mezite demo, or mezite up.", "muted"),
            Line(theme),
            proxy,
        ]

    def _told(self, theme: Theme, width: int, height: int) -> list[Line]:
        lines = [Line(theme)]
        for words, means in self._outcome:
            # A pin is compared letter by letter: it is split, never cut.
            pieces = wrapped(words, width) if " " in words else [words[:width], words[width:]]
            lines += [Line(theme).outside(piece, width, means) for piece in pieces if piece]
        return lines
