"""The side file of screen snapshots that makes any seek a jump. Derived, sealed, and never needed.

    file  := magic (8 bytes) · recording id (16) · entry*
    entry := chunk u32 · length u32 · nonce (12) · sealed snapshot

An entry is the screen before the first event of its chunk. It shows what the recording shows, so it is sealed
too, under a key derived from the content key, bound to the recording and to its chunk. Whoever lacks the
file, or finds it damaged, makes it again from the recording: verification never looks at it.
"""

from __future__ import annotations

import bisect
import os
import struct
from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from recordings.errors import BadSnapshot
from recordings.events import Event, Output, Resize
from recordings.frames import MAX_CHUNKS
from recordings.reader import Recording
from recordings.screen import Screen

MAGIC: Final = b"\x89MZS\r\n\x1a\x01"
PURPOSE: Final = b"snapshots"
EVERY_BYTES: Final = 48 * 1024
"""Output between two snapshots: what a seek replays at most, beside one chunk."""
EVERY_CHUNKS: Final = 64
"""Chunks between two snapshots: a quiet session has little output in many chunks."""
MAX_SEALED: Final = 4 * 1024 * 1024
_ENTRY = struct.Struct(">II12s")


def show(screen: Screen, event: Event) -> None:
    """Lets a screen take in an event."""
    match event:
        case Output(data=data):
            screen.feed(data)
        case Resize(columns=columns, rows=rows):
            screen.resize(columns, rows)


def build(recording: Recording) -> Iterator[bytes]:
    """The side file of a recording, piece by piece. Plays it once through."""
    cipher = AESGCM(recording.key_for(PURPOSE))
    header = recording.header
    yield MAGIC + header.id
    screen = Screen(header.columns, header.rows)
    bytes_since = chunks_since = 0
    for number, entry in enumerate(recording.index):
        if bytes_since + entry.output_bytes > EVERY_BYTES or chunks_since >= EVERY_CHUNKS:
            nonce = os.urandom(12)
            sealed = cipher.encrypt(nonce, screen.snapshot(), _bound(header.id, number))
            yield _ENTRY.pack(number, len(sealed), nonce) + sealed
            bytes_since = chunks_since = 0
        for event in recording.chunk_events(number):
            show(screen, event)
        bytes_since += entry.output_bytes
        chunks_since += 1


def _bound(recording_id: bytes, number: int) -> bytes:
    return MAGIC + recording_id + number.to_bytes(4, "big")


class Snapshots:
    """A side file opened: the last snapshot at or before a chunk."""

    def __init__(self, recording: Recording, raw: bytes) -> None:
        self._id = recording.header.id
        self._cipher = AESGCM(recording.key_for(PURPOSE))
        self._raw = raw
        self._chunks: list[int] = []
        self._offsets: list[int] = []
        self._read_entries()

    def _read_entries(self) -> None:
        if not self._raw.startswith(MAGIC + self._id):
            raise BadSnapshot("not the snapshots of this recording")
        at = len(MAGIC) + len(self._id)
        while at + _ENTRY.size <= len(self._raw):
            chunk, length, _ = _ENTRY.unpack_from(self._raw, at)
            if chunk >= MAX_CHUNKS or length > MAX_SEALED or (self._chunks and chunk <= self._chunks[-1]):
                raise BadSnapshot("an entry of the snapshots is out of bounds")
            if at + _ENTRY.size + length > len(self._raw):
                break  # still being written: what is whole is used
            self._chunks.append(chunk)
            self._offsets.append(at)
            at += _ENTRY.size + length

    def before(self, chunk: int) -> tuple[int, Screen] | None:
        """The last snapshot that is not after `chunk`: the chunk it stands before, and the screen."""
        position = bisect.bisect_right(self._chunks, chunk) - 1
        if position < 0:
            return None
        offset = self._offsets[position]
        number, length, nonce = _ENTRY.unpack_from(self._raw, offset)
        start = offset + _ENTRY.size
        try:
            plain = self._cipher.decrypt(nonce, self._raw[start : start + length], _bound(self._id, number))
        except InvalidTag:
            raise BadSnapshot("a snapshot does not open") from None
        return number, Screen.restore(plain)
