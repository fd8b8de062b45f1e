"""Walking a recording from its first byte: which records are in their place, and what stops the walk.

No key is needed. A walk never raises for what it finds behind the header: it stops there and says why,
because all before it is still good.
"""

from __future__ import annotations

from dataclasses import dataclass

from recordings.chain import Chain
from recordings.errors import DamagedRecording, Fault
from recordings.frames import (
    FRAME_BYTES,
    MAGIC,
    TRAILER_BYTES,
    Kind,
    Record,
    decode_trailer,
    parse_frame,
    parse_record,
)
from recordings.source import Source


def read_record(source: Source, offset: int, size: int) -> Record:
    """The record at `offset` of a source of `size` bytes; one that does not fit is truncated."""
    raw = source.read_at(offset, FRAME_BYTES)
    if len(raw) < FRAME_BYTES:
        raise DamagedRecording(Fault.TRUNCATED, f"{len(raw)} bytes of a record", offset=offset)
    frame = parse_frame(raw, offset)
    if frame.size > size - offset:
        detail = f"{size - offset} bytes of a record of {frame.size}"
        raise DamagedRecording(Fault.TRUNCATED, detail, offset=offset)
    raw = source.read_at(offset, frame.size)
    if len(raw) < frame.size:
        raise DamagedRecording(Fault.TRUNCATED, "the file became shorter while it was read", offset=offset)
    return parse_record(raw, offset)


def begin(source: Source) -> Chain:
    """The chain of a source after its header. Without a whole header there is nothing to walk: raises."""
    magic = source.read_at(0, len(MAGIC))
    if magic != MAGIC:
        if magic and MAGIC.startswith(magic):
            raise DamagedRecording(Fault.TRUNCATED, "the file ends before its header")
        if magic[:-1] == MAGIC[:-1]:
            detail = f"format version {magic[-1]}; this program reads version {MAGIC[-1]}"
            raise DamagedRecording(Fault.MALFORMED, detail)
        raise DamagedRecording(Fault.MALFORMED, "not a recording" if magic else "the file is empty")
    return Chain(read_record(source, len(MAGIC), source.size()))


@dataclass(slots=True)
class Walk:
    """How far a source holds together."""

    chain: Chain
    stopped_by: DamagedRecording | None = None
    """Why the walk ended before the end of the file; None when the file ends at a record's border."""

    @property
    def whole_bytes(self) -> int:
        """Bytes up to the end of the last good chunk (or header, when there is none)."""
        return self.chain.length


def walk(source: Source, chain: Chain | None = None) -> Walk:
    """Walks from the header, or on from where `chain` stands in a source that grew."""
    walked = Walk(chain or begin(source))
    size = source.size()
    try:
        while walked.chain.end is None and walked.chain.length < size:
            record = read_record(source, walked.chain.length, size)
            walked.chain.admit(record)
            if record.kind is Kind.END:
                check_trailer(source, record, size)
    except DamagedRecording as damage:
        walked.stopped_by = damage
    return walked


def check_trailer(source: Source, end: Record, size: int) -> None:
    """Raises unless exactly the end record's trailer stands behind it."""
    raw = source.read_at(end.end, TRAILER_BYTES)
    if len(raw) < TRAILER_BYTES:
        raise DamagedRecording(Fault.TRUNCATED, "the file ends inside its trailer", offset=end.end)
    if decode_trailer(raw) != end.size:
        raise DamagedRecording(Fault.ALTERED, "the trailer does not name the end record", offset=end.end)
    if size > end.end + TRAILER_BYTES:
        extra = size - end.end - TRAILER_BYTES
        raise DamagedRecording(Fault.TRAILING, f"{extra} bytes after the end", offset=end.end + TRAILER_BYTES)
