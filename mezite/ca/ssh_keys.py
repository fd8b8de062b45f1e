"""Public keys as OpenSSH writes them: those that are certified, and those of the authorities.

Ed25519 or ECDSA P-256. Keys on security tokens (`sk-…`) are refused: the library reads them as the plain
kind, and a certificate over that would fit no key. RSA is refused because whoever can reach us can make a
fresh key.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_ssh_public_identity

from mezite.errors import Invalid

SshPublicKey = Ed25519PublicKey | ec.EllipticCurvePublicKey

MAX_KEY_CHARS: Final = 1024
_KEY_TYPES: Final = ("ssh-ed25519", "ecdsa-sha2-nistp256")


def load_public_key(line: str) -> SshPublicKey:
    """The key in one line of an OpenSSH public key file, without its comment; `Invalid` for other kinds."""
    words = line[:MAX_KEY_CHARS].split()
    if len(line) > MAX_KEY_CHARS or len(words) < 2 or words[0] not in _KEY_TYPES:
        raise Invalid(
            "not a public key we certify; make one with: ssh-keygen -t ed25519", code="invalid_public_key"
        )
    try:
        key = load_ssh_public_identity(" ".join(words[:2]).encode())
    except (ValueError, UnsupportedAlgorithm):
        raise Invalid("the public key is damaged", code="invalid_public_key") from None
    assert isinstance(key, SshPublicKey), "its type was checked by name, and the library checks both names"
    return key


def public_line(key: SshPublicKey) -> str:
    """`ssh-ed25519 AAAA…`, with no comment."""
    return key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def authority_line(public: bytes) -> str:
    """The same line for the raw Ed25519 key of an authority."""
    return public_line(Ed25519PublicKey.from_public_bytes(public))
