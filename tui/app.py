"""The console itself: which screen is open, what is known, and the keys that work everywhere.

It owns the link and the state. News comes in, the reducer makes the next state, the open screen is shown it;
screens ask for things through `ask_*` and never see the link. One timer for all clocks, on the wall second.
"""

from __future__ import annotations

import locale
import threading
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import ClassVar, Final

from textual.app import App
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.theme import Theme as Sheet

from mezite.client.profile import Profile
from mezite.client.profiles import Profiles
from mezite.clock import Clock
from tui.keys import Key
from tui.link import Link
from tui.messages import LoginEnded, News
from tui.screens.access import Access
from tui.screens.audit import Audit
from tui.screens.keys_help import KeysHelp
from tui.screens.login import Login
from tui.screens.nodes import Nodes
from tui.screens.page import Page
from tui.screens.palette import Command, Palette
from tui.state import State, reduce
from tui.themes import THEMES, Theme
from tui.widgets.bars import Tab

TABS: Final = (Tab("5", "Nodes"), Tab("6", "Audit"), Tab("7", "Access"))
"""Numbers are the places' own and stay when others come."""


class Console(App[None], inherit_bindings=False):
    """`profile` is what to open on; without a login that holds, the login form opens first."""

    ENABLE_COMMAND_PALETTE = False
    CSS_PATH = Path(__file__).with_name("console.tcss")
    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+z", "suspend_process", show=False)]

    def __init__(self, profiles: Profiles, clock: Clock, theme: Theme, *, ascii_only: bool = False) -> None:
        self.look = theme
        super().__init__()
        self.ascii_only = ascii_only
        self.profiles = profiles
        self.clock = clock
        self.state = State()
        self.tabs = TABS
        self.link: Link | None = None
        self.animation_level = "none"
        self._places: dict[str, Page] = {}
        self._stop: threading.Event | None = None

    def leave_when(self, stop: threading.Event) -> None:
        """Quits within a second of `stop`: what a signal set."""
        self._stop = stop

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return self.look.variables()

    def on_mount(self) -> None:
        self._dress()
        self._places = {"Nodes": Nodes(), "Audit": Audit(), "Access": Access()}
        for name, page in self._places.items():
            self.install_screen(page, name)
        self.set_timer(1 - self.clock.now().microsecond / 1_000_000, self._first_tick)
        profile = self._profile()
        if profile and profile.login and profile.login.valid(self.now()):
            self.enter(profile)
        else:
            self.push_screen(Login(profile))

    def now(self) -> datetime:
        return self.clock.now()

    def enter(self, profile: Profile) -> None:
        """Follows the hub of this login, from an empty screen."""
        self.state = State()
        self.link = Link(profile.as_pass(), self.hear, self.clock)
        self.run_worker(self.link.run(), name="link to the hub", group="link", exclusive=True)
        self.go(TABS[0].name)

    def hear(self, news: News) -> None:
        """News of the link, on the loop of the console."""
        self.state = reduce(self.state, news)
        if isinstance(news, LoginEnded):
            self.workers.cancel_group(self, "link")
            self._close_all_above()
            self._open(Login(self._profile(), news.reason))
            return
        page = self.page
        if page is not None and page.is_open:
            page.show(self.state)
            page.redraw()

    @property
    def page(self) -> Page | None:
        """The page that is open, under whatever lies above it."""
        return next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)), None)

    def go(self, place: str) -> None:
        self._close_all_above()
        if self.page is self._places[place]:
            return
        self._open(self._places[place])

    def ask_about(self, node: str, login: str) -> None:
        """Opens Access on one node."""
        self.go("Access")
        access = self._places["Access"]
        assert isinstance(access, Access)
        access.prepare(node, login)

    def explain_keys(self) -> None:
        if isinstance(self.screen, Page):
            self.push_screen(KeysHelp(self.screen))

    def keys_everywhere(self, page: Page) -> list[Key]:
        """Keys that mean the same on every screen. They stand behind a screen's own in the footer."""
        if not page.place:
            return [
                Key(("f1",), "all keys", self.explain_keys, in_footer=False),
                Key(("ctrl+l",), "draw again", self.draw_again, in_footer=False),
                Key(("ctrl+c",), "", lambda: page.say("Esc quits."), in_footer=False, in_help=False),
            ]
        lost = self.state.link.lost_at is not None
        places = [
            Key((tab.key,), tab.name, partial(self.go, tab.name), in_footer=False, in_help=False)
            for tab in TABS
        ]
        return [
            Key(("R", "upper_r"), "try now", self.retry, "" if lost else "The hub is there."),
            Key(("colon", "ctrl+p"), "commands", self.command),
            Key(("q",), "quit", self.exit),
            *places,
            Key(("tab",), "", page.focus_next_part, in_footer=False, in_help=False),
            Key(("shift+tab",), "", partial(page.focus_next_part, -1), in_footer=False, in_help=False),
            Key(("question_mark", "f1"), "all keys", self.explain_keys, in_footer=False),
            Key(("ctrl+l",), "draw again", self.draw_again, in_footer=False),
            Key(("ctrl+c",), "", lambda: page.say("q quits."), in_footer=False, in_help=False),
        ]

    def command(self) -> None:
        commands = [Command(f"go to {tab.name}", tab.key, partial(self.go, tab.name)) for tab in TABS]
        commands += [
            Command(f"theme {theme.name}", "", partial(self.wear, theme)) for theme in THEMES.values()
        ]
        commands += [
            Command("keys of this screen", "?", self.explain_keys),
            Command("log in again", "", lambda: self._open(Login(self._profile()))),
            Command("draw again", "Ctrl+L", self.draw_again),
            Command("quit", "q", self.exit),
        ]
        self.push_screen(Palette(commands))

    def retry(self) -> None:
        if self.link:
            self.link.retry()

    def wear(self, theme: Theme) -> None:
        """Another theme, at once."""
        self.look = theme
        self._dress()
        for page in self._places.values():
            if page.is_open:
                page.refreshed()
        self.draw_again()

    def draw_again(self) -> None:
        self.refresh(layout=True)
        for widget in self.screen.walk_children():
            widget.refresh()

    def copied(self, what: str) -> None:
        """Puts a text on the terminal's clipboard, whole."""
        self.copy_to_clipboard(what)
        if self.page:
            self.page.say(f"Copied {what}")

    def _open(self, page: Screen[None]) -> None:
        if self.page is None:
            self.push_screen(page)
        else:
            self.switch_screen(page)

    def _close_all_above(self) -> None:
        while len(self.screen_stack) > 1 and not isinstance(self.screen, Page):
            self.pop_screen()

    def _profile(self) -> Profile | None:
        return self.profiles.active()

    def _first_tick(self) -> None:
        self.set_interval(1, self._tick)
        self._tick()

    def _tick(self) -> None:
        if self._stop is not None and self._stop.is_set():
            self.exit()
            return
        if self.page is not None and self.page.is_open:
            self.page.tick()

    def _dress(self) -> None:
        look = self.look
        sheet = Sheet(
            name=f"mezite-{look.name}",
            primary=look.accent,
            background=look.page,
            surface=look.bar,
            foreground=look.text,
            dark=look.dark,
            variables=look.variables(),
        )
        self.register_theme(sheet)
        self.theme = sheet.name


def locale_is_ascii() -> bool:
    """Whether this terminal's locale cannot show our signs."""
    return "utf" not in locale.getpreferredencoding(do_setlocale=False).lower()
