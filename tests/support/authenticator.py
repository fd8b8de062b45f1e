"""The app on a person's telephone. Written here, so that the product's codes cannot vouch for themselves."""

from __future__ import annotations

import base64
import hashlib
import hmac
import struct
import time
from typing import Final

STEP_S: Final = 30


def code(secret: str, steps_ahead: int = 0) -> str:
    """RFC 6238 with its usual numbers, for this moment or some steps beside it."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", int(time.time()) // STEP_S + steps_ahead), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"
