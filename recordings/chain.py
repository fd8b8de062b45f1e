"""What binds the records of a file to one another, to their writer, and to a key. No I/O and no clock.

Here are the links, the signatures and the order; `seal` closes and opens the contents.

Rules
 1. Every record has a *digest*, SHA-256 over DOMAIN, its kind, the link of the record before (zeros for the
    header) and its payload; and a *link*, SHA-256 over its digest and its signature. The last link stands
    for every byte of every record before it.
 2. Every record is signed: Ed25519 by the node over SIGNED · digest. One good signature vouches for all that
    came before, also in a file that has no end record.
 3. A chunk names its recording, its number and the link before it, so that a chunk read alone can be told
    from one of another recording or another place.
 4. Content is zstd, then AES-256-GCM under the recording's content key, nonce = chunk number. The clear
    fields of rule 3 are its associated data: what opens, opens only there.
 5. A number is sealed at most once. A sealer that failed half-way is spent and refuses: sealing other bytes
    under a used nonce would give both away.
 6. The end record holds the number of chunks, the last link, the length and the index. It is signed by the
    node, or by a *closer* whose key it names, after its writer died. A closer's signature is worth what the
    verifier knows about that key: else whoever cuts a file short could close it again.
 7. An illegal record raises and changes nothing.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final, Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from recordings.errors import DamagedRecording, Fault
from recordings.format import (
    Chunk,
    End,
    Ended,
    decode_chunk,
    decode_end,
    encode_end,
)
from recordings.frames import (
    LINK_BYTES,
    SIGNATURE_BYTES,
    Kind,
    Record,
    encode_record,
    encode_trailer,
)
from recordings.header import Header, decode_header
from recordings.index import ChunkIndex, IndexEntry, pack_index_entry

DOMAIN: Final = b"mezite-recording/1"
SIGNED: Final = b"mezite-recording/1 signed"
ZERO_LINK: Final = bytes(LINK_BYTES)


class Signer(Protocol):
    """Whoever signs records: the node, by its host key."""

    @property
    def public(self) -> bytes: ...

    def sign(self, message: bytes) -> bytes: ...


class Ed25519Signer:
    """A signer that holds its private key in memory."""

    __slots__ = ("_private", "public")

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        return self._private.sign(message)


def digest_of(kind: Kind, previous: bytes, body: bytes) -> bytes:
    """Rule 1: what a record's signature is over."""
    return hashlib.sha256(b"".join((DOMAIN, bytes([kind]), previous, body))).digest()


def link_of(digest: bytes, signature: bytes) -> bytes:
    """Rule 1: what the next record holds on to."""
    return hashlib.sha256(digest + signature).digest()


def is_signed_by(public: bytes, digest: bytes, signature: bytes) -> bool:
    """Rule 2: whether this key signed this digest."""
    if len(public) != 32 or len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, SIGNED + digest)
    except (InvalidSignature, ValueError):
        return False
    return True


def sign_digest(signer: Signer | None, digest: bytes) -> bytes:
    """Rule 2: the signature of a digest; none without a signer."""
    return b"" if signer is None else signer.sign(SIGNED + digest)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a recording came to its end, as its closer tells it."""

    ended: Ended
    at_us: int
    """Wall clock, microseconds since 1970."""
    exit_status: int | None = None
    note: str = ""


class Chain:
    """A recording followed record by record: what the next one must be, and the index of those before.

    The writer and every reader keep one; `admit` judges a record and takes it in.
    """

    __slots__ = (
        "_digest",
        "_index",
        "duration_us",
        "end",
        "header",
        "length",
        "link",
        "number",
        "output_bytes",
        "signature",
    )

    def __init__(self, header_record: Record) -> None:
        if header_record.kind is not Kind.HEADER:
            raise DamagedRecording(
                Fault.MALFORMED, "the first record is no header", offset=header_record.offset
            )
        self.header: Header = decode_header(header_record.payload, header_record.offset)
        self.link = ZERO_LINK
        self._hold(header_record)
        self.number = 0
        self.length = header_record.end
        self.duration_us = 0
        self.output_bytes = 0
        self.end: End | None = None
        self._index = bytearray()

    @property
    def index(self) -> ChunkIndex:
        return ChunkIndex(bytes(self._index))

    def admit(self, record: Record) -> Chunk | End:
        """The record understood, if it is the one that belongs here; else raises and stays as it was."""
        if self.end is not None:
            raise DamagedRecording(Fault.TRAILING, "a record after the end record", offset=record.offset)
        if record.kind is Kind.CHUNK:
            return self._admit_chunk(record)
        if record.kind is Kind.END:
            return self._admit_end(record)
        raise DamagedRecording(Fault.MALFORMED, "a second header", offset=record.offset)

    def _admit_chunk(self, record: Record) -> Chunk:
        chunk = decode_chunk(record.payload, record.offset)
        judge_place(chunk, self, record.offset)
        self.advance(chunk, record)
        return chunk

    def _admit_end(self, record: Record) -> End:
        end = decode_end(record.payload, record.offset)
        if end.chunks > self.number:
            detail = f"the end record counts {end.chunks} chunks, {self.number} are here"
            raise DamagedRecording(Fault.TRUNCATED, detail, offset=record.offset)
        agrees = (
            end.chunks == self.number
            and end.length == self.length == record.offset
            and end.last == self.link
            and end.duration_us == self.duration_us
            and end.output_bytes == self.output_bytes
            and end.index == self._index
        )
        if not agrees:
            detail = "the end record is not about the records before it"
            raise DamagedRecording(Fault.ALTERED, detail, offset=record.offset)
        self._hold(record)
        self.end = end
        return end

    def _hold(self, record: Record) -> None:
        self._digest = digest_of(record.kind, self.link, record.payload)
        self.signature = record.signature
        self.link = link_of(self._digest, record.signature)

    def advance(self, chunk: Chunk, record: Record) -> None:
        """Takes in a chunk that belongs here. For writers; readers go through `admit`."""
        entry = IndexEntry(record.offset, chunk.start_us, record.size, chunk.output_bytes)
        self._index += pack_index_entry(entry)
        self._hold(record)
        self.number += 1
        self.length = record.end
        self.duration_us = chunk.end_us
        self.output_bytes += chunk.output_bytes

    @property
    def signer_key(self) -> bytes:
        """The key that must have signed the last record taken in; empty when the recording is unsigned."""
        return (self.end.closer_key if self.end else b"") or self.header.node_key

    @property
    def is_signed(self) -> bool:
        """Whether the signature of the last record taken in, and with it all before, is good."""
        return is_signed_by(self.signer_key, self._digest, self.signature)

    def close(self, ending: Ending, signer: Signer | None) -> bytes:
        """The end record and the trailer that finish this chain. Changes nothing: `admit` takes them in."""
        closer = signer.public if signer is not None and signer.public != self.header.node_key else b""
        body = encode_end(
            End(
                chunks=self.number,
                length=self.length,
                last=self.link,
                duration_us=self.duration_us,
                output_bytes=self.output_bytes,
                ended=ending.ended,
                ended_at_us=ending.at_us,
                exit_status=ending.exit_status,
                note=ending.note,
                closer_key=closer,
                index=bytes(self._index),
            )
        )
        record = encode_record(Kind.END, body, sign_digest(signer, digest_of(Kind.END, self.link, body)))
        return record + encode_trailer(len(record))


def judge_place(chunk: Chunk, chain: Chain, offset: int) -> None:
    """Rule 3: raises unless this chunk is the next of this chain."""
    number, follows = chunk.number, chunk.previous == chain.link
    # One that follows this very chain was not brought from elsewhere: its own fields were changed.
    if follows and (chunk.id != chain.header.id or number != chain.number):
        detail = "its number or id was changed"
        raise DamagedRecording(Fault.ALTERED, detail, offset=offset, chunk=chain.number)
    if chunk.id != chain.header.id:
        detail = f"a chunk of recording {chunk.id.hex()}"
        raise DamagedRecording(Fault.FOREIGN, detail, offset=offset, chunk=chain.number)
    if number > chain.number:
        detail = f"chunk {number} where {chain.number} belongs"
        raise DamagedRecording(Fault.MISSING, detail, offset=offset, chunk=chain.number)
    if number < chain.number:
        detail = f"chunk {number} where {chain.number} belongs"
        raise DamagedRecording(Fault.REORDERED, detail, offset=offset, chunk=chain.number)
    if not follows:
        detail = "it does not follow what stands before it"
        raise DamagedRecording(Fault.ALTERED, detail, offset=offset, chunk=number)
    if chunk.start_us < chain.duration_us:
        raise DamagedRecording(
            Fault.MALFORMED, "it starts before its predecessor ends", offset=offset, chunk=number
        )
