"""The keys of one login, made on this machine; private halves never leave it.

Ed25519 for SSH; P-256 for TLS, since gRPC's TLS library takes no Ed25519 certificates. Both private keys are
written as the other programs of this machine read them: OpenSSH's format, and PKCS#8 PEM.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SshPair:
    private: str = field(repr=False)
    public: str
    """One OpenSSH line, without a comment."""


@dataclass(frozen=True, slots=True)
class TlsPair:
    private: str = field(repr=False)
    public: bytes
    """SubjectPublicKeyInfo, DER."""

    @property
    def public_text(self) -> str:
        """As it travels in JSON."""
        return base64.b64encode(self.public).decode()


def ssh_pair() -> SshPair:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return SshPair(private.decode(), public.decode())


def tls_pair() -> TlsPair:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return TlsPair(private.decode(), public)
