"""The screen: pyte's where pyte is right, the same however it is fed, and whole after a snapshot."""

from __future__ import annotations

import re
import unicodedata

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyte.charsets import VT100_MAP
from pyte.graphics import FG_BG_256
from wcwidth import wcwidth

from recordings.canvas import MAX_COLUMNS, MAX_ROWS
from recordings.screen import Cursor, Screen
from recordings.screenstate import MAX_CELL
from recordings.styles import PALETTE
from recordings.terminal import NARROW
from tests.support.terminal_corpus import KINDS, corpus


def shown(text: str | bytes, columns: int = 20, rows: int = 5) -> Screen:
    screen = Screen(columns, rows)
    screen.feed(text.encode() if isinstance(text, str) else text)
    return screen


def lines(text: str | bytes, columns: int = 20, rows: int = 5) -> list[str]:
    return [line.rstrip() for line in shown(text, columns, rows).display]


def cells(screen: Screen) -> list[list[object]]:
    return [[screen.cell(x, y) for x in range(screen.columns)] for y in range(screen.rows)]


# --- against stock pyte ---


@pytest.mark.parametrize("kind", [*KINDS, "mixed"])
@pytest.mark.parametrize(("columns", "rows"), [(120, 40), (80, 24), (37, 11)])
def test_the_corpus_gives_the_same_cells_as_pyte(kind: str, columns: int, rows: int) -> None:
    text = corpus(kind, 30_000)
    stock = pyte.Screen(columns, rows)
    pyte.Stream(stock).feed(text)
    screen = shown(text, columns, rows)
    for y in range(rows):
        assert [screen.cell(x, y) for x in range(columns)] == [stock.buffer[y][x] for x in range(columns)], y
    assert screen.cursor == Cursor(min(stock.cursor.x, columns - 1), stock.cursor.y, not stock.cursor.hidden)


# What both must agree on: text and sequences in which pyte has no known fault.
_agreed = st.one_of(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), min_size=1, max_size=30),
    st.text(st.sampled_from("aé→✓ñ日本"), min_size=1, max_size=4).filter(lambda text: len(text) < 4),
    st.sampled_from(
        ["\r\n", "\n", "\r", "\x1b[H", "\x1b[K", "\x1b[1K", "\x1b[2K", "\x1b[J", "\x1b[1J", "\x1b[2J"]
    ),
    st.sampled_from(
        ["\x1b[m", "\x1b[1m", "\x1b[31m", "\x1b[7;32m", "\x1b[38;5;99m", "\x1b[38;2;1;2;3;4m", "\x1b[22m"]
    ),
    st.builds("\x1b[{}{}".format, st.integers(0, 12), st.sampled_from("ABCDEFGPX@d")),
    st.builds("\x1b[{};{}H".format, st.integers(0, 12), st.integers(0, 40)),
)


@given(st.lists(_agreed, max_size=40))
@settings(max_examples=200)
def test_ordinary_output_gives_the_same_text_as_pyte(pieces: list[str]) -> None:
    # Wide characters at an edge and inserted or deleted lines are where pyte is known to be wrong.
    text = "".join(pieces).translate({ord("日"): None, ord("本"): None})
    stock = pyte.Screen(30, 8)
    pyte.Stream(stock).feed(text)
    assert shown(text, 30, 8).display == stock.display


def test_tables_are_those_of_pyte_and_wcwidth() -> None:
    assert list(PALETTE) == FG_BG_256
    screen = shown("\x1b(0" + "abcdefghijklmnopqrstuvwxyz", 30, 2)
    assert [screen.cell(n - 97, 0).data for n in range(97, 123)].count("─") == 1
    assert VT100_MAP[ord("q")] == "─" == screen.cell(ord("q") - 97, 0).data
    for character in re.findall(f"[{NARROW}]", "".join(map(chr, range(0x20, 0x3000)))):
        assert wcwidth(character) == 1, hex(ord(character))
        assert unicodedata.category(character) not in {"Mn", "Me", "Mc", "Cf", "Cc"}, hex(ord(character))


# --- the same however it is fed ---

_ESCAPES = "[ ] P _ ^ X k (0 )0 (B #8 7 8 D E H M c \\ %G ="
_SEQUENCES = "4h 4l 20h 20l 38:2::1:2:3m 4:3m 48;5;300m 9999b >4;1m"
_FINALS = "ABCDEFGHIJKLMPSTXZ@`abdefghlmnpqrstu"
_pieces = st.one_of(
    st.text(max_size=12),
    st.sampled_from("abc 日本語é\u0301\u200d\u26a1🔒👩"),
    st.sampled_from("\r\n\t\b\x07\x0e\x0f\x18\x1a\x1b\x7f\x84\x85\x88\x8d\x90\x9b\x9c\x9d\x9e\x9f"),
    st.builds("\x1b{}".format, st.sampled_from(_ESCAPES.split())),
    st.builds(
        "\x1b[{}{}{}".format,
        st.sampled_from(["", "?", ">", "=", "!", " "]),
        st.integers(0, 30),
        st.sampled_from(_FINALS),
    ),
    st.builds("\x1b[{};{}{}".format, st.integers(0, 9), st.integers(0, 30), st.sampled_from("Hfrm")),
    st.builds(
        "\x1b[?{}{}".format,
        st.sampled_from([3, 5, 6, 7, 25, 47, 1047, 1048, 1049, 2004]),
        st.sampled_from("hl"),
    ),
    st.builds("\x1b[{}".format, st.sampled_from(_SEQUENCES.split())),
    st.sampled_from(["\x1b]0;title\x07", "\x1bPq#0\x1b\\", "\x1b[1\n2H", "\x1b[12 q"]),
)
streams = st.lists(_pieces, max_size=30).map("".join)


def state(screen: Screen) -> bytes:
    return screen.snapshot()


@given(streams)
@settings(max_examples=300)
def test_a_stream_means_the_same_a_byte_at_a_time(text: str) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    whole, single = Screen(12, 5), Screen(12, 5)
    whole.feed(raw)
    for byte in raw:
        single.feed(bytes([byte]))
    assert state(whole) == state(single)


@given(streams, st.data())
@settings(max_examples=200)
def test_a_screen_goes_on_from_its_snapshot_as_if_nothing_had_been_between(
    text: str, data: st.DataObject
) -> None:
    raw = text.encode("utf-8", "surrogatepass")
    cut = data.draw(st.integers(0, len(raw)))
    whole, first = Screen(12, 5), Screen(12, 5)
    whole.feed(raw)
    first.feed(raw[:cut])
    second = Screen.restore(first.snapshot())
    assert cells(second) == cells(first)
    second.feed(raw[cut:])
    assert state(second) == state(whole)


@given(st.binary(max_size=300), st.integers(1, 9), st.integers(1, 5))
def test_any_bytes_leave_a_whole_screen(raw: bytes, columns: int, rows: int) -> None:
    screen = Screen(columns, rows)
    screen.feed(raw)
    check_whole(screen)


@given(streams, st.lists(st.tuples(st.integers(1, 20), st.integers(1, 9)), max_size=4))
def test_any_stream_and_any_resize_leave_a_whole_screen(text: str, sizes: list[tuple[int, int]]) -> None:
    screen = Screen(12, 5)
    for columns, rows in [*sizes, (12, 5)]:
        screen.feed(text.encode("utf-8", "surrogatepass"))
        check_whole(screen)
        screen.resize(columns, rows)
        check_whole(screen)
    assert cells(Screen.restore(screen.snapshot())) == cells(screen)


def check_whole(screen: Screen) -> None:
    assert len(screen.display) == screen.rows
    for y in range(screen.rows):
        row = [screen.cell(x, y).data for x in range(screen.columns)]
        for x, data in enumerate(row):
            wide = wcwidth(data[0]) == 2 if data else False
            assert len(data) <= MAX_CELL
            assert not wide or (x + 1 < screen.columns and row[x + 1] == ""), row
            assert data != "" or (x > 0 and wcwidth(row[x - 1][0]) == 2), row
    assert 0 <= screen.cursor.x < screen.columns
    assert 0 <= screen.cursor.y < screen.rows


# --- what changed ---


@given(streams)
def test_rows_that_are_not_dirty_did_not_change(text: str) -> None:
    screen = Screen(12, 5)
    screen.feed(b"one\r\ntwo\r\nthree\r\nfour\r\nfive")
    before = [screen.runs(y) for y in range(5)]
    screen.take_dirty()
    screen.feed(text.encode("utf-8", "surrogatepass"))
    dirty = screen.take_dirty()
    for y in range(5):
        assert y in dirty or screen.runs(y) == before[y]
    assert screen.take_dirty() == frozenset()


def test_typing_touches_one_row() -> None:
    screen = shown("a\r\nb\r\n")
    screen.take_dirty()
    screen.feed(b"x\x1b[31my")
    assert screen.take_dirty() == {2}


# --- what pyte has not ---


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("main\x1b[?1049halt\x1b[?1049l!", ["main!"]),
        ("main\x1b[?1047h\x1b[Halt\x1b[?1047l!", ["maina"[:3] + "!"]),
        ("ab\x1b[?1049h", []),
        ("1\r\n2\r\n3\x1b[2S", ["3"]),
        ("1\r\n2\r\n3\x1b[T", ["", "1", "2", "3"]),
        ("ab\x1b[3b", ["abbbb"]),
        ("x\x1b[9999b", ["x" * 20]),
        ("\x1b]0;title\x07a\x1b]52;c;aGk=\x1b\\b", ["ab"]),
        ("a\x1bPq#0;2;0\x07;0\x1b\\b\x1b_G\x07x\x1b\\c", ["abc"]),
        ("c\x1b^p\x1b\\d\x1bXs\x1b\\e\x1bkscreen\x1b\\f", ["cdef"]),
        ("a\x1b[>4;1mb\x1b[?1mc\x1b[=5nd", ["abcd"]),
        ("a\x1b[!pb\x1b[1 qc\x1b[?1$pd", ["abcd"]),
        ("\x1b(0lqk\x1b(B lqk", ["┌─┐ lqk"]),
        ("\x1b)0a\x0eq\x0fq", ["a─q"]),
        ("日本\x1b[1;2Hx", [" x本"]),
        ("日本\x1b[1;3Hx", ["日x"]),
        ("x" * 19 + "日", ["x" * 19, "日"]),
        ("e\u0301\u200b!", ["é\u200b!"]),
        ("⚠\ufe0f text goes on", ["⚠\ufe0f text goes on"]),
        ("\u0301x", ["x"]),
        ("a\x1b[3J", ["a"]),
        ("\x1b[2;3r\x1b[5;1Hlow\n\n\rstill", ["", "", "", "", "still"]),
        ("ab\x1b[sxyz\x1b[uX", ["abXyz"]),
        ("\tA\x1b[ZB", ["        B"]),
        ("\x1b[2IA", [" " * 16 + "A"]),
    ],
)  # fmt: skip
def test_what_programs_expect(text: str, expected: list[str]) -> None:
    assert lines(text)[: len(expected)] == expected
    assert all(line == "" for line in lines(text)[len(expected) :])


def test_colours_and_flags_reach_the_cells() -> None:
    screen = shown("\x1b[1;2;3;4;5;7;9;38:2::255:128:0;48;5;196mx\x1b[m\x1b[8;53;92;105my", 4, 1)
    (x, style), (y, other), _ = screen.runs(0)
    assert (x, y) == ("x", "y")
    assert style[:2] == ("ff8000", "ff0000")
    assert (style.bold, style.dim, style.italics, style.underscore, style.blink) == (True,) * 5
    assert (style.reverse, style.strikethrough, style.conceal, style.overline) == (True, True, False, False)
    assert (other.fg, other.bg, other.conceal, other.overline) == ("brightgreen", "brightmagenta", True, True)


@pytest.mark.parametrize(
    "sequence",
    [
        "38;5;256",
        "38;2;1;2;300",
        "38;2;1",
        "38;5",
        "38",
        "48:2:1:2",
        "38:5:x",
        "58;2;1;2;3",
        "58:5:1",
        "999",
        "4:",
        ":",
    ],
)
def test_a_colour_that_is_none_changes_nothing(sequence: str) -> None:
    style = shown(f"\x1b[31m\x1b[{sequence}mx", 2, 1).runs(0)[0][1]
    assert (style.fg, style.bg, style.blink) == ("red", "default", False)


def test_erasing_takes_the_background_and_nothing_else() -> None:
    screen = shown("\x1b[4;7;41mab\x1b[K", 4, 1)
    assert (screen.cell(3, 0).bg, screen.cell(3, 0).underscore, screen.cell(3, 0).reverse) == (
        "red",
        False,
        False,
    )


def test_reverse_screen_shows_in_every_cell() -> None:
    screen = shown("a\x1b[?5h", 2, 1)
    assert screen.is_reversed
    assert screen.cell(0, 0).reverse
    assert screen.cell(1, 0).reverse


@pytest.mark.parametrize(("columns", "rows"), [(0, 0), (-5, 1), (10**9, 10**9)])
def test_a_size_is_brought_into_bounds(columns: int, rows: int) -> None:
    screen = Screen(columns, rows)
    assert 1 <= screen.columns <= MAX_COLUMNS
    assert 1 <= screen.rows <= MAX_ROWS
    screen.resize(columns, rows)
    assert (screen.columns, screen.rows) == (Screen(columns, rows).columns, Screen(columns, rows).rows)


def test_a_smaller_screen_keeps_the_cursors_row() -> None:
    screen = shown("1\r\n2\r\n3\r\n4", 10, 6)
    screen.resize(10, 4)
    assert [line.strip() for line in screen.display] == ["1", "2", "3", "4"]
    screen.resize(1, 2)
    assert screen.display == ["3", "4"]
    assert screen.cursor.y == 1
    screen.resize(3, 3)
    assert screen.display == ["3  ", "4  ", "   "]


def test_hostile_output_stays_bounded() -> None:
    screen = Screen(80, 24)
    screen.feed(b"\x1b[" + b"1;" * 200_000 + b"m" + b"\x1b]0;" + b"x" * 300_000)
    screen.feed(b"\x07" + "a\u0301".encode() + "\u0301".encode() * 10_000)
    screen.feed(
        b"".join(b"\x1b[38;2;%d;%d;%dmx" % (n & 255, n >> 8 & 255, n >> 4 & 255) for n in range(20_000))
    )
    screen.feed(b"".join(b"\x1b[%d;%dH" % (n % 300, n % 500) for n in range(20_000)))
    assert len(screen._rack._pens) <= 1024
    assert len(screen._acts) <= 4096
    assert len(screen.snapshot()) < 20_000
