"""Events survive their encoding; bytes that are no events are refused without a crash."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings import payload
from recordings.errors import DamagedRecording, Fault, MalformedInput
from recordings.events import Event, Exit, Marker, Output, Resize

_text = st.text(st.characters(exclude_categories=["Cs"]), max_size=16)
_side = st.integers(1, payload.MAX_SIDE)
_kinds = st.one_of(
    st.builds(Output, st.just(0), st.binary(max_size=300)),
    st.builds(Resize, st.just(0), _side, _side),
    st.builds(Marker, st.just(0), _text, _text),
    st.builds(Exit, st.just(0), st.integers(0, payload.MAX_STATUS)),
)


@st.composite
def timed(draw: st.DrawFn) -> tuple[int, list[Event]]:
    start = at_us = draw(st.integers(0, 2**50))
    events: list[Event] = []
    for event in draw(st.lists(_kinds, max_size=8)):
        at_us += draw(st.integers(0, 2**40))
        match event:
            case Output(data=data):
                events.append(Output(at_us, data))
            case Resize(columns=columns, rows=rows):
                events.append(Resize(at_us, columns, rows))
            case Marker(label=label, text=text):
                events.append(Marker(at_us, label, text))
            case Exit(status=status):
                events.append(Exit(at_us, status))
    return start, events


@given(timed())
def test_what_is_encoded_is_decoded(case: tuple[int, list[Event]]) -> None:
    start, events = case
    assert list(payload.decode(payload.encode(events, start), start)) == events


@given(st.binary(max_size=200))
def test_any_bytes_are_events_or_a_typed_refusal(raw: bytes) -> None:
    try:
        events = list(payload.decode(raw, 0))
    except DamagedRecording:
        return
    assert all(event.at_us >= 0 for event in events)


@pytest.mark.parametrize(
    "event",
    [
        Resize(0, 0, 24),
        Resize(0, 80, payload.MAX_SIDE + 1),
        Marker(0, "x" * (payload.MAX_LABEL + 1)),
        Marker(0, "note", "x" * (payload.MAX_MARKER_TEXT + 1)),
        Exit(0, -1),
        Exit(0, payload.MAX_STATUS + 1),
    ],
)
def test_an_event_out_of_bounds_is_not_written(event: Event) -> None:
    with pytest.raises(MalformedInput):
        payload.encode([event], 0)


def test_time_never_runs_backwards() -> None:
    with pytest.raises(MalformedInput, match="placed after"):
        payload.encode([Output(5, b"a"), Output(4, b"b")], 0)
    with pytest.raises(MalformedInput):
        payload.encode([Output(5, b"a")], 6)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x01",  # no time
        b"\x01\x00\x05abcd",  # four bytes where five are said
        b"\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\x7f",  # 2**63 bytes are said
        b"\x01" + b"\x80" * 10,  # a number that does not end
        b"\x02\x00\x00\x18",  # no columns
        b"\x02\x00\x90\x4f\x18",  # 10 128 columns
        b"\x03\x00\x41" + b"x" * 65 + b"\x00",  # a label of 65
        b"\x04\x00\xff\xff\xff\xff\x7f",  # a status of 2**35
        b"\x00\x00",  # kind 0
        b"\x05\x00\x00",  # a kind of a later version
        b"\x80\x00\x00",  # no kind at all
    ],
)
def test_bytes_that_are_no_event_are_malformed(raw: bytes) -> None:
    with pytest.raises(DamagedRecording) as caught:
        list(payload.decode(raw, 0))
    assert caught.value.fault is Fault.MALFORMED


def test_kinds_set_aside_for_additions_are_skipped() -> None:
    assert list(payload.decode(b"\x40\x03\x02hi\x01\x04\x01x", 10)) == [Output(17, b"x")]
