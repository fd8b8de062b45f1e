"""The text of an access token, as `mezctl login` prints it and `MEZITE_AUTH_TOKEN` holds it.

`mzt_`, base64url of `{"a": address of 3080, "p": CA pin, "i": id, "s": secret}`, `_`, six hex digits of a
checksum. It says where it is good and whom to trust there, so a script needs nothing else; the checksum tells
a cut or mistyped token from a revoked one, and lets scanners find lost ones.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import dataclass, field
from typing import Final

from mezite.errors import NotLoggedIn

PREFIX: Final = "mzt_"
MAX_CHARS: Final = 4096


@dataclass(frozen=True, slots=True)
class AccessToken:
    web_addr: str
    ca_pin: str
    id: str
    secret: str = field(repr=False)

    def text(self) -> str:
        facts = {"a": self.web_addr, "p": self.ca_pin, "i": self.id, "s": self.secret}
        packed = json.dumps(facts, separators=(",", ":")).encode()
        body = PREFIX + base64.urlsafe_b64encode(packed).rstrip(b"=").decode()
        return f"{body}_{_checksum(body)}"


def parse(text: str) -> AccessToken:
    """The token in `text`; raises without repeating any of it."""
    body, _, checksum = text.strip().rpartition("_")
    if len(text) > MAX_CHARS or not body.startswith(PREFIX) or checksum != _checksum(body):
        raise _no_token()
    packed = body.removeprefix(PREFIX)
    try:
        facts = json.loads(base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True))
        token = AccessToken(facts["a"], facts["p"], facts["i"], facts["s"])
    except (binascii.Error, ValueError, KeyError, TypeError, RecursionError):
        raise _no_token() from None
    if not all(isinstance(value, str) for value in (token.web_addr, token.ca_pin, token.id, token.secret)):
        raise _no_token()
    return token


def _checksum(body: str) -> str:
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()[:6]


def _no_token() -> NotLoggedIn:
    return NotLoggedIn(
        "MEZITE_AUTH_TOKEN is not a whole access token; copy it again, or get one with: mezctl login",
        code="malformed_token",
    )
