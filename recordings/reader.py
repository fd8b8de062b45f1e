"""Reading a recording: its events from any moment on, each chunk verified before one of its events is given.

A finished file is opened by its end record, without reading what lies between; an unfinished or cut one is
walked, and plays up to its last whole chunk. Damage further in is raised when it is reached, so that all
before it plays. Whether the signer is to be *trusted* is the question of `verify`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from recordings import scan
from recordings.chain import Chain, digest_of, is_signed_by, link_of
from recordings.errors import DamagedRecording, Fault
from recordings.events import Event
from recordings.format import Chunk, End, decode_chunk, decode_end
from recordings.frames import TRAILER_BYTES, Kind, Record, decode_trailer
from recordings.header import Header, WrappedKey
from recordings.index import ChunkIndex, IndexEntry
from recordings.keys import Keyring
from recordings.seal import Opener
from recordings.source import Source

T = TypeVar("T")


class Recording:
    """An open recording. `ring` may be None for whoever wants only what stands in the clear."""

    def __init__(
        self, source: Source, ring: Keyring | None = None, *, more_wraps: Sequence[WrappedKey] = ()
    ) -> None:
        self._source = source
        self._chain = scan.begin(source)
        self._content = (
            None if ring is None else ring.unwrap((*self.header.keys, *more_wraps), self.header.id)
        )
        self._opener = None if self._content is None else Opener(self._content)
        self.end: End | None = _end_of(source, self._chain)
        self.damage: DamagedRecording | None = None
        """Why it cannot be read further. A torn last record is usual while it is written."""
        if self.end is None:
            self._walk()
        else:
            self._index = ChunkIndex(self.end.index)

    @property
    def header(self) -> Header:
        return self._chain.header

    @property
    def index(self) -> ChunkIndex:
        return self._index

    @property
    def duration_us(self) -> int:
        return self._chain.duration_us if self.end is None else self.end.duration_us

    def key_for(self, purpose: bytes) -> bytes:
        """A key of its own for something derived from this recording, such as its snapshots."""
        return self._unlocked(self._content).derive(purpose)

    def refresh(self) -> None:
        """Looks again at a recording that was unfinished: there may be more of it."""
        if self.end is None:
            self._walk()

    def _walk(self) -> None:
        walked = scan.walk(self._source, self._chain)
        self._index = walked.chain.index
        self.damage = walked.stopped_by
        self.end = walked.chain.end

    def events(self, from_us: int = 0) -> Iterator[Event]:
        """Events in order, from the start of the chunk that covers `from_us`."""
        previous: bytes | None = None
        for number in range(self._index.at(from_us), len(self._index)):
            chunk, record, link = self._chunk(number)
            if previous is not None and chunk.previous != previous:
                detail = "it does not follow the chunk before it"
                raise DamagedRecording(Fault.ALTERED, detail, offset=record.offset, chunk=number)
            previous = link
            yield from self._open(chunk, record.offset)

    def chunk_events(self, number: int) -> list[Event]:
        """The events of one chunk."""
        chunk, record, _ = self._chunk(number)
        return self._open(chunk, record.offset)

    def _open(self, chunk: Chunk, offset: int) -> list[Event]:
        return self._unlocked(self._opener).open(chunk, offset)

    @staticmethod
    def _unlocked(held: T | None) -> T:
        if held is None:
            raise ValueError("opened without a keyring: this recording's contents cannot be read")
        return held

    def _chunk(self, number: int) -> tuple[Chunk, Record, bytes]:
        entry = self._index[number]
        record = scan.read_record(self._source, entry.offset, self._source.size())
        if record.kind is not Kind.CHUNK:
            raise DamagedRecording(Fault.ALTERED, "no chunk here", offset=entry.offset, chunk=number)
        chunk = decode_chunk(record.payload, record.offset)
        digest = digest_of(Kind.CHUNK, chunk.previous, record.payload)
        _judge(chunk, record, digest, number, entry, self.header)
        return chunk, record, link_of(digest, record.signature)


def _judge(
    chunk: Chunk, record: Record, digest: bytes, number: int, entry: IndexEntry, header: Header
) -> None:
    """Raises unless this chunk, read by itself, is the one the index promised."""
    fault: Fault | None = None
    if chunk.id != header.id:
        fault = Fault.FOREIGN
    elif chunk.number != number:
        fault = Fault.REORDERED
    elif IndexEntry(record.offset, chunk.start_us, record.size, chunk.output_bytes) != entry:
        fault = Fault.ALTERED
    elif header.node_key and not is_signed_by(header.node_key, digest, record.signature):
        fault = Fault.ALTERED if record.signature else Fault.UNSIGNED
    if fault is not None:
        raise DamagedRecording(fault, "not the chunk that belongs here", offset=entry.offset, chunk=number)


def _end_of(source: Source, chain: Chain) -> End | None:
    """The end record by way of the trailer, if its signer vouches for it; None sends to the walk."""
    size = source.size()
    back = decode_trailer(source.read_at(max(size - TRAILER_BYTES, 0), TRAILER_BYTES))
    if back is None:
        return None
    offset = size - TRAILER_BYTES - back
    if offset < chain.length:
        return None
    try:
        record = scan.read_record(source, offset, size)
        if record.kind is not Kind.END or record.size != back:
            return None
        end = decode_end(record.payload, offset)
    except DamagedRecording:
        return None
    key = end.closer_key or chain.header.node_key
    signed = is_signed_by(key, digest_of(Kind.END, end.last, record.payload), record.signature)
    return end if end.length == offset and (signed or not key) else None
