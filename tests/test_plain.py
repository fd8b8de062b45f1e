"""Nothing that a terminal obeys gets through, and nothing that is plain is changed."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.plain import cut, plain, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("web-server-01", "web-server-01"),
        ("näive 日本", "näive 日本"),
        ("\x1b[2J", "^[[2J"),
        ("a\nb\r\t\0", "a^Jb^M^I^@"),
        ("\x7f", "^?"),
        ("\x9b31m", "<U+009B>31m"),
        ("user\u202egnp.exe", "user<U+202E>gnp.exe"),
        ("zero\u200bwidth", "zero<U+200B>width"),
        ("line\u2028end", "line<U+2028>end"),
        ("\U000e0041", "<U+E0041>"),
        ("\ud800", "<U+D800>"),
    ],
)
def test_what_acts_is_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


@given(st.text())
def test_nothing_that_acts_or_hides_survives(text: str) -> None:
    for letter in plain(text):
        assert unicodedata.category(letter) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


@given(st.text())
def test_what_is_plain_stays(text: str) -> None:
    assert plain(plain(text)) == plain(text)


@given(st.text(), st.integers(1, 40))
def test_cut_text_fits(text: str, columns: int) -> None:
    shown = cut(plain(text), columns)
    assert width(shown) <= columns
    assert shown == plain(text) or shown.endswith("…")


def test_wide_letters_take_two_columns() -> None:
    assert width("日本") == 4
    assert width("e\u0301") == 1
    assert cut("日本語", 4) == "日…"
