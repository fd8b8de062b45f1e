"""Keys of a recording: the content key that seals its chunks, wrapped so that only the cluster can open it.

Rules
 1. Each recording has a content key of its own, 32 random bytes, in the writer's memory alone.
 2. The header carries it wrapped to one or more X25519 *public* keys. A node knows only public keys: it can
    open nothing, not even what it wrote a second ago.
 3. A wrap is bound to one recording id: moved into another header it does not open.
 4. Private keys are told apart by key id, the first eight bytes of SHA-256 over the public key. Rotation adds
    a key; old recordings keep opening with the old one, or are wrapped again for the new (`rewrap`).

    kek    = HKDF-SHA256(X25519(ephemeral, recipient), salt = ephemeral · recipient, info = INFO)
    sealed = AES-256-GCM(kek, nonce = 12 zero bytes, content key, associated data = recording id)

The nonce may be constant because each kek is used once: it comes from a fresh ephemeral key.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from recordings.errors import BadKeyFile, KeyUnavailable
from recordings.header import WrappedKey

CONTENT_KEY_BYTES = 32
INFO = b"mezite-recording/1 wrap"
MAX_KEY_FILE = 256 * 1024

_ZERO_NONCE = bytes(12)
_PEM = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ContentKey:
    """The key that seals one recording. Never shown: its repr is empty of it."""

    raw: bytes = field(repr=False)

    @classmethod
    def fresh(cls) -> ContentKey:
        return cls(os.urandom(CONTENT_KEY_BYTES))

    def derive(self, purpose: bytes) -> bytes:
        """A key for something derived from the recording, that says nothing about this one."""
        info = b"mezite-recording/1 " + purpose
        return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(self.raw)


def key_id(public: bytes) -> str:
    """How a recording public key is named in headers and key lists."""
    return hashlib.sha256(public).digest()[:8].hex()


def wrap(
    content: ContentKey, recipient: bytes, recording_id: bytes, *, ephemeral: X25519PrivateKey | None = None
) -> WrappedKey:
    """Wraps the content key to a recording public key. `ephemeral` is given only where vectors are made."""
    ephemeral = ephemeral or X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    kek = _kek(ephemeral, recipient, public, recipient)
    return WrappedKey(key_id(recipient), public, AESGCM(kek).encrypt(_ZERO_NONCE, content.raw, recording_id))


def _kek(private: X25519PrivateKey, peer: bytes, ephemeral: bytes, recipient: bytes) -> bytes:
    shared = private.exchange(X25519PublicKey.from_public_bytes(peer))
    return HKDF(algorithm=SHA256(), length=32, salt=ephemeral + recipient, info=INFO).derive(shared)


class Keyring:
    """The private keys somebody holds, by key id."""

    def __init__(self, private_keys: Iterable[X25519PrivateKey]) -> None:
        self._keys = {key_id(key.public_key().public_bytes_raw()): key for key in private_keys}

    @property
    def key_ids(self) -> frozenset[str]:
        return frozenset(self._keys)

    def unwrap(self, wraps: Sequence[WrappedKey], recording_id: bytes) -> ContentKey:
        """The content key, from the first wrap that opens."""
        held = [wrapped for wrapped in wraps if wrapped.key_id in self._keys]
        for wrapped in held:
            content = self._open(wrapped, recording_id)
            if content is not None:
                return content
        if held:
            raise KeyUnavailable(
                f"key {held[0].key_id} is here, but its wrap is damaged or of another recording"
            )
        wanted = ", ".join(wrapped.key_id for wrapped in wraps) or "none"
        raise KeyUnavailable(f"this recording opens with key {wanted}; add that private key to the key file")

    def _open(self, wrapped: WrappedKey, recording_id: bytes) -> ContentKey | None:
        private = self._keys[wrapped.key_id]
        recipient = private.public_key().public_bytes_raw()
        try:
            kek = _kek(private, wrapped.ephemeral, wrapped.ephemeral, recipient)
            return ContentKey(AESGCM(kek).decrypt(_ZERO_NONCE, wrapped.sealed, recording_id))
        # ValueError: an ephemeral point of low order, whose shared secret would be zero
        except (InvalidTag, ValueError):
            return None


def rewrap(wraps: Sequence[WrappedKey], recording_id: bytes, ring: Keyring, recipient: bytes) -> WrappedKey:
    """The same content key wrapped to another public key, so that an old private key can be retired.

    The header is signed and never rewritten: whoever keeps recordings keeps this beside the file, and hands
    both to the reader.
    """
    return wrap(ring.unwrap(wraps, recording_id), recipient, recording_id)


def load_keyring(pem: bytes) -> Keyring:
    """A keyring from a file of unencrypted PKCS#8 PEM private keys; text between them is ignored."""
    if len(pem) > MAX_KEY_FILE:
        raise BadKeyFile(f"key file of {len(pem)} bytes is longer than {MAX_KEY_FILE}")
    found = _PEM.findall(pem)
    if not found:
        raise BadKeyFile("no '-----BEGIN PRIVATE KEY-----' in the key file")
    return Keyring([_load_one(block, position) for position, block in enumerate(found, 1)])


def _load_one(block: bytes, position: int) -> X25519PrivateKey:
    try:
        key = load_pem_private_key(block, password=None)
    except (ValueError, TypeError):
        raise BadKeyFile(f"private key {position} in the key file cannot be read") from None
    if not isinstance(key, X25519PrivateKey):
        raise BadKeyFile(f"private key {position} in the key file is not X25519")
    return key


def dump_private_key(key: X25519PrivateKey) -> bytes:
    """A private key as `load_keyring` reads it."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
