"""Bodies: one text per event, both ways, whatever is thrown at it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mezite.audit.body import MAX_BODY_CHARS, decode, encode
from mezite.audit.events import Detail, Event, ForeignKind, Kind
from mezite.errors import Damaged

NOON = datetime(2026, 3, 24, 12, 0, 0, 250, tzinfo=UTC)
LOGIN = Event("evt_1", NOON, Kind.USER_LOGIN, "alice")

anything = st.text(st.characters(codec=None, categories=None), max_size=40)
details: st.SearchStrategy[dict[str, Detail]] = st.dictionaries(
    anything,
    st.one_of(anything, st.integers(-(2**63), 2**63 - 1), st.booleans(), st.none(), st.tuples(anything)),
)
times = st.datetimes(timezones=st.just(UTC))
kinds = st.one_of(st.sampled_from(Kind), st.builds(ForeignKind, anything, st.text("T0123", min_size=1)))
events = st.builds(
    Event,
    id=anything,
    time=times,
    kind=kinds,
    user=anything,
    success=st.booleans(),
    roles=st.lists(anything, max_size=4).map(tuple),
    reason=anything,
    login=anything,
    details=details,
    unread=st.dictionaries(
        st.text(max_size=9).map("later_".__add__), st.lists(st.floats(allow_nan=False, allow_infinity=False))
    ),
)


@given(events)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert decode(encode(event)) == event


@given(events)
def test_a_body_is_stable_and_plain(event: Event) -> None:
    body = encode(event)
    assert encode(decode(body)) == body
    assert body.isascii()
    assert body.isprintable()


def test_a_body_is_exactly_this() -> None:
    event = replace(
        LOGIN, roles=("access",), reason="naïve \x1b[2J", details={"serial": 7, "a": ("x",), "ttl": None}
    )
    assert encode(event) == (
        '{"code":"T1000I","details":{"a":["x"],"serial":7,"ttl":null},"id":"evt_1",'
        '"reason":"na\\u00efve \\u001b[2J","roles":["access"],"success":true,'
        '"time":"2026-03-24T12:00:00.000250Z","type":"user.login","user":"alice"}'
    )


def test_the_order_of_details_does_not_matter() -> None:
    assert encode(replace(LOGIN, details={"a": 1, "b": 2})) == encode(
        replace(LOGIN, details={"b": 2, "a": 1})
    )


def test_times_are_told_in_utc() -> None:
    east = NOON.astimezone(timezone(timedelta(hours=5)))
    assert encode(replace(LOGIN, time=east)) == encode(LOGIN)


def test_a_time_without_a_zone_is_a_bug() -> None:
    with pytest.raises(ValueError, match="zone"):
        encode(replace(LOGIN, time=NOON.replace(tzinfo=None)))


@settings(max_examples=40)
@given(
    st.integers(0, 20_000),
    st.integers(0, 2000),
    st.integers(0, 300),
    st.sampled_from(["x", "\x00", "\U0001f600", "\ud800"]),
)
def test_any_size_is_written_cut_and_stable(length: int, items: int, keys: int, letter: str) -> None:
    text = letter * length
    many: dict[str, Detail] = {f"{i}{letter * 60}": (text,) * min(items, 20) for i in range(keys)}
    event = replace(LOGIN, user=text, reason=text, roles=(text[:300],) * items, resource=text, details=many)
    body = encode(event)
    assert len(body) <= MAX_BODY_CHARS
    assert encode(decode(body)) == body


def test_what_is_cut_says_so() -> None:
    read = decode(encode(replace(LOGIN, reason="x" * 10_000, roles=("r",) * 1000)))
    kept = read.reason.index("…")
    assert read.reason == "x" * kept + f"…(+{10_000 - kept})"
    assert len(read.reason) <= 4096
    assert read.roles[-1] == f"…(+{1000 - len(read.roles) + 1})"


def test_details_beyond_the_bound_are_counted() -> None:
    read = decode(encode(replace(LOGIN, details={f"k{i:03}": i for i in range(100)})))
    assert read.details["k000"] == 0
    assert read.details["…"] == 100 - (len(read.details) - 1)


def test_an_integer_too_large_for_64_bits_is_told_by_its_size() -> None:
    read = decode(encode(replace(LOGIN, details={"n": 10**6000, "least": -(2**63)})))
    assert read.details == {"n": f"…(an integer of {(10**6000).bit_length()} bits)", "least": -(2**63)}


def test_a_later_version_survives_this_one() -> None:
    body = (
        '{"code":"T9999E","id":"evt_2","orbit":{"moons":[1.5,null]},"success":false,'
        '"time":"2031-01-01T00:00:00.000000Z","type":"moon.landed","user":"neil"}'
    )
    event = decode(body)
    assert event.kind == ForeignKind("moon.landed", "T9999E")
    assert event.unread == {"orbit": {"moons": [1.5, None]}}
    assert encode(event) == body


def test_a_known_type_with_a_foreign_code_is_not_taken_for_ours() -> None:
    body = encode(LOGIN).replace("T1000I", "T1000E")
    assert decode(body).kind == ForeignKind("user.login", "T1000E")
    assert encode(decode(body)) == body


def _with(**fields: Any) -> str:
    return json.dumps(json.loads(encode(LOGIN)) | fields)


def _without(name: str) -> str:
    fields = json.loads(encode(LOGIN))
    del fields[name]
    return json.dumps(fields)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "null",
        "[]",
        "{",
        "[" * 100_000,
        '{"a":1,"a":2}',
        '{"a":NaN}',
        '{"a":1e999}',
        '{"a":' + "9" * 5000 + "}",
        " " * (1024 * 1024) + encode(LOGIN),
        *(_without(name) for name in ("id", "time", "type", "code", "user", "success")),
        _with(id=1),
        _with(success="yes"),
        _with(success=1),
        _with(roles="admin"),
        _with(roles=[1]),
        _with(details=[]),
        _with(details={"a": {"b": 1}}),
        _with(details={"a": 1.5}),
        _with(details={"a": [1]}),
        _with(time="2026-03-24"),
        _with(time="2026-03-24T12:00:00Z"),
        _with(time="2026-03-24T12:00:00.000250+00:00"),
        _with(time="2026-03-24T12:00:00.000250"),
        _with(time=0),
    ],
)
def test_what_is_no_event_is_damaged(body: str) -> None:
    with pytest.raises(Damaged, match="audit event"):
        decode(body)
