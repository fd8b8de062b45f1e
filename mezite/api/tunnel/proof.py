"""How both ends prove that they know a join token. The token itself is never sent. Rules:

1. The key of every proof is the SHA-256 of the token's secret, which is all that the hub keeps.
2. A proof covers the offer as it was sent, the hub's nonce and cluster, the authorities the hub named, and
   the certificate the hub's TLS end presented. Whoever stands in between presents another certificate, so
   neither proof is of any use to it.
3. The two proofs are made under different labels: sending one back proves nothing.
4. The agent proves nothing to a hub that has not proven itself first.
5. The agent also signs, by the key that is to be certified; nobody gets a certificate for another's key.
6. Proofs are compared in constant time.

A token's text is `ID.SECRET`. The secret has 192 random bits, so that a proof gives nothing to guess by.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mezite.errors import Invalid
from mezite.ids import RandomBytes, mint

NONCE_BYTES: Final = 32
TOKEN_PREFIX: Final = "tok"  # noqa: S105  the prefix of ids, no secret
_ID_CHARS: Final = 12
_ID: Final = re.compile(rf"{TOKEN_PREFIX}_[0-9a-z]{{12}}")
_SECRET_BYTES: Final = 24
_TOKEN: Final = re.compile(r"([0-9a-z]{12})\.([0-9a-f]{48})")


class Prover(Enum):
    """Whose proof it is; the value is the label that keeps it apart from every other use of the key."""

    HUB = b"mezite join 1: hub"
    AGENT = b"mezite join 1: agent"
    KEY = b"mezite join 1: key"
    """Not a proof of the token: what the agent signs by its own key."""


@dataclass(frozen=True, slots=True)
class TokenText:
    """A token as a person carries it, taken apart."""

    id: str
    secret: str = field(repr=False)

    @property
    def key(self) -> bytes:
        """What the hub stores of it, and what proofs are keyed with."""
        return hashlib.sha256(self.secret.encode()).digest()

    @property
    def text(self) -> str:
        return f"{self.id.removeprefix(TOKEN_PREFIX + '_')}.{self.secret}"


def mint_token(random: RandomBytes = secrets.token_bytes) -> TokenText:
    return TokenText(mint(TOKEN_PREFIX, length=_ID_CHARS, random=random), random(_SECRET_BYTES).hex())


def parse_token(text: str) -> TokenText:
    """Raises `Invalid`, which does not quote what it was given."""
    found = _TOKEN.fullmatch(text.strip())
    if found is None:
        raise Invalid(
            "this is not a join token; copy the whole text that `mezctl tokens create` printed",
            code="bad_token",
        )
    return TokenText(f"{TOKEN_PREFIX}_{found[1]}", found[2])


def is_token_id(text: str) -> bool:
    return _ID.fullmatch(text) is not None


def binding(
    *, offer: bytes, hub_nonce: bytes, cluster: str, authorities: Sequence[bytes], server_certificate: bytes
) -> bytes:
    """What both proofs are about. `offer` is the payload of the `Join`, certificates are DER."""
    digest = hashlib.sha256(b"mezite join 1")
    for part in (offer, hub_nonce, cluster.encode(), server_certificate, *authorities):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return digest.digest()


def prove(prover: Prover, key: bytes, bound: bytes) -> bytes:
    return hmac.digest(key, prover.value + b"\0" + bound, "sha256")


def holds(prover: Prover, key: bytes, bound: bytes, proof: bytes) -> bool:
    return hmac.compare_digest(prove(prover, key, bound), proof)


def to_sign(bound: bytes) -> bytes:
    """Rule 5: the bytes the agent signs."""
    return Prover.KEY.value + b"\0" + bound
