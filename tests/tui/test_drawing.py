"""Lines of exact width, whatever is written in them, and nothing in them that a terminal obeys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tui.drawing import ASCII_TWINS, Line, cut, shown, wrapped
from tui.themes import DARK, THEMES, Theme


@given(st.text(max_size=60), st.integers(1, 40))
def test_a_line_is_as_wide_as_asked_and_only_draws(text: str, width: int) -> None:
    segments = Line(DARK).outside(text, 500).segments(width)
    assert sum(cell_len(segment.text) for segment in segments) == width
    assert "".join(segment.text for segment in segments).isprintable()


@given(st.text(max_size=40), st.integers(0, 30))
def test_a_cut_never_exceeds_its_width_and_says_that_it_is_one(text: str, width: int) -> None:
    short = cut(text, width)
    assert cell_len(short) <= width
    assert short == text or not width or short.endswith("…")


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("\x1b[2J", "^["), ("\x07", "^G"), ("\x7f", "^?"), ("\n", "^J"),
        ("\u202eevil", "<U+202E>"), ("\x9b", "<U+009B>"),
    ],
)  # fmt: skip
def test_what_a_terminal_would_obey_is_shown_in_amber(text: str, sign: str) -> None:
    line = Line(DARK).outside(f"a{text}b", 40)
    assert (sign, DARK.warn) in line.pieces
    assert line.plain().isprintable()


@given(st.text(max_size=80))
def test_signs_lose_no_printable_letter(text: str) -> None:
    kept = "".join(piece for piece, harmless in shown(text) if harmless)
    assert kept == "".join(letter for letter in text if letter.isprintable())


def test_wide_letters_keep_the_columns() -> None:
    line = Line(DARK).outside("決済バッチの再実行", 10).to(12).add("x")
    assert line.plain().startswith("決済バッ…")
    assert line.width == 13


def test_an_endless_value_costs_what_a_short_one_does() -> None:
    line = Line(DARK).outside("\x1b" * 10_000_000, 20)
    assert line.width == 20


def test_each_sign_has_a_twin_of_one_cell() -> None:
    assert all(len(twin) == 1 and twin.isascii() for twin in map(chr, _codes()))


def _codes() -> list[int]:
    return [code if isinstance(code, int) else ord(str(code)) for code in ASCII_TWINS.values()]


@pytest.mark.parametrize("theme", THEMES.values(), ids=lambda theme: theme.name)
def test_a_selected_row_has_one_ground_over_its_whole_width(theme: Theme) -> None:
    line = Line(theme).add("a", "ok").add("b", "bad").select(10, focused=True)
    assert line.width == 10
    grounds = {"reverse" if "reverse" in style else style.partition(" on ")[2] for _, style in line.pieces}
    assert grounds == {theme.selected if theme.hues else "reverse"}


def test_sentences_break_between_words() -> None:
    assert wrapped("one two three", 7) == ["one two", "three"]
