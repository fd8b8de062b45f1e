from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.api.tunnel.frames import HEADER_BYTES, MAX_PAYLOAD, FrameReader, frame
from mezite.errors import Invalid, MeziteError, TooLarge

PAYLOADS = st.lists(st.binary(min_size=1, max_size=300), max_size=8)


@given(payloads=PAYLOADS, cuts=st.lists(st.integers(1, 40), min_size=1))
def test_however_the_bytes_are_cut_the_same_payloads_come_out(payloads: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frame(payload) for payload in payloads)
    reader, out, at, turn = FrameReader(), [], 0, 0
    while at < len(stream):
        size = cuts[turn % len(cuts)]
        out += reader.feed(stream[at : at + size])
        at, turn = at + size, turn + 1
    assert out == payloads
    assert reader.between_frames


@given(st.binary(max_size=200))
def test_garbage_is_refused_by_a_typed_error_or_waits_for_the_rest_of_a_legal_frame(garbage: bytes) -> None:
    reader = FrameReader()
    try:
        out = reader.feed(garbage)
    except MeziteError:
        assert not reader.between_frames
    else:
        assert sum(map(len, out)) + HEADER_BYTES * len(out) <= len(garbage)


def test_a_frame_of_the_greatest_size_passes() -> None:
    payload = b"x" * MAX_PAYLOAD
    assert FrameReader().feed(frame(payload)) == [payload]


def test_a_frame_beyond_the_bound_is_refused_by_its_header_alone() -> None:
    with pytest.raises(TooLarge):
        FrameReader().feed((MAX_PAYLOAD + 1).to_bytes(4, "big"))
    with pytest.raises(TooLarge):
        frame(b"x" * (MAX_PAYLOAD + 1))


def test_an_empty_frame_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        FrameReader().feed(bytes(4))
    assert refusal.value.code == "bad_frame"


def test_after_a_refusal_there_is_no_way_back_into_step() -> None:
    reader = FrameReader()
    with pytest.raises(TooLarge):
        reader.feed(b"\xff\xff\xff\xff")
    with pytest.raises(Invalid):
        reader.feed(frame(b"fine"))
    assert not reader.between_frames


def test_half_a_frame_is_not_between_frames() -> None:
    reader = FrameReader()
    assert reader.feed(frame(b"whole")[:-1]) == []
    assert not reader.between_frames
    assert reader.feed(b"e") == [b"whole"]
    assert reader.between_frames
