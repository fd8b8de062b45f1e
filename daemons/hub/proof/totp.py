"""One-time codes by the clock (RFC 6238: SHA-1, 30 seconds, 6 digits), and recovery codes. Pure.

A step is accepted once: the newest accepted step is stored with the secret, and only later ones are tried.
One step before and after the present one is accepted too, for clocks that drift.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime
from typing import Final
from urllib.parse import quote

from mezite.clock import to_us
from mezite.ids import RandomBytes

STEP_S: Final = 30
DRIFT: Final = 1
SECRET_BYTES: Final = 20
RECOVERY_CODES: Final = 10
LONGEST: Final = 64
"""Of anything that is typed as a code."""


def code_at(secret: bytes, step: int) -> str:
    """The six digits of one step."""
    digest = hmac.digest(secret, step.to_bytes(8, "big"), hashlib.sha1)
    offset = digest[-1] & 15
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06d}"


def matching_step(secret: bytes, otp: str, now: datetime, *, after: int) -> int | None:
    """The step that `otp` belongs to, if that step is near `now` and later than `after`."""
    present = to_us(now) // 1_000_000 // STEP_S
    typed = otp.encode("utf-8", "surrogatepass")
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), typed) and step > after:
            found = step
    return found


def uri(secret: bytes, *, user: str, cluster: str) -> str:
    """What an authenticator app reads from the QR code."""
    label, issuer = quote(f"{cluster}:{user}", safe=""), quote(cluster, safe="")
    return f"otpauth://totp/{label}?secret={base32(secret)}&issuer={issuer}&period={STEP_S}&digits=6"


def base32(secret: bytes) -> str:
    return base64.b32encode(secret).decode().rstrip("=")


def recovery_codes(random: RandomBytes = secrets.token_bytes) -> tuple[str, ...]:
    """Ten codes of 80 bits, in groups of four: `k5zq-7hfa-m2xw-p3de`."""
    return tuple(_grouped(base64.b32encode(random(10)).decode().lower()) for _ in range(RECOVERY_CODES))


def _grouped(text: str) -> str:
    return "-".join(text[start : start + 4] for start in range(0, len(text), 4))


def recovery_hash(code: str) -> bytes:
    """How a recovery code is kept. A plain hash: 80 random bits leave nothing to guess."""
    plain = "".join(character for character in code.lower() if character.isalnum())
    return hashlib.sha256(b"mezite recovery 1\0" + plain.encode("utf-8", "surrogatepass")).digest()
