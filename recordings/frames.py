"""Records, the unit of a recording file: how each is framed, and how large it may be.

    file    := magic (8 bytes) · header record · chunk record* · [end record · trailer]
    record  := kind u8 · payload length u32 · signature length u8 (0 or 64) · payload · signature
    trailer := length of the end record u32 · 89 4D 5A 45

All integers are big-endian. What stands inside a payload is `header` and `format`; what links, seals and
signs records is `chain`.

The rule kept here: nothing read from a file is believed before it is bounded. Each length is checked against
a constant of this module before anything of that size is allocated.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from recordings.errors import DamagedRecording, Fault, MalformedInput

VERSION: Final = 1
MAGIC: Final = b"\x89MZR\r\n\x1a\x01"
"""A byte that is no text, the name, what a text-mode copy would damage, and the version."""
TRAILER_MAGIC: Final = b"\x89MZE"

ID_BYTES: Final = 16
LINK_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
TAG_BYTES: Final = 16

MAX_HEADER: Final = 64 * 1024
MAX_PLAIN: Final = 1024 * 1024
MAX_SEALED: Final = MAX_PLAIN + 64 * 1024
"""Room for what zstd adds to bytes that do not compress, and for the tag."""
MAX_CHUNKS: Final = 1_000_000
MAX_END_FIELDS: Final = 64 * 1024
MAX_TIME_US: Final = 2**53
MAX_WRAPS: Final = 8

_FRAME = struct.Struct(">BIB")
_TRAILER = struct.Struct(">I4s")

FRAME_BYTES: Final = _FRAME.size
TRAILER_BYTES: Final = _TRAILER.size
CHUNK_FIELD_BYTES: Final = 76
INDEX_ENTRY_BYTES: Final = 24
MAX_END: Final = 4 + MAX_END_FIELDS + MAX_CHUNKS * INDEX_ENTRY_BYTES


class Kind(IntEnum):
    """Record kinds. The numbers are on disk: none is ever used again for something else."""

    HEADER = 0x48
    CHUNK = 0x43
    END = 0x45


_MAX_PAYLOAD: Final[Mapping[int, int]] = {
    Kind.HEADER: MAX_HEADER,
    Kind.CHUNK: CHUNK_FIELD_BYTES + MAX_SEALED,
    Kind.END: MAX_END,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What the first bytes of a record say about the rest of it."""

    kind: Kind
    payload_bytes: int
    signature_bytes: int

    @property
    def size(self) -> int:
        return FRAME_BYTES + self.payload_bytes + self.signature_bytes


@dataclass(frozen=True, slots=True)
class Record:
    """One whole record, parted but not yet understood."""

    kind: Kind
    payload: bytes
    signature: bytes
    offset: int

    @property
    def size(self) -> int:
        return FRAME_BYTES + len(self.payload) + len(self.signature)

    @property
    def end(self) -> int:
        return self.offset + self.size


def encode_record(kind: Kind, payload: bytes, signature: bytes) -> bytes:
    """A record as it stands in the file."""
    if len(payload) > _MAX_PAYLOAD[kind]:
        raise MalformedInput(
            f"{kind.name.lower()} of {len(payload)} bytes is longer than {_MAX_PAYLOAD[kind]}"
        )
    return _FRAME.pack(kind, len(payload), len(signature)) + payload + signature


def parse_frame(raw: bytes, offset: int) -> Frame:
    """Judges the first `FRAME_BYTES` of a record found at `offset`."""
    kind, payload_bytes, signature_bytes = _FRAME.unpack_from(raw)
    limit = _MAX_PAYLOAD.get(kind)
    if limit is None:
        raise DamagedRecording(Fault.MALFORMED, f"no record begins with byte {kind:#04x}", offset=offset)
    if payload_bytes > limit:
        raise DamagedRecording(
            Fault.MALFORMED, f"record of {payload_bytes} bytes, at most {limit}", offset=offset
        )
    if signature_bytes not in (0, SIGNATURE_BYTES):
        raise DamagedRecording(Fault.MALFORMED, f"signature of {signature_bytes} bytes", offset=offset)
    return Frame(Kind(kind), payload_bytes, signature_bytes)


def parse_record(raw: bytes, offset: int) -> Record:
    """Parts the bytes of one whole record found at `offset`."""
    frame = parse_frame(raw, offset)
    split = FRAME_BYTES + frame.payload_bytes
    return Record(frame.kind, raw[FRAME_BYTES:split], raw[split : frame.size], offset)


def encode_trailer(end_record_bytes: int) -> bytes:
    """The last bytes of a finished file: how far back its end record begins."""
    return _TRAILER.pack(end_record_bytes, TRAILER_MAGIC)


def decode_trailer(raw: bytes) -> int | None:
    """Length of the end record before this trailer, or None when these bytes are none."""
    if len(raw) != TRAILER_BYTES:
        return None
    length, magic = _TRAILER.unpack(raw)
    return (
        int(length) if magic == TRAILER_MAGIC and length <= FRAME_BYTES + MAX_END + SIGNATURE_BYTES else None
    )
