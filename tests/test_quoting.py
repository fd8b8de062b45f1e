"""Quoting: nothing that a terminal obeys, and what was there still to be seen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.quoting import quoted, unseen


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", '"plain"'),
        ("ünï 漢 😀", '"ünï 漢 😀"'),
        ('a "b" \\', '"a \\"b\\" \\\\"'),
        ("\x1b[31m\n\x07", '"\\u001b[31m\\u000a\\u0007"'),
        ("a\u202eb\u200b", '"a\\u202eb\\u200b"'),
        ("\ud800", '"\\ud800"'),
        ("\U000e0041", '"\\U000e0041"'),
    ],
)
def test_quoted(text: str, shown: str) -> None:
    assert quoted(text) == shown


def test_a_long_text_is_cut_and_says_so() -> None:
    assert quoted("x" * 81) == '"' + "x" * 80 + '…"'
    assert quoted("x" * 80) == '"' + "x" * 80 + '"'


def test_unseen_names_the_first_sign_that_does_not_print() -> None:
    assert unseen("all plain") is None
    assert unseen("a\tb\x1b") == "U+0009"


@given(st.text())
def test_what_is_quoted_always_prints(text: str) -> None:
    assert quoted(text).isprintable()
