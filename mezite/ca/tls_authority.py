"""The cluster's TLS authority: made, opened, and known outside by the pin of its key.

P-256, here and in all it signs: the TLS of gRPC (BoringSSL) does not take Ed25519. The authority signs leaves
only (`path_length` 0). The parts that its own certificate shares with leaves stand here too.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from mezite.ca.keys import Seal, new_leaf_key, open_private, seal_private
from mezite.ca.trust import BACKDATED
from mezite.errors import Damaged, Invalid
from mezite.model.authority import Authority, AuthorityKind

AUTHORITY_LIFETIME: Final = timedelta(days=3650)
_PIN: Final = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class TlsAuthority:
    """The opened TLS authority: what issues certificates."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey = field(repr=False)


def new_authority(*, id: str, cluster: str, now: datetime, seal: Seal) -> Authority:
    """A fresh TLS authority with its self-signed certificate."""
    key = new_leaf_key()
    name = subject(f"{cluster} TLS authority", cluster)
    begins = now.replace(microsecond=0) - BACKDATED
    builder = (
        dated(begins, begins + AUTHORITY_LIFETIME, x509.random_serial_number(), key.public_key())
        .subject_name(name)
        .issuer_name(name)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(sign=True), critical=True)
    )
    private = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Authority(
        id=id,
        kind=AuthorityKind.TLS,
        public=builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER),
        sealed_private=seal_private(private, kind=AuthorityKind.TLS, id=id, seal=seal),
        created_at=now,
    )


def open_authority(authority: Authority, seal: Seal) -> TlsAuthority:
    """The TLS authority, able to sign; `Damaged` unless its halves belong together."""
    certificate = authority_certificate(authority.public)
    try:
        key = serialization.load_der_private_key(open_private(authority, seal), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Damaged("the TLS authority does not hold a private key") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise Damaged("the two halves of the TLS authority do not belong together")
    return TlsAuthority(certificate, key)


def authority_certificate(der: bytes) -> x509.Certificate:
    """The certificate of a stored TLS authority, for those who only check."""
    try:
        return x509.load_der_x509_certificate(der)
    except ValueError:
        raise Damaged("the TLS authority does not hold a certificate") from None


def pin(certificate: x509.Certificate) -> str:
    """`sha256:HEX` of the public key (SPKI): what `--ca-pin` names. It outlives a renewed certificate."""
    spki = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"sha256:{hashlib.sha256(spki).hexdigest()}"


def parse_pin(text: str) -> str:
    """A pin as a person typed it, in the one form that `pin` gives."""
    if not _PIN.fullmatch(typed := text.strip().lower()):
        raise Invalid("not a CA pin; it is `sha256:` and 64 hexadecimal digits", code="invalid_pin")
    return typed


def to_pem(*certificates: x509.Certificate) -> bytes:
    """A PEM bundle, leaf first."""
    return b"".join(certificate.public_bytes(serialization.Encoding.PEM) for certificate in certificates)


def subject(common_name: str, cluster: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, cluster),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64]),
        ]
    )


def dated(
    begins: datetime, ends: datetime, serial: int, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .not_valid_before(begins)
        .not_valid_after(ends)
        .serial_number(serial)
        .public_key(key)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def key_usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=sign,
        crl_sign=sign,
        encipher_only=False,
        decipher_only=False,
    )
