"""Private keys: made, sealed for storage, opened again. What they sign is in `ssh_certs` and `tls_certs`.

1. A private key is at rest only inside a seal: AES-256-GCM under a key of 32 random bytes or of a passphrase
   (scrypt), so a stolen database or backup signs nothing.
2. A seal binds what it is for: bytes sealed as one thing do not open as another.
3. Opening with the wrong passphrase is the operator's slip and says so; anything else that fails is damage.

Layout of sealed bytes: version (1) | which seal, a fingerprint (8) | nonce (12) | ciphertext and tag.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mezite.errors import Damaged, Invalid, SettingsError
from mezite.ids import RandomBytes
from mezite.model.authority import Authority, AuthorityKind

KEY_BYTES: Final = 32
SALT_BYTES: Final = 16
SCRYPT_COST: Final = 2**17
"""128 MiB and about half a second: paid once at start, and by a guesser for every guess."""

_VERSION: Final = b"\x01"
_FINGERPRINT_BYTES: Final = 8
_NONCE_BYTES: Final = 12
_HEAD_BYTES: Final = len(_VERSION) + _FINGERPRINT_BYTES


@dataclass(frozen=True, slots=True)
class Seal:
    """What closes and opens secrets at rest. Its two keys never leave it, nor show in its repr."""

    _cipher: AESGCM = field(repr=False)
    _fingerprint: bytes = field(repr=False)

    @classmethod
    def from_key(cls, key: bytes) -> Seal:
        """The seal of 32 random bytes, as a key file holds them."""
        if len(key) != KEY_BYTES:
            raise SettingsError(
                [f"the seal key has {len(key)} bytes where {KEY_BYTES} belong; restore its file"]
            )
        both = HKDF(hashes.SHA256(), KEY_BYTES + _FINGERPRINT_BYTES, salt=None, info=b"mezite seal 1").derive(
            key
        )
        return cls(AESGCM(both[:KEY_BYTES]), both[KEY_BYTES:])

    @classmethod
    def from_passphrase(cls, passphrase: str, salt: bytes, *, cost: int = SCRYPT_COST) -> Seal:
        """The seal of a passphrase. Slow by design: made once, off the event loop, and kept."""
        if not passphrase or len(salt) < SALT_BYTES:
            raise SettingsError([f"ca_key_passphrase needs text, and {SALT_BYTES} bytes of salt or more"])
        stretched = Scrypt(salt=salt, length=KEY_BYTES, n=cost, r=8, p=1).derive(passphrase.encode())
        return cls.from_key(stretched)

    def close(self, secret: bytes, *, kind: str, id: str, random: RandomBytes = secrets.token_bytes) -> bytes:
        """`secret`, sealed as the `kind` named `id`."""
        head, nonce = _VERSION + self._fingerprint, random(_NONCE_BYTES)
        return head + nonce + self._cipher.encrypt(nonce, secret, _bound(head, kind, id))

    def open(self, sealed: bytes, *, kind: str, id: str) -> bytes:
        """What was sealed as this `kind` and `id`; `SettingsError` for another seal's, else `Damaged`."""
        head, nonce = sealed[:_HEAD_BYTES], sealed[_HEAD_BYTES : _HEAD_BYTES + _NONCE_BYTES]
        if head[:1] != _VERSION or len(nonce) != _NONCE_BYTES:
            raise Damaged(f"the sealed {kind} is not in a form this version reads")
        # The fingerprint is public and only spares the operator a riddle; the tag below is what protects.
        if head[1:] != self._fingerprint:
            raise SettingsError(
                ["wrong ca_key_passphrase (or seal.key): the keys were sealed with another; set that one"]
            )
        try:
            return self._cipher.decrypt(nonce, sealed[_HEAD_BYTES + _NONCE_BYTES :], _bound(head, kind, id))
        except InvalidTag:
            raise Damaged(f"the sealed {kind} does not open: it was changed or is another's") from None


def _bound(head: bytes, kind: str, id: str) -> bytes:
    parts = (kind.encode(), id.encode())
    return head + b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def new_authority(kind: AuthorityKind, *, id: str, now: datetime, seal: Seal) -> Authority:
    """A fresh Ed25519 authority: user, host or audit. That for TLS has a certificate: see `tls_certs`."""
    if kind is AuthorityKind.TLS:
        raise Invalid("a TLS authority is made by tls_certs")
    key = Ed25519PrivateKey.generate()
    return Authority(
        id=id,
        kind=kind,
        public=key.public_key().public_bytes_raw(),
        sealed_private=seal_private(key.private_bytes_raw(), kind=kind, id=id, seal=seal),
        created_at=now,
    )


def open_authority(authority: Authority, seal: Seal) -> Ed25519PrivateKey:
    """The signing key of a user, host or audit authority; `Damaged` unless it belongs to the public half."""
    try:
        key = Ed25519PrivateKey.from_private_bytes(open_private(authority, seal))
    except ValueError:
        raise Damaged(f"the {authority.kind} authority does not hold an Ed25519 key") from None
    if key.public_key().public_bytes_raw() != authority.public:
        raise Damaged(f"the two halves of the {authority.kind} authority do not belong together")
    return key


def seal_private(private: bytes, *, kind: AuthorityKind, id: str, seal: Seal) -> bytes:
    return seal.close(private, kind=f"authority {kind}", id=id)


def open_private(authority: Authority, seal: Seal) -> bytes:
    return seal.open(authority.sealed_private, kind=f"authority {authority.kind}", id=authority.id)


def new_leaf_key() -> ec.EllipticCurvePrivateKey:
    """A key for a TLS certificate of one's own: P-256, since gRPC's TLS knows no Ed25519."""
    return ec.generate_private_key(ec.SECP256R1())


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """The key in the clear, for a file of mode 0600 or for a TLS library; never for a log."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
