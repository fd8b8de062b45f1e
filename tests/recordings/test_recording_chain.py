"""The chain: what belongs is taken in, what does not is named, raises, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from recordings.chain import Chain, Ending, is_signed_by
from recordings.errors import DamagedRecording, Fault
from recordings.events import Event
from recordings.format import Chunk, End, Ended
from recordings.frames import Kind, Record, encode_record, parse_record
from tests.support.recordings import EXIT, Chunks, Workshop


def records(shop: Workshop, raw: bytes) -> list[Record]:
    found, offset = [], 8
    for part in shop.parts(raw)[1:]:
        if len(part) > 8:
            found.append(parse_record(part, offset))
        offset += len(part)
    return found


def follow(shop: Workshop, raw: bytes) -> Chain:
    header, *rest = records(shop, raw)
    chain = Chain(header)
    for record in rest:
        chain.admit(record)
    return chain


def test_a_whole_recording_is_taken_in_and_signed_at_every_step(shop: Workshop, story: Chunks) -> None:
    header, *rest = records(shop, shop.write(story))
    chain = Chain(header)
    assert chain.is_signed
    for record in rest:
        chain.admit(record)
        assert chain.is_signed
    assert chain.end is not None
    assert chain.end.exit_status == 0
    assert (chain.number, chain.duration_us) == (5, 100_250_000)
    assert [chain.index[n].start_us for n in range(5)] == [0, 900_000, 61_000_000, 90_000_000, 100_000_000]


def test_an_unfinished_recording_is_signed_as_far_as_it_goes(shop: Workshop, story: Chunks) -> None:
    chain = follow(shop, shop.write(story, ending=None))
    assert chain.end is None
    assert chain.is_signed


def test_an_unsigned_recording_says_so(shop: Workshop, story: Chunks) -> None:
    chain = follow(shop, shop.write(story, signer=None))
    assert not chain.is_signed
    assert chain.signer_key == b""


def test_a_closer_ends_what_the_node_could_not(shop: Workshop, story: Chunks) -> None:
    chain = follow(shop, shop.write(story, ending=None))
    raw = chain.close(Ending(Ended.CRASH, 5, note="ended by crash"), shop.hub)
    end = chain.admit(parse_record(raw[:-8], chain.length))
    assert isinstance(end, End)
    assert end.closer_key == shop.hub.public == chain.signer_key
    assert chain.is_signed


def _swap(parts: list[bytes]) -> list[bytes]:
    return [*parts[:3], parts[4], parts[3], *parts[5:]]


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (lambda parts: [*parts[:3], *parts[4:]], Fault.MISSING),
        (_swap, Fault.MISSING),
        (lambda parts: [*parts[:4], parts[3], *parts[4:]], Fault.REORDERED),
        (lambda parts: [*parts[:6], *parts[7:]], Fault.TRUNCATED),
        (lambda parts: [*parts[:3], parts[1], *parts[3:]], Fault.MALFORMED),
        (lambda parts: [*parts[:8], parts[3], parts[8]], Fault.TRAILING),
    ],
)
def test_records_in_the_wrong_place_are_named(
    shop: Workshop, story: Chunks, tamper: Callable[[list[bytes]], list[bytes]], fault: Fault
) -> None:
    raw = b"".join(tamper(shop.parts(shop.write(story))))
    with pytest.raises(DamagedRecording) as caught:
        follow(shop, raw)
    assert caught.value.fault is fault


def test_a_chunk_of_another_recording_is_foreign(shop: Workshop, story: Chunks) -> None:
    parts = shop.parts(shop.write(story))
    parts[3] = shop.parts(shop.write(story, number=2))[3]
    with pytest.raises(DamagedRecording) as caught:
        follow(shop, b"".join(parts))
    assert caught.value.fault is Fault.FOREIGN


def test_a_refused_record_changes_nothing(shop: Workshop, story: Chunks) -> None:
    header, first, second, *_ = records(shop, shop.write(story))
    chain = Chain(header)
    before = (chain.link, chain.number, chain.length, len(chain.index))
    with pytest.raises(DamagedRecording):
        chain.admit(second)
    assert (chain.link, chain.number, chain.length, len(chain.index)) == before
    assert isinstance(chain.admit(first), Chunk)


def test_an_end_record_about_other_chunks_is_refused(shop: Workshop, story: list[list[Event]]) -> None:
    parts = shop.parts(shop.write(story))
    other = shop.parts(shop.write([*story[:4], story[4][:1]]))
    parts[7] = other[7]
    with pytest.raises(DamagedRecording) as caught:
        follow(shop, b"".join(parts))
    assert caught.value.fault is Fault.ALTERED


def test_a_chain_begins_with_a_header(shop: Workshop, story: Chunks) -> None:
    with pytest.raises(DamagedRecording):
        Chain(records(shop, shop.write(story))[1])


def test_a_flipped_payload_is_no_longer_signed(shop: Workshop, story: Chunks) -> None:
    header, first, *_ = records(shop, shop.write(story))
    flipped = bytearray(first.payload)
    flipped[-1] ^= 1
    chain = Chain(header)
    chain.admit(parse_record(encode_record(Kind.CHUNK, bytes(flipped), first.signature), first.offset))
    assert not chain.is_signed


def test_signatures_of_the_wrong_size_or_key_are_no_signatures(shop: Workshop) -> None:
    assert not is_signed_by(b"", b"l" * 32, b"s" * 64)
    assert not is_signed_by(shop.node.public, b"l" * 32, b"")
    assert not is_signed_by(b"\xff" * 32, b"l" * 32, b"s" * 64)
    assert EXIT.ended is Ended.EXIT
