"""Heads of the chain, signed, and the one line of text that carries one to files, flags and logs.

    signature = Ed25519( "mezite audit head 1\\0" || seq (8) || hash (32) || time in us (8) || key id )
    mezite-head:SEQ:HASH:TIME:KEY:SIGNATURE

SEQ is decimal, HASH 64 hexadecimal digits, TIME `20260324T100000.000000Z`, SIGNATURE base64url without
padding. An unsigned head has KEY and SIGNATURE empty. A head is written in one way only, so equal heads are
equal texts.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mezite.audit.chain import Head
from mezite.clock import to_us
from mezite.errors import Invalid

DOMAIN: Final = b"mezite audit head 1\0"
MAX_HEAD_CHARS: Final = 512

_PREFIX: Final = "mezite-head"
_TIME: Final = "%Y%m%dT%H%M%S.%fZ"
_LINE: Final = re.compile(
    r"mezite-head:([1-9][0-9]{0,18}):([0-9a-f]{64}):([0-9]{8}T[0-9]{6}\.[0-9]{6}Z):"
    r"(?:([A-Za-z0-9_-]{1,64}):([A-Za-z0-9_-]{86})|:)"
)


def sign_head(key: Ed25519PrivateKey, key_id: str, head: Head, now: datetime) -> Head:
    """`head`, vouched for at `now` by the audit key of this id."""
    unsigned = replace(head, time=now, key_id=key_id, signature=b"")
    return replace(unsigned, signature=key.sign(_signed_bytes(unsigned)))


def is_genuine(head: Head, keys: Mapping[str, bytes]) -> bool:
    """Whether one of these public keys, named by the head, signed it."""
    if head.key_id not in keys:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(keys[head.key_id]).verify(head.signature, _signed_bytes(head))
    except (InvalidSignature, OverflowError, ValueError):
        return False
    return True


def format_head(head: Head) -> str:
    """The line for this head."""
    moment = head.time.astimezone(UTC)
    # strftime pads no years below 1000, and no head is that old unless somebody forged it.
    when = f"{moment.year:04}{moment.strftime(_TIME.removeprefix('%Y'))}"
    signature = base64.urlsafe_b64encode(head.signature).decode().rstrip("=")
    return ":".join((_PREFIX, str(head.seq), head.hash.hex(), when, head.key_id, signature))


def parse_head(text: str) -> Head:
    """The head in a line as `format_head` writes it; else `Invalid`. Says nothing of its truth."""
    line = text.strip()
    found = _LINE.fullmatch(line) if len(line) <= MAX_HEAD_CHARS else None
    try:
        head = _head(found) if found else None
    except ValueError:
        head = None
    if head is None or format_head(head) != line:
        raise Invalid("not a head of the audit log; give the whole line that begins with mezite-head:")
    return head


def _head(found: re.Match[str]) -> Head:
    seq, digest, when, key_id, signature = found.groups(default="")
    return Head(
        seq=int(seq),
        hash=bytes.fromhex(digest),
        time=datetime.strptime(when, _TIME).replace(tzinfo=UTC),
        key_id=key_id,
        signature=base64.urlsafe_b64decode(signature + "==") if signature else b"",
    )


def _signed_bytes(head: Head) -> bytes:
    """Every part but the last has a fixed size, so no two heads give the same bytes."""
    moment = to_us(head.time).to_bytes(8, "big", signed=True)
    return DOMAIN + head.seq.to_bytes(8, "big") + head.hash + moment + head.key_id.encode()
