"""What a filter line means, and what it cannot be made to do."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.errors import Invalid
from tui.filters import MAX_TERMS, Filter, Term, parse

FIELDS = ("type", "user", "last")
EVENT = {"type": "session.start", "user": "alice", "detail": "on web-1"}


@pytest.mark.parametrize(
    ("text", "holds"),
    [
        ("", True), ("type:session.*", True), ("type:session", False), ("user:ALICE", True),
        ("-user:alice", False), ("-user:bob", True), ("web", True), ("-web", False),
        ("type:session.* user:bob", False),
        ("user:[a]lice", False), ("user:alic?", False), ('"on web"', True),
    ],
)  # fmt: skip
def test_every_term_must_hold(text: str, holds: bool) -> None:
    assert parse(text, FIELDS).holds(EVENT) is holds


def test_age_counts_to_the_second() -> None:
    young = parse("last:1h", FIELDS)
    assert young.holds(EVENT, timedelta(minutes=60))
    assert not young.holds(EVENT, timedelta(minutes=60, seconds=1))


@pytest.mark.parametrize("text", ["colour:red", "last:soon", "last:0s", " ".join("a" * (MAX_TERMS + 1))])
def test_what_means_nothing_is_told(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text, FIELDS)


def test_narrowing_by_the_opposite_turns_the_term_round() -> None:
    only = Filter().narrowed(Term("user", "alice"))
    assert str(only.narrowed(Term("user", "alice", without=True))) == "-user:alice"
    assert str(only.narrowed(Term("type", "a b"))) == 'user:alice type:"a b"'


@given(st.text(max_size=400))
def test_no_line_breaks_it_and_what_is_written_reads_back(text: str) -> None:
    try:
        found = parse(text, FIELDS)
    except Invalid:
        return
    found.holds(EVENT)
    if len(str(found)) < 250 and '"' not in text:
        assert parse(str(found), FIELDS) == found
