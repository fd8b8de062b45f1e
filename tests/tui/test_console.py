"""The console by its keys: at three sizes and in four themes, on news told by hand."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len
from textual.pilot import Pilot

from mezite.audit.events import Event, Kind
from mezite.errors import Denied
from tests.support.console import NOW, TestConsole, events, nodes, opened, shown, usual
from tui.messages import (
    Entry,
    EventsCame,
    LinkLost,
    LinkUp,
    LoginEnded,
    Node,
    NodesRead,
    ReadingRefused,
)
from tui.screens.access import Access
from tui.screens.audit import Audit
from tui.screens.keys_help import KeysHelp
from tui.screens.login import Login
from tui.screens.nodes import Nodes
from tui.screens.palette import Palette
from tui.themes import DARK, LIGHT, THEMES, Theme, contrast_ratio
from tui.widgets.field import Field

SIZES = [(80, 24), (120, 36), (200, 60)]
PLACES = {"Nodes": "5", "Audit": "6", "Access": "7"}


def text(app: TestConsole) -> str:
    return "\n".join(shown(app))


def top(app: TestConsole) -> type:
    """What kind of screen lies above all others."""
    return type(app.screen)


async def press(pilot: Pilot[None], *keys: str) -> None:
    for key in keys:
        await pilot.press(key)
    await pilot.pause()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("place", PLACES)
async def test_a_place_fills_the_terminal_exactly(tmp_path: Path, size: tuple[int, int], place: str) -> None:
    async with opened(tmp_path, size) as (app, pilot):
        await press(pilot, PLACES[place])
        rows = shown(app)
        assert len(rows) == size[1]
        assert {cell_len(row) for row in rows} == {size[0]}
        assert place in rows[0]
        assert rows[-1].rstrip().endswith("keys")


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
@pytest.mark.parametrize("keys", [("5",), ("6", "enter"), ("5", "r"), ("6", "slash"), ("question_mark",)])
async def test_every_drawn_text_stands_out_from_its_ground(
    tmp_path: Path, theme: Theme, keys: tuple[str, ...]
) -> None:
    async with opened(tmp_path, (120, 36), theme) as (app, pilot):
        await press(pilot, *keys)
        # Below a dialog everything is dimmed on purpose: only the dialog itself has to be read.
        below = [] if isinstance(app.screen, KeysHelp) else app._background_screens
        screen = app.screen.query_one("#keys") if isinstance(app.screen, KeysHelp) else app.screen
        update = app.screen._compositor.render_update(full=True, screen_stack=below, simplify=False)
        region, pairs = screen.region, set()
        for y, strip in enumerate(update.strips):  # type: ignore[union-attr]  # a full update has strips
            x = 0
            for segment in (segment for part in strip for segment in part):
                words, style = segment.text, segment.style
                if words.strip(" ─│▌") and style and region.contains(x, y):
                    assert style.color is not None
                    assert style.bgcolor is not None
                    pair = (style.color.get_truecolor().hex, style.bgcolor.get_truecolor().hex)
                    pairs.add(pair)
                x += cell_len(words)
        assert pairs
        assert not {pair for pair in pairs if contrast_ratio(*pair) < 4.5}


@pytest.mark.parametrize("size", [(79, 24), (80, 23), (20, 5)])
async def test_a_terminal_that_is_too_small_says_what_is_needed_and_nothing_else(
    tmp_path: Path, size: tuple[int, int]
) -> None:
    async with opened(tmp_path, size) as (app, _):
        said = [row.strip() for row in shown(app) if row.strip()]
        assert len(said) == 1
        assert said[0].startswith("80x24 needed, th")


@pytest.mark.parametrize("place", PLACES)
async def test_each_key_of_the_footer_is_in_the_table_once_and_can_be_pressed(
    tmp_path: Path, place: str
) -> None:
    async with opened(tmp_path, (200, 60)) as (app, pilot):
        await press(pilot, PLACES[place])
        page = app.page
        assert page is not None
        names = [name for key in page.all_keys() for name in key.press]
        assert len(names) == len(set(names))
        footer = shown(app)[-1]
        for key in page.all_keys():
            if key.in_footer and not key.why_not:
                assert f"{key.cap} {key.does}" in footer


async def test_the_cursor_holds_a_node_and_not_a_row(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "j", "j")
        page = app.page
        assert isinstance(page, Nodes)
        before = page.rows.index - page.rows.top
        assert page.rows.current == nodes()[2]
        first = Node("5f1c2a3b-0000-4000-8000-999999999999", "aaa-1", online=True)
        app.hear(NodesRead((*nodes(), first)))
        await pilot.pause()
        assert page.rows.current == nodes()[2]
        assert page.rows.index == 3
        assert page.rows.index - page.rows.top in (before, before + 1)
        app.hear(NodesRead(tuple(node for node in nodes() if node.name != "k8s-cp-1")))
        await pilot.pause()
        assert page.rows.current is not None
        assert page.rows.current.name == "web-server-01"


async def test_ten_thousand_rows_are_never_all_built(tmp_path: Path) -> None:
    many = tuple(Node(f"id-{number:05}", f"n-{number:05}", online=True) for number in range(10_000))
    async with opened(tmp_path) as (app, pilot):
        app.hear(NodesRead(many))
        page = app.page
        assert isinstance(page, Nodes)
        page.rows.built = 0
        await press(pilot, "end", *["pageup"] * 20)
        assert "n-09" in text(app)
        assert page.rows.built < 22 * 40 * 3


async def test_nodes_are_filtered_as_one_types_and_a_fault_is_told(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "slash", *"db", "enter")
        page = app.page
        assert isinstance(page, Nodes)
        assert [node.name for node in page.rows.things] == ["db-1", "db-2"]
        await press(pilot, "escape")
        assert len(page.rows.things) == 6
        await press(pilot, "slash", *"color:red")
        assert '"color" is no field here' in text(app)
        await press(pilot, "escape")
        assert isinstance(app.focused, type(page.rows))


async def test_the_tail_follows_until_the_cursor_leaves_the_end(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "6")
        page = app.page
        assert isinstance(page, Audit)
        app.hear(EventsCame(events(2, 41)))
        await pilot.pause()
        assert page.rows.cursor == "42"
        assert "● following" in text(app)
        await press(pilot, "k", "k")
        app.hear(EventsCame(events(5, 43)))
        await pilot.pause()
        assert page.rows.cursor == "40"
        assert "○ holding   7 below" in text(app)
        await press(pilot, "space")
        assert page.rows.cursor == "47"


async def test_an_event_opens_below_and_a_column_narrows(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "6", "enter")
        assert "event 40" in text(app)
        await press(pilot, "escape", "k", "equals_sign")
        page = app.page
        assert isinstance(page, Audit)
        users = {entry.event.user for entry in page.rows.things if entry.event}
        assert users == {"p.novak"}
        await press(pilot, "minus")
        assert page.query_one("#filter", Field).value == "-user:p.novak"
        await press(pilot, "escape", "right", "equals_sign")
        assert page.query_one("#filter", Field).value.startswith("what:")


async def test_an_explanation_puts_the_cursor_on_what_decided(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "r")
        assert app.fake.asked == [("dana.r", "postgres", "db-1", ())]
        assert "✗ No. dana.r may not log in as postgres on db-1." in text(app)
        page = app.page
        assert isinstance(page, Access)
        assert page.rows.current is not None
        assert page.rows.current[1].decided
        await press(pilot, "plus", *"admin", "enter")
        assert app.fake.asked[-1] == ("dana.r", "postgres", "db-1", ("admin",))
        app.fake.answer = Denied("you may not ask about others")
        await press(pilot, "slash", "ctrl+a", "ctrl+k", *"bob", "enter")
        assert "you may not ask about others" in text(app)


async def test_a_question_that_is_not_whole_says_what_is_missing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "7", "slash", "ctrl+a", "ctrl+k", "enter")
        assert "Write a user and LOGIN@NODE." in text(app)
        assert app.fake.asked == []


async def test_a_lost_hub_is_said_what_was_shown_stays_and_nothing_is_asked(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        app.hear(LinkLost(NOW - timedelta(seconds=42), "refused"))
        await pilot.pause()
        assert "Hub lost 42 s ago. What you see is from 02:14:05." in shown(app)[1]
        assert "web-server-01" in text(app)
        await press(pilot, "R")
        assert app.fake.retries == 1
        await press(pilot, "7", "slash", "tab", *"ubuntu@db-1", "enter")
        assert "Not connected; nothing was asked." in text(app)
        assert app.fake.asked == []
        app.hear(LinkUp(NOW))
        await pilot.pause()
        assert "Hub lost" not in text(app)


async def test_the_band_counts_with_the_clock(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        app.hear(LinkLost(NOW, "refused"))
        app.still.moment = NOW + timedelta(seconds=7)
        assert app.page is not None
        app.page.tick()
        await pilot.pause()
        assert "Hub lost 7 s ago" in text(app)
        assert "02:14:14 UTC" in text(app)


async def test_a_tick_without_change_draws_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        page = app.page
        assert isinstance(page, Nodes)
        page.tick()
        await pilot.pause()
        page.rows.built = 0
        page.tick()
        await pilot.pause()
        assert page.rows.built == 0


EVIL = "a\x1b[2J\x1b]0;x\x07\u202e決\u0301[bold]b"


async def test_text_from_outside_is_shown_and_never_obeyed(tmp_path: Path) -> None:
    bad = Node("id-1", EVIL, online=True, labels=((EVIL, EVIL),), logins=(EVIL,), version=EVIL, address=EVIL)
    event = Event(id="e", time=NOW, kind=Kind.ACCESS_DENIED, user=EVIL, reason=EVIL, node=EVIL, login=EVIL)
    news = (NodesRead((bad,)), EventsCame((Entry(1, event), Entry(2, None, EVIL))), LinkUp(NOW))
    async with opened(tmp_path, (120, 36), DARK, *news) as (app, pilot):
        for keys in (("5",), ("6", "k", "enter"), ("j",), ("question_mark",)):
            await press(pilot, *keys)
            rows = shown(app)
            assert all(row.isprintable() for row in rows)
            assert {cell_len(row) for row in rows} == {120}
        await press(pilot, "escape", "5")
        assert "^[" in text(app)


async def test_help_and_palette_can_always_be_left(tmp_path: Path) -> None:
    async with opened(tmp_path, (80, 24)) as (app, pilot):
        await press(pilot, "question_mark")
        assert top(app) is KeysHelp
        await press(pilot, "escape", "colon")
        assert top(app) is Palette
        await press(pilot, "escape")
        assert top(app) is Nodes
        await press(pilot, "colon", *"light", "enter")
        assert app.look is LIGHT
        await press(pilot, "colon", *"audit", "enter")
        assert top(app) is Audit


async def test_ctrl_q_does_nothing_and_q_quits_from_a_place(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "ctrl+q", "ctrl+c")
        assert "q quits." in text(app)
        assert app.is_running
        await press(pilot, "slash", "q")
        assert app.is_running
        await press(pilot, "escape", "q")
        assert app.return_value is None
        assert not app.is_running or app._exit


async def test_tabs_rows_and_footer_can_be_clicked(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        column = shown(app)[0].index("Audit")
        await pilot.click(offset=(column, 0))
        await pilot.pause()
        assert isinstance(app.page, Audit)
        await pilot.click(offset=(10, 5))
        await pilot.pause()
        assert app.page.rows.index == app.page.rows.top + 2
        column = shown(app)[-1].index("Enter")
        await pilot.click(offset=(column, 35))
        await pilot.pause()
        assert app.page.has_class("open")


async def test_a_refused_place_says_so(tmp_path: Path) -> None:
    news = (*usual()[:2], ReadingRefused("audit", "no role of yours lists audit"), LinkUp(NOW))
    async with opened(tmp_path, (120, 36), DARK, *news) as (app, pilot):
        await press(pilot, "6")
        assert "Your roles do not open the audit log." in text(app)


async def test_signs_have_twins_where_the_locale_is_not_utf_8(tmp_path: Path) -> None:
    async with opened(tmp_path, ascii_only=True) as (app, _):
        assert all(row.isascii() for row in shown(app))


async def test_a_login_that_ended_opens_the_form_over_everything(tmp_path: Path) -> None:
    async with opened(tmp_path) as (app, pilot):
        await press(pilot, "question_mark")
        app.hear(LoginEnded("the login has run out"))
        await pilot.pause()
        assert isinstance(app.screen, Login)
        assert "the login has run out" in text(app)


@pytest.mark.parametrize("size", SIZES)
async def test_the_first_start_asks_who_one_is(tmp_path: Path, size: tuple[int, int]) -> None:
    app = TestConsole(tmp_path)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        assert isinstance(app.screen, Login)
        assert "mezite demo" in text(app)
        assert app.focused is not None
        assert app.focused.id == "proxy"
        await press(pilot, "enter")
        assert "○ Proxy is missing." in text(app)
        await press(pilot, *"not an address", "tab", *"dana", "tab", *"secret", "enter")
        await app.workers.wait_for_complete()
        await pilot.pause()
        assert "is not an address" in text(app)
        assert "secret" not in text(app)
