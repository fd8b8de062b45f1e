"""Contents closed and opened: events to sealed chunks (`Sealer`), and back (`Opener`).

The rules are those of `chain`, of which 4 (what is sealed to what) and 5 (no number twice) are kept here.
No I/O and no clock.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import zstandard
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from recordings import payload
from recordings.chain import DOMAIN, ZERO_LINK, Chain, Ending, Signer, digest_of, sign_digest
from recordings.errors import DamagedRecording, Fault, MalformedInput, RecordingLost
from recordings.events import Event, Output
from recordings.format import Chunk, chunk_fields
from recordings.frames import FRAME_BYTES, MAGIC, MAX_CHUNKS, MAX_PLAIN, Kind, Record, encode_record
from recordings.header import Header, encode_header
from recordings.keys import ContentKey

ZSTD_LEVEL: Final = 3


class Sealer:
    """Events in, records out: the writing end of a chain."""

    __slots__ = ("_cipher", "_compressor", "_signer", "_spent", "chain", "opening")

    def __init__(self, header: Header, content: ContentKey, signer: Signer | None) -> None:
        if header.node_key != (signer.public if signer else b""):
            raise MalformedInput("the header's node key is not the signer's")
        body = encode_header(header)
        digest = digest_of(Kind.HEADER, ZERO_LINK, body)
        raw = encode_record(Kind.HEADER, body, sign_digest(signer, digest))
        self.opening: bytes = MAGIC + raw
        """The first bytes of the file: magic and header record."""
        self.chain = Chain(_record(raw, len(MAGIC)))
        self._cipher = AESGCM(content.raw)
        self._compressor = zstandard.ZstdCompressor(level=ZSTD_LEVEL)
        self._signer = signer
        self._spent = False

    def chunk(self, events: Sequence[Event]) -> bytes:
        """The next chunk record, holding these events; at least one."""
        if self._spent:
            raise RecordingLost("an earlier chunk failed while it was sealed; this recording cannot go on")
        chain = self.chain
        if chain.number >= MAX_CHUNKS:
            raise RecordingLost(f"a recording holds at most {MAX_CHUNKS} chunks")
        if not events:
            raise MalformedInput("a chunk holds at least one event")
        start_us = max(events[0].at_us, chain.duration_us)
        plain = payload.encode(events, start_us)
        if len(plain) > MAX_PLAIN:
            raise MalformedInput(f"chunk of {len(plain)} bytes is longer than {MAX_PLAIN}")
        clear = Chunk(
            id=chain.header.id,
            number=chain.number,
            previous=chain.link,
            start_us=start_us,
            end_us=events[-1].at_us,
            plain_bytes=len(plain),
            output_bytes=sum(len(event.data) for event in events if isinstance(event, Output)),
            sealed=b"",
        )
        self._spent = True
        raw = self._seal(clear, plain)
        chain.advance(clear, _record(raw, chain.length))
        self._spent = False
        return raw

    def _seal(self, clear: Chunk, plain: bytes) -> bytes:
        fields = chunk_fields(clear)
        sealed = self._cipher.encrypt(_nonce(clear.number), self._compressor.compress(plain), DOMAIN + fields)
        body = fields + sealed
        return encode_record(
            Kind.CHUNK, body, sign_digest(self._signer, digest_of(Kind.CHUNK, clear.previous, body))
        )

    def close(self, ending: Ending) -> bytes:
        """The end record and trailer. Nothing may be sealed after it."""
        self._spent = True
        return self.chain.close(ending, self._signer)


class Opener:
    """Sealed chunks in, events out; bounded against what a hostile writer could make of them."""

    __slots__ = ("_cipher", "_decompressor")

    def __init__(self, content: ContentKey) -> None:
        self._cipher = AESGCM(content.raw)
        self._decompressor = zstandard.ZstdDecompressor(max_window_size=8 * 1024 * 1024)

    def open(self, chunk: Chunk, offset: int) -> list[Event]:
        """The chunk's events. A chunk that does not open, or does not hold what it says, raises."""
        plain = self._decompress(self._unseal(chunk, offset), chunk, offset)
        try:
            events = list(payload.decode(plain, chunk.start_us))
        except DamagedRecording as damage:
            raise _unreadable(damage.detail, chunk, offset) from None
        shown = sum(len(event.data) for event in events if isinstance(event, Output))
        if shown != chunk.output_bytes or any(event.at_us > chunk.end_us for event in events):
            raise _unreadable("its content is not what its clear fields say", chunk, offset)
        return events

    def _unseal(self, chunk: Chunk, offset: int) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(chunk.number), chunk.sealed, DOMAIN + chunk_fields(chunk))
        except InvalidTag:
            raise _unreadable("its seal does not open", chunk, offset) from None

    def _decompress(self, packed: bytes, chunk: Chunk, offset: int) -> bytes:
        # The frame names its own size and zstandard would allocate that, whatever limit it is given.
        try:
            if zstandard.frame_content_size(packed) != chunk.plain_bytes:
                raise _unreadable("its content has another size than it says", chunk, offset)
            plain: bytes = self._decompressor.decompress(packed, allow_extra_data=False)
        except zstandard.ZstdError:
            raise _unreadable("its content does not decompress", chunk, offset) from None
        return plain


def _unreadable(detail: str, chunk: Chunk, offset: int) -> DamagedRecording:
    return DamagedRecording(Fault.UNREADABLE, detail, offset=offset, chunk=chunk.number)


def _nonce(number: int) -> bytes:
    return number.to_bytes(12, "big")


def _record(raw: bytes, offset: int) -> Record:
    kind, split = Kind(raw[0]), len(raw) - raw[5]
    return Record(kind, raw[FRAME_BYTES:split], raw[split:], offset)
