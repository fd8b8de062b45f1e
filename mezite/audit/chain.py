"""The hash chain: what ties each event to all before it. Pure; no storage, no clock.

    hash(n) = SHA-256( "mezite audit 1\\0" || hash(n-1) || n as 8 bytes, big-endian || body(n) )

1. `body` is the canonical JSON of the event: what was hashed is what is stored, byte for byte.
2. hash(0) is 32 zero bytes. Numbers rise by one from 1, with no gap.
3. A head is (number, hash), signed by the cluster's audit key. It vouches for every event up to its number,
   so a cut tail is found by any head beyond the cut, kept inside the database or outside.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

DOMAIN: Final = b"mezite audit 1\0"
GENESIS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Record:
    """One link as stored. `body` is the canonical JSON of its event."""

    seq: int
    body: str
    hash: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain at some moment. Unsigned (`signature` empty) while only the writer keeps it."""

    seq: int
    hash: bytes
    time: datetime
    key_id: str = ""
    signature: bytes = b""


def link(previous: bytes, seq: int, body: str) -> Record:
    """The record that follows a chain ending in `previous`."""
    digest = hashlib.sha256(DOMAIN + previous + seq.to_bytes(8, "big") + body.encode())
    return Record(seq, body, digest.digest())
