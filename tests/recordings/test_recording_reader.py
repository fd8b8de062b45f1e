"""Reading: from anywhere, up to the last good chunk, never past damage, and while it is written."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from recordings.chain import Ending
from recordings.errors import DamagedRecording, Fault, KeyUnavailable, RecordingError
from recordings.events import Event, Output
from recordings.format import Ended
from recordings.keys import Keyring, rewrap
from recordings.reader import Recording
from recordings.source import BytesSource, FileSource
from tests.support.recordings import Chunks, Workshop


def flat(chunks: Chunks) -> list[Event]:
    return [event for chunk in chunks for event in chunk]


class CountingSource(BytesSource):
    """A source that knows how much of it was read."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self.read = 0

    def read_at(self, offset: int, length: int) -> bytes:
        raw = super().read_at(offset, length)
        self.read += len(raw)
        return raw


def test_everything_written_is_read(shop: Workshop, story: Chunks) -> None:
    recording = Recording(BytesSource(shop.write(story)), shop.ring)
    assert list(recording.events()) == flat(story)
    assert recording.duration_us == 100_250_000
    assert recording.header.user == "alice"
    assert recording.end is not None
    assert recording.end.ended is Ended.EXIT


@pytest.mark.parametrize(("at_s", "first_chunk"), [(0, 0), (0.9, 0), (60, 1), (61, 1), (94, 3), (1000, 4)])
def test_it_reads_from_the_chunk_that_covers_a_moment(
    shop: Workshop, story: Chunks, at_s: float, first_chunk: int
) -> None:
    recording = Recording(BytesSource(shop.write(story)), shop.ring)
    assert list(recording.events(int(at_s * 1_000_000))) == flat(story[first_chunk:])


def test_a_jump_reads_little_of_a_long_recording(shop: Workshop) -> None:
    raw = shop.write([[Output(n * 1_000_000, os.urandom(4000))] for n in range(200)])
    source = CountingSource(raw)
    recording = Recording(source, shop.ring)
    assert source.read < 8_000
    next(iter(recording.events(150_000_000)))
    assert source.read < 16_000


def test_an_unfinished_recording_plays_up_to_its_last_whole_chunk(shop: Workshop, story: Chunks) -> None:
    raw = shop.write(story, ending=None)
    torn = Recording(BytesSource(raw[:-5]), shop.ring)
    assert list(torn.events()) == flat(story[:4])
    assert torn.end is None
    assert torn.damage is not None
    assert torn.damage.fault is Fault.TRUNCATED


def test_a_growing_recording_is_followed(shop: Workshop, story: Chunks, tmp_path: Path) -> None:
    path = tmp_path / "live.mzr"
    sealer = shop.sealer()
    path.write_bytes(sealer.opening)
    with FileSource(path) as source:
        recording = Recording(source, shop.ring)
        assert list(recording.events()) == []
        for number, events in enumerate(story, 1):
            record = sealer.chunk(events)
            with path.open("ab") as file:
                file.write(record[:20])
                file.flush()
                recording.refresh()
                assert len(recording.index) == number - 1
                file.write(record[20:])
            recording.refresh()
            assert list(recording.events()) == flat(story[:number])
        with path.open("ab") as file:
            file.write(sealer.close(Ending(Ended.CUT, 1)))
        recording.refresh()
        assert recording.end is not None
        assert recording.damage is None


def test_damage_further_in_is_raised_where_it_is(shop: Workshop, story: Chunks) -> None:
    parts = shop.parts(shop.write(story))
    changed = bytearray(parts[4])
    changed[90] ^= 1
    parts[4] = bytes(changed)
    events = Recording(BytesSource(b"".join(parts)), shop.ring).events()
    read: list[Event] = []
    with pytest.raises(DamagedRecording) as caught:
        read.extend(events)
    assert (caught.value.fault, caught.value.chunk) == (Fault.ALTERED, 2)
    good = Recording(BytesSource(b"".join(parts)), shop.ring).events(90_000_001)
    assert list(good) == flat(story[3:])


def test_without_a_key_only_the_clear_is_read(shop: Workshop, story: Chunks) -> None:
    recording = Recording(BytesSource(shop.write(story)))
    assert len(recording.index) == 5
    with pytest.raises(ValueError, match="without a keyring"):
        next(recording.events())
    with pytest.raises(KeyUnavailable):
        Recording(BytesSource(shop.write(story)), Keyring([]))


def test_a_wrap_kept_beside_the_file_opens_it(shop: Workshop, story: Chunks) -> None:
    new = X25519PrivateKey.from_private_bytes(b"n" * 32)
    header = shop.header()
    beside = rewrap(header.keys, header.id, shop.ring, new.public_key().public_bytes_raw())
    recording = Recording(BytesSource(shop.write(story)), Keyring([new]), more_wraps=[beside])
    assert list(recording.events()) == flat(story)


def test_an_end_record_nobody_signed_is_not_believed(shop: Workshop, story: Chunks) -> None:
    parts = shop.parts(shop.write(story))
    shorter = shop.parts(shop.write(story[:2], signer=shop.other_node))
    raw = b"".join([*parts[:7], *shorter[4:]])
    recording = Recording(BytesSource(raw), shop.ring)
    assert recording.end is None
    assert list(recording.events()) == flat(story)


@given(data=st.data())
def test_any_damage_is_a_typed_error_and_gives_only_what_was_written(
    shop: Workshop, data: st.DataObject
) -> None:
    written: list[list[Event]] = [[Output(n, b"line %d\r\n" % n)] for n in range(3)]
    raw = shop.write(written)
    at, length = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 60))
    spliced = raw[:at] + data.draw(st.binary(max_size=60)) + raw[at + length :]
    read: list[Event] = []
    with contextlib.suppress(RecordingError):
        for event in Recording(BytesSource(spliced), shop.ring).events():
            read.append(event)  # noqa: PERF402  # what came before an error counts
    assert read == flat(written)[: len(read)]
