"""Any moment of a recording, reached by playing or by a jump, shows the same screen; snapshots are sealed."""

from __future__ import annotations

import random
import zlib
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.errors import BadSnapshot
from recordings.events import Event, Marker, Output, Resize
from recordings.keys import ContentKey
from recordings.playback import MAX_KEPT, Playback
from recordings.reader import Recording
from recordings.screen import Screen
from recordings.screenstate import freeze, thaw
from recordings.seal import Sealer
from recordings.snapshots import EVERY_BYTES, Snapshots, build
from recordings.source import BytesSource
from tests.support.recordings import Workshop
from tests.support.terminal_corpus import corpus


@pytest.fixture(scope="module")
def written() -> list[list[Event]]:
    """Half a megabyte in uneven pieces, with resizes and markers."""
    noise, raw = random.Random(5), corpus("mixed", 500_000).encode()
    chunks: list[list[Event]] = []
    at, at_us = 0, 0
    while at < len(raw):
        events: list[Event] = []
        for _ in range(noise.randint(1, 8)):
            at_us += noise.randint(0, 200_000)
            size = noise.randint(1, 4000)
            events.append(Output(at_us, raw[at : at + size]))
            at += size
        if noise.random() < 0.1:
            events.append(Resize(at_us, noise.randint(20, 120), noise.randint(5, 40)))
        if noise.random() < 0.2:
            events.append(Marker(at_us, "note", str(len(chunks))))
        chunks.append(events)
    return chunks


@pytest.fixture(scope="module")
def recording(shop: Workshop, written: list[list[Event]]) -> Recording:
    return Recording(BytesSource(shop.write(written)), shop.ring)


@pytest.fixture(scope="module")
def side_file(recording: Recording) -> bytes:
    return b"".join(build(recording))


def replayed(recording: Recording, to_us: int) -> bytes:
    """The screen at a moment, the long way."""
    screen = Screen(recording.header.columns, recording.header.rows)
    for event in recording.events():
        if event.at_us > to_us:
            break
        match event:
            case Output(data=data):
                screen.feed(data)
            case Resize(columns=columns, rows=rows):
                screen.resize(columns, rows)
    return screen.snapshot()


@pytest.mark.parametrize("with_side_file", [True, False])
def test_every_jump_shows_what_playing_would(
    recording: Recording, side_file: bytes, with_side_file: bool
) -> None:
    playback = Playback(recording, Snapshots(recording, side_file) if with_side_file else None)
    noise = random.Random(9)
    moments = [noise.randint(0, recording.duration_us) for _ in range(12)]
    for moment in [*moments, 0, recording.duration_us, recording.duration_us * 2]:
        playback.seek(moment)
        assert playback.position_us == min(moment, recording.duration_us)
        assert playback.screen.snapshot() == replayed(recording, moment)


def note_opened_chunks(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    opened: list[int] = []
    chunk_events = recording.chunk_events

    def noting(number: int) -> list[Event]:
        opened.append(number)
        return chunk_events(number)

    monkeypatch.setattr(recording, "chunk_events", noting)
    return opened


def test_a_jump_opens_few_chunks(
    recording: Recording, side_file: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    playback = Playback(recording, Snapshots(recording, side_file))
    opened = note_opened_chunks(recording, monkeypatch)
    playback.seek(recording.duration_us - 1)
    replayed_bytes = sum(recording.index[number].output_bytes for number in opened)
    assert replayed_bytes <= EVERY_BYTES + 2 * max(entry.output_bytes for entry in recording.index)


def test_playing_passes_markers_and_steps_event_by_event(
    recording: Recording, written: list[list[Event]]
) -> None:
    events = [event for chunk in written for event in chunk]
    playback = Playback(recording)
    assert [playback.step() for _ in events] == events
    assert playback.step() is None
    assert playback.next_us is None
    playback.seek(0)
    assert playback.advance(recording.duration_us) == [event for event in events if isinstance(event, Marker)]


def test_what_was_seen_once_is_not_replayed(recording: Recording, monkeypatch: pytest.MonkeyPatch) -> None:
    playback = Playback(recording)
    playback.seek(recording.duration_us)
    opened = note_opened_chunks(recording, monkeypatch)
    playback.seek(recording.duration_us * 2 // 3)
    assert min(opened) > len(recording.index) // 3
    assert len(playback._kept) <= MAX_KEPT


def test_a_growing_recording_goes_on(shop: Workshop) -> None:
    class Growing(BytesSource):
        def grow(self, raw: bytes) -> None:
            self._raw += raw

    sealer = shop.sealer()
    source = Growing(sealer.opening + sealer.chunk([Output(0, b"one ")]))
    recording = Recording(source, shop.ring)
    playback = Playback(recording)
    playback.advance(10)
    assert playback.step() is None
    source.grow(sealer.chunk([Output(20, b"two")]))
    recording.refresh()
    playback.step()
    playback.advance(30)
    assert playback.screen.display[0].rstrip() == "one two"


# --- the side file ---


def test_snapshots_hold_nothing_readable(recording: Recording, side_file: bytes) -> None:
    assert b"session" not in side_file
    assert len(side_file) < 200_000


def test_snapshots_are_bound_to_their_recording_and_key(
    shop: Workshop, recording: Recording, side_file: bytes, written: list[list[Event]]
) -> None:
    other = Recording(BytesSource(shop.write(written[:3], number=2)), shop.ring)
    with pytest.raises(BadSnapshot, match="this recording"):
        Snapshots(other, side_file)
    content = ContentKey(b"x" * 32)
    header = shop.header(signer=shop.node, content=content)
    sealer = Sealer(header, content, shop.node)
    same_id = Recording(BytesSource(sealer.opening + sealer.chunk(written[0])), shop.ring)
    with pytest.raises(BadSnapshot, match="does not open"):
        Snapshots(same_id, side_file).before(10**5)
    assert Snapshots(recording, side_file).before(0) is None


def test_snapshots_still_being_written_are_used_as_far_as_they_go(
    recording: Recording, side_file: bytes
) -> None:
    whole, cut = Snapshots(recording, side_file), Snapshots(recording, side_file[:-100])
    last, earlier = whole.before(10**5), cut.before(10**5)
    assert last is not None
    assert earlier is not None
    assert earlier[0] < last[0]


@given(data=st.data())
def test_a_damaged_side_file_is_a_typed_error(
    recording: Recording, side_file: bytes, data: st.DataObject
) -> None:
    raw = bytearray(side_file)
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    chunk = data.draw(st.integers(0, len(recording.index)))
    try:
        found = Snapshots(recording, bytes(raw)).before(chunk)
    except BadSnapshot:
        return
    if found is not None:
        original = Snapshots(recording, side_file).before(found[0])
        assert original is not None
        assert (found[0], found[1].snapshot()) == (original[0], original[1].snapshot())


# --- one snapshot ---


@given(data=st.data())
@settings(max_examples=300)
def test_damaged_snapshots_are_a_screen_or_a_typed_error(data: st.DataObject) -> None:
    screen = Screen(20, 5)
    screen.feed("\x1b[31mred \x1b[?1049h日本 e\u0301\u0300\x1b[7".encode())
    plain = bytearray(zlib.decompress(screen.snapshot()[4:]))
    for _ in range(data.draw(st.integers(1, 4))):
        plain[data.draw(st.integers(0, len(plain) - 1))] = data.draw(st.integers(0, 255))
    try:
        restored = Screen.restore(b"MZS\x01" + zlib.compress(bytes(plain)))
    except BadSnapshot:
        return
    restored.feed(b"still \x1b[5;5Hworks\r\n\x1b[?1049l\x1b[u\x1b8x")
    assert len(restored.display) == restored.rows
    assert Screen.restore(restored.snapshot()).snapshot() == restored.snapshot()


@given(st.binary(max_size=200))
def test_any_bytes_are_no_snapshot(raw: bytes) -> None:
    with pytest.raises(BadSnapshot):
        thaw(raw)
    with pytest.raises(BadSnapshot):
        thaw(b"MZS\x01" + raw)


def test_a_snapshot_bomb_is_refused() -> None:
    with pytest.raises(BadSnapshot):
        thaw(b"MZS\x01" + zlib.compress(bytes(100_000_000)))


def test_a_snapshot_is_small_and_the_same_again() -> None:
    screen = Screen(120, 40)
    screen.feed(corpus("mixed", 60_000).encode())
    raw = screen.snapshot()
    assert len(raw) < 6_000
    assert freeze(thaw(raw)) == raw
    assert all(a != b for a, b in pairwise([raw, Screen(120, 40).snapshot()]))
