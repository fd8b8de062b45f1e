"""A screen drawn anew is the same, goes on the same, and uses nothing a watcher may not be sent."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.repaint import repaint, sgr
from recordings.sanitize import Sanitizer
from recordings.screen import Screen
from recordings.styles import PLAIN, Style, restyle
from tests.support.terminal_corpus import corpus

_pieces = st.one_of(
    st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=12).map(lambda t: Sanitizer().write(t)),
    st.sampled_from(["abc", "日本語", "e\u0301", "🔒", "\r\n", "\n", "\t", "\b", "\r", "\x0e", "\x0f"]),
    st.builds("\x1b{}".format, st.sampled_from(["(0", ")0", "(B", "7", "8", "D", "H", "M", "c"])),
    st.builds("\x1b[{};{}{}".format, st.integers(0, 6), st.integers(0, 14), st.sampled_from("Hr")),
    st.builds("\x1b[{}{}".format, st.integers(0, 9), st.sampled_from("ABCDJKLMPSTX@g")),
    st.builds("\x1b[?{}{}".format, st.sampled_from([5, 6, 7, 25, 1049]), st.sampled_from("hl")),
    st.builds(
        "\x1b[{}m".format, st.sampled_from(["31", "1;44", "7", "38;5;99", "48;2;1;2;3", "0", "8;9;53", "95"])
    ),
    st.sampled_from(["\x1b[4h", "\x1b[4l", "\x1b[20h", "\x1b[20l"]),
)
streams = st.lists(_pieces, max_size=25).map("".join)


def picture(screen: Screen) -> object:
    cells = [[screen.cell(x, y) for x in range(screen.columns)] for y in range(screen.rows)]
    return screen.cursor, screen.is_alternate, screen.is_reversed, cells


@given(streams, streams)
@settings(max_examples=400)
def test_a_drawn_screen_is_the_same_and_goes_on_the_same(before: str, after: str) -> None:
    session, watcher = Screen(12, 5), Screen(12, 5)
    session.write(before)
    watcher.feed(b"something else \x1b[7;44m\x1b[2;3r\x1b[4h\x1b[?6h")
    watcher.feed(repaint(session))
    assert picture(watcher) == picture(session)
    # What REP and a joiner would repeat or join is the one thing a terminal cannot be told.
    session.write("\r" + after)
    watcher.write("\r" + after)
    assert picture(watcher) == picture(session)


@given(streams)
def test_it_uses_only_what_the_sanitizer_passes(text: str) -> None:
    screen = Screen(12, 5)
    screen.write(text)
    drawn = repaint(screen)
    assert Sanitizer().feed(drawn) == drawn


@pytest.mark.parametrize("kind", ["listing", "log", "editor"])
def test_ordinary_screens_are_drawn_in_little(kind: str) -> None:
    session, watcher = Screen(120, 40), Screen(120, 40)
    session.feed(corpus(kind, 30_000).encode())
    drawn = repaint(session)
    watcher.feed(drawn)
    assert picture(watcher) == picture(session)
    assert len(drawn) < 20_000


@given(
    st.builds(
        Style,
        st.sampled_from(["default", "red", "brightblue", "brown", "0a0b0c"]),
        st.sampled_from(["default", "black", "brightbrown", "ffffff"]),
        *[st.booleans()] * 9,
    )
)
def test_a_style_is_said_and_understood(style: Style) -> None:
    assert restyle(PLAIN._replace(bold=True, fg="cyan"), sgr(style)[2:-1]) == style
