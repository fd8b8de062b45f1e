from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.hub.relay import wire
from daemons.hub.relay.wire import (
    Cut,
    Drain,
    End,
    Ended,
    Entry,
    Heard,
    Hello,
    List,
    Malformed,
    Message,
    Pairs,
    Ready,
    Refusal,
    Refused,
    Take,
    Taken,
)

ids = st.binary(min_size=16, max_size=16)
counts = st.integers(0, 2**64 - 1)
first = st.binary(max_size=300) | st.just(bytes(wire.FIRST_MAX))
messages = st.one_of(
    st.builds(Hello, st.integers(0, 2**16 - 1)),
    st.builds(
        Ready,
        st.integers(0, 2**16 - 1),
        st.integers(0, 2**32 - 1),
        st.integers(0, 2**32 - 1),
        st.booleans(),
        st.text("abc.0123", max_size=wire.RELEASE_MAX),
    ),
    st.builds(Take, ids, first, first),
    st.builds(Taken, ids),
    st.builds(Refused, ids, st.sampled_from(Refusal)),
    st.builds(Cut, ids),
    st.builds(Ended, ids, counts, counts, st.sampled_from(End)),
    st.builds(Heard, ids),
    st.builds(List, ids),
    st.builds(Pairs, st.lists(st.builds(Entry, ids, counts, counts), max_size=5).map(tuple), st.booleans()),
    st.builds(Drain, st.booleans()),
)


@given(messages)
def test_what_is_said_is_what_is_heard(message: Message) -> None:
    packet = wire.encode(message)
    assert len(packet) <= wire.LARGEST
    assert wire.decode(packet) == message


@given(
    st.binary(max_size=100)
    | st.tuples(st.integers(0, 12), st.binary(max_size=100)).map(lambda parts: bytes((parts[0],)) + parts[1])
)
def test_whatever_comes_is_a_message_or_malformed(packet: bytes) -> None:
    try:
        message = wire.decode(packet)
    except Malformed:
        return
    assert wire.encode(message) == packet


@given(messages, st.data())
def test_a_message_cut_short_is_never_taken_for_another_kind(message: Message, data: st.DataObject) -> None:
    packet = wire.encode(message)
    short = packet[: data.draw(st.integers(0, len(packet) - 1))]
    with suppress(Malformed):
        assert type(wire.decode(short)) is type(message)


@pytest.mark.parametrize("packet", [b"", b"\x00", b"\x0c", b"\x08short", b"\x0b\x02", b"\x07" + bytes(33)])
def test_what_does_not_parse_is_refused(packet: bytes) -> None:
    with pytest.raises(Malformed):
        wire.decode(packet)


def test_first_bytes_have_a_bound_on_both_sides() -> None:
    with pytest.raises(Malformed):
        wire.encode(Take(bytes(16), bytes(wire.FIRST_MAX + 1), b""))
    whole = wire.encode(Take(bytes(16), b"", bytes(wire.FIRST_MAX)))
    with pytest.raises(Malformed):
        wire.decode(whole + b"x")


def test_a_page_has_a_bound_and_fits_a_packet() -> None:
    page = Pairs((Entry(bytes(16), 0, 0),) * wire.PAGE, more=True)
    packet = wire.encode(page)
    assert len(packet) <= wire.LARGEST
    assert wire.decode(packet) == page
    with pytest.raises(Malformed):
        wire.decode(packet + bytes(32))


def test_what_users_typed_is_in_no_representation() -> None:
    assert "secret" not in repr(Take(bytes(16), b"secret", b"secret"))


def test_numbers_on_the_wire_stay_what_they_are() -> None:
    assert sorted(wire.KINDS.values()) == list(range(1, 12))
    assert wire.encode(Hello(1)) == b"\x01\x00\x01"
    assert wire.encode(Ready(1, 7, 2, draining=True, release="0.1.0")) == (
        b"\x02\x00\x01\x00\x00\x00\x07\x00\x00\x00\x02\x010.1.0"
    )
    assert wire.encode(Cut(bytes(range(16)))) == b"\x06" + bytes(range(16))
    assert [end.value for end in End] == [1, 2, 3, 4]
    assert [refusal.value for refusal in Refusal] == [1, 2, 3, 4]
