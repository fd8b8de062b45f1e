"""Whether the key that signed a recording belongs to the node it names, and may end it. No I/O and no clock.

Rules
 1. The header carries the node's OpenSSH host certificate. Its subject key is the header's node key.
 2. A given Host CA signed it, and it is a host certificate.
 3. It was valid when the recording began. Later expiry or rotation takes nothing from it.
 4. It names the node the header names.
 5. An end record signed by another than the node counts only if that closer's key was given.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateType,
    load_ssh_public_identity,
    load_ssh_public_key,
)

from recordings.errors import BadKeyFile
from recordings.format import End
from recordings.header import Header


@dataclass(frozen=True, slots=True)
class TrustAnchors:
    """What a verifier believes without proof: raw Ed25519 keys of Host CAs, and of closers (hubs)."""

    host_cas: frozenset[bytes] = frozenset()
    closers: frozenset[bytes] = frozenset()


def load_keys(text: bytes) -> frozenset[bytes]:
    """Raw Ed25519 keys from lines of OpenSSH public keys, or of a known_hosts file's `@cert-authority`."""
    keys = set()
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words or words[0].startswith(b"#"):
            continue
        # a known_hosts line: @cert-authority *.example ssh-ed25519 AAAA…
        if words[0] == b"@cert-authority":
            words = words[2:]
        keys.add(_load_key(b" ".join(words[:2]), number))
    return frozenset(keys)


def _load_key(line: bytes, number: int) -> bytes:
    try:
        key = load_ssh_public_key(line)
    except (ValueError, UnsupportedAlgorithm):
        raise BadKeyFile(f"line {number} is no OpenSSH public key") from None
    if not isinstance(key, Ed25519PublicKey):
        raise BadKeyFile(f"line {number} is no Ed25519 key")
    return key.public_bytes_raw()


def doubt_about_node(header: Header, host_cas: Collection[bytes]) -> str | None:
    """Why the node key is not to be believed (rules 1 to 4), or None."""
    certificate = _certificate(header.host_certificate)
    if certificate is None:
        return "the header carries no OpenSSH host certificate"
    subject, authority = certificate.public_key(), certificate.signature_key()
    if not isinstance(subject, Ed25519PublicKey) or subject.public_bytes_raw() != header.node_key:
        return "the host certificate is for another key"
    if not isinstance(authority, Ed25519PublicKey) or authority.public_bytes_raw() not in host_cas:
        return "the host certificate is by no CA that was given"
    try:
        certificate.verify_cert_signature()
    except InvalidSignature:
        return "the host certificate's own signature is wrong"
    if certificate.type is not SSHCertificateType.HOST:
        return "the certificate is no host certificate"
    if not certificate.valid_after <= header.started_at_us // 1_000_000 < certificate.valid_before:
        return "the host certificate was not valid when the recording began"
    if header.node.encode() not in certificate.valid_principals:
        return "the host certificate names another node"
    return None


def _certificate(line: bytes) -> SSHCertificate | None:
    if not line:
        return None
    try:
        identity = load_ssh_public_identity(line)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return identity if isinstance(identity, SSHCertificate) else None


def doubt_about_closer(end: End, closers: Collection[bytes]) -> str | None:
    """Why the end record is not to be believed (rule 5), or None."""
    if not end.closer_key or end.closer_key in closers:
        return None
    return f"the end record is by key {end.closer_key.hex()[:16]}, not the node's and not one that was given"
