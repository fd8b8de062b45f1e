"""Headers, chunks, end records and frames: round trips, bounds, and every field refused when it is wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.errors import DamagedRecording, Fault, MalformedInput
from recordings.format import End, Ended, decode_chunk, decode_end, encode_end
from recordings.frames import (
    FRAME_BYTES,
    MAX_CHUNKS,
    MAX_HEADER,
    TRAILER_BYTES,
    Kind,
    decode_trailer,
    encode_record,
    encode_trailer,
    parse_frame,
    parse_record,
)
from recordings.header import decode_header, encode_header
from recordings.index import ChunkIndex, IndexEntry, pack_index_entry
from tests.support.recordings import Workshop


def test_a_header_survives_with_fields_it_does_not_know(shop: Workshop) -> None:
    header = replace(
        shop.header(), extra={"zone": ["a", 1], "pod": None}, host_certificate=b"ssh-ed25519-cert x"
    )
    assert decode_header(encode_header(header), 0) == header


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "00"),
        ("id", "Z" * 32),
        ("id", 7),
        ("session", 7),
        ("started_at_us", -1),
        ("started_at_us", True),
        ("started_at_us", 1.5),
        ("started_at_us", 2**60),
        ("columns", 0),
        ("rows", 10_001),
        ("keys", []),
        ("keys", {}),
        ("keys", [{}] * 9),
        ("keys", [7]),
        ("keys", [{"key_id": "00" * 8, "ephemeral": "", "sealed": ""}]),
        ("node_key", "AAAA"),
        ("node_key", "not base64!"),
        ("host_certificate", None),
    ],
)
def test_a_wrong_header_field_is_named(shop: Workshop, name: str, value: Any) -> None:
    fields = json.loads(encode_header(shop.header())) | {name: value}
    with pytest.raises(DamagedRecording) as caught:
        decode_header(json.dumps(fields).encode(), 8)
    assert caught.value.fault is Fault.MALFORMED
    assert caught.value.offset == 8


@pytest.mark.parametrize("raw", [b"", b"[]", b"{", b"\xff\xfe", b"[" * 60_000, b"null", b"1" * 5000])
def test_a_header_that_is_no_object_is_malformed(raw: bytes) -> None:
    with pytest.raises(DamagedRecording):
        decode_header(raw, 0)


def test_a_header_is_not_written_without_a_key_or_with_a_wrong_id(shop: Workshop) -> None:
    with pytest.raises(MalformedInput, match="wrapped keys"):
        encode_header(replace(shop.header(), keys=()))
    with pytest.raises(MalformedInput, match="recording id"):
        encode_header(replace(shop.header(), id=b"short"))
    with pytest.raises(MalformedInput, match="longer than"):
        encode_header(replace(shop.header(), term="x" * MAX_HEADER))


END = End(
    chunks=2,
    length=500,
    last=b"\x07" * 32,
    duration_us=9,
    output_bytes=3,
    ended=Ended.CUT,
    ended_at_us=11,
    exit_status=None,
    note="terminated by olivia",
    closer_key=b"\x01" * 32,
    index=pack_index_entry(IndexEntry(100, 0, 200, 1)) + pack_index_entry(IndexEntry(300, 5, 200, 2)),
    extra={"later": 1},
)


def test_an_end_record_survives() -> None:
    assert decode_end(encode_end(END), 0) == END


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("chunks", 3),
        ("chunks", MAX_CHUNKS + 1),
        ("ended", "bored"),
        ("last", "00"),
        ("exit_status", "0"),
        ("note", 0),
    ],
)
def test_a_wrong_end_field_is_refused(name: str, value: Any) -> None:
    raw = encode_end(END)
    size = int.from_bytes(raw[:4], "big")
    text = json.dumps(json.loads(raw[4 : 4 + size]) | {name: value}).encode()
    with pytest.raises(DamagedRecording):
        decode_end(len(text).to_bytes(4, "big") + text + END.index, 0)


@pytest.mark.parametrize("raw", [b"", b"\x00\x00", b"\xff\xff\xff\xff{}", b"\x00\x00\x00\x09{}"])
def test_an_end_record_whose_lengths_lie_is_malformed(raw: bytes) -> None:
    with pytest.raises(DamagedRecording):
        decode_end(raw, 0)


def test_a_record_survives_and_a_long_one_is_not_written() -> None:
    raw = encode_record(Kind.CHUNK, b"payload", b"s" * 64)
    record = parse_record(raw, 40)
    assert (record.kind, record.payload, record.signature) == (Kind.CHUNK, b"payload", b"s" * 64)
    assert (record.size, record.end) == (len(raw), 40 + len(raw))
    with pytest.raises(MalformedInput):
        encode_record(Kind.HEADER, bytes(MAX_HEADER + 1), b"")


@given(st.binary(min_size=FRAME_BYTES, max_size=FRAME_BYTES))
def test_a_frame_is_bounded_or_refused(raw: bytes) -> None:
    try:
        frame = parse_frame(raw, 0)
    except DamagedRecording:
        return
    assert frame.size < 32 * 1024 * 1024
    assert frame.signature_bytes in (0, 64)


@given(st.binary(max_size=300))
def test_any_chunk_payload_is_bounded_or_refused(raw: bytes) -> None:
    try:
        chunk = decode_chunk(raw, 0)
    except DamagedRecording:
        return
    assert chunk.number < MAX_CHUNKS
    assert chunk.output_bytes <= chunk.plain_bytes <= 1024 * 1024


def test_a_trailer_says_how_far_back_the_end_begins() -> None:
    assert decode_trailer(encode_trailer(77)) == 77
    assert decode_trailer(bytes(TRAILER_BYTES)) is None
    assert decode_trailer(b"") is None
    assert decode_trailer(b"\xff\xff\xff\xff" + encode_trailer(0)[4:]) is None


def test_the_index_finds_the_chunk_to_read_from() -> None:
    index = ChunkIndex(b"".join(pack_index_entry(IndexEntry(10 * n, 100 * n, 10, n)) for n in range(1, 5)))
    assert [index.at(time) for time in (0, 100, 199, 200, 399, 400, 10**9)] == [0, 0, 0, 0, 2, 2, 3]
    assert index[3] == IndexEntry(40, 400, 10, 4)
    assert ChunkIndex(b"").at(5) == 0
    with pytest.raises(IndexError):
        index[4]
