"""Version 1 of the recording file: what stands in a chunk and in the end record. Pure: no I/O, no keys.

`frames` says how records are framed, `header` what the first one holds, `payload` what a chunk holds once it
is opened, `chain` what links and seals them. `docs/formats/recording.md` is the specification of it all, and
the vectors beside the tests hold these modules to it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Final

from recordings.errors import DamagedRecording, Fault
from recordings.fields import Fields, b64, to_json
from recordings.frames import (
    CHUNK_FIELD_BYTES,
    INDEX_ENTRY_BYTES,
    LINK_BYTES,
    MAX_CHUNKS,
    MAX_END_FIELDS,
    MAX_PLAIN,
    MAX_TIME_US,
    TAG_BYTES,
)

_CHUNK = struct.Struct(">16sI32sQQII")
_LENGTH = struct.Struct(">I")


@dataclass(frozen=True, slots=True)
class Chunk:
    """A numbered, sealed piece of the recording. All but `sealed` is clear, and bound into the seal."""

    id: bytes
    number: int
    previous: bytes
    """The link of the record before; for chunk 0 the header's."""
    start_us: int
    end_us: int
    plain_bytes: int
    output_bytes: int
    sealed: bytes


def chunk_fields(chunk: Chunk) -> bytes:
    """The clear fields as they stand in the file, and as the seal authenticates them."""
    return _CHUNK.pack(
        chunk.id,
        chunk.number,
        chunk.previous,
        chunk.start_us,
        chunk.end_us,
        chunk.plain_bytes,
        chunk.output_bytes,
    )


def encode_chunk(chunk: Chunk) -> bytes:
    """A chunk's payload."""
    return chunk_fields(chunk) + chunk.sealed


def decode_chunk(payload: bytes, offset: int) -> Chunk:
    """A chunk from its payload. Says nothing yet about whether it belongs where it stands."""
    if len(payload) < CHUNK_FIELD_BYTES + TAG_BYTES:
        raise DamagedRecording(Fault.MALFORMED, f"chunk of {len(payload)} bytes", offset=offset)
    of, number, previous, start_us, end_us, plain_bytes, output_bytes = _CHUNK.unpack_from(payload)
    sealed = payload[CHUNK_FIELD_BYTES:]
    chunk = Chunk(of, number, previous, start_us, end_us, plain_bytes, output_bytes, sealed)
    if not (
        chunk.number < MAX_CHUNKS
        and chunk.start_us <= chunk.end_us <= MAX_TIME_US
        and chunk.plain_bytes <= MAX_PLAIN
        and chunk.output_bytes <= chunk.plain_bytes
    ):
        raise DamagedRecording(Fault.MALFORMED, "chunk fields out of bounds", offset=offset)
    return chunk


class Ended(Enum):
    """Why a recording is complete. The values are on disk."""

    EXIT = "exit"
    """What ran ended."""
    CUT = "cut"
    """The session was ended from outside: terminated, locked, expired, disconnected."""
    CRASH = "crash"
    """Its writer died; somebody else wrote the end record."""


@dataclass(frozen=True, slots=True)
class End:
    """The last record: how long the recording is, what its chain came to, and where its chunks are."""

    chunks: int
    length: int
    """Bytes of the file before this record."""
    last: bytes
    """The link of the last record before this one."""
    duration_us: int
    output_bytes: int
    ended: Ended
    ended_at_us: int
    exit_status: int | None = None
    note: str = ""
    closer_key: bytes = b""
    """Who signed this record, when it is not the node of the header."""
    index: bytes = b""
    """`chunks` packed entries, in order. Read it with `ChunkIndex`: there may be a million."""
    extra: Mapping[str, Any] = field(default_factory=dict)


_END_FIELDS: Final = frozenset(
    {
        "chunks",
        "length",
        "last",
        "duration_us",
        "output_bytes",
        "ended",
        "ended_at_us",
        "exit_status",
        "note",
        "closer_key",
    }
)


def encode_end(end: End) -> bytes:
    """The end record's payload: length of the JSON u32, the JSON, the packed index."""
    fields = dict(end.extra) | {
        "chunks": end.chunks,
        "length": end.length,
        "last": end.last.hex(),
        "duration_us": end.duration_us,
        "output_bytes": end.output_bytes,
        "ended": end.ended.value,
        "ended_at_us": end.ended_at_us,
        "exit_status": end.exit_status,
        "note": end.note,
        "closer_key": b64(end.closer_key),
    }
    text = to_json(fields, MAX_END_FIELDS)
    return _LENGTH.pack(len(text)) + text + end.index


def decode_end(payload: bytes, offset: int) -> End:
    """An end record from its payload; the index is measured here and read lazily."""
    if len(payload) < _LENGTH.size:
        raise DamagedRecording(Fault.MALFORMED, "end record too short", offset=offset)
    (text_bytes,) = _LENGTH.unpack_from(payload)
    split = _LENGTH.size + text_bytes
    if text_bytes > MAX_END_FIELDS or split > len(payload):
        raise DamagedRecording(Fault.MALFORMED, f"end record's fields of {text_bytes} bytes", offset=offset)
    read = Fields(payload[_LENGTH.size : split], offset)
    end = End(
        chunks=read.number("chunks", MAX_CHUNKS),
        length=read.number("length", MAX_TIME_US),
        last=read.hex("last", LINK_BYTES),
        duration_us=read.number("duration_us", MAX_TIME_US),
        output_bytes=read.number("output_bytes", MAX_TIME_US),
        ended=Ended(read.choice("ended", [reason.value for reason in Ended])),
        ended_at_us=read.number("ended_at_us", MAX_TIME_US),
        exit_status=read.optional_number("exit_status", 0xFFFF_FFFF),
        note=read.text("note"),
        closer_key=read.base64("closer_key", (0, 32)),
        index=payload[split:],
        extra=read.unknown(_END_FIELDS),
    )
    if len(end.index) != end.chunks * INDEX_ENTRY_BYTES:
        raise read.malformed(f"index of {len(end.index)} bytes for {end.chunks} chunks")
    return end
