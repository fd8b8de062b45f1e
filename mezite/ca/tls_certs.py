"""X.509 leaves: the hub's own certificates, and the twin of every SSH certificate.

1. A leaf is for one side only: servers carry `serverAuth`, everyone else `clientAuth`, and neither passes for
   the other.
2. No leaf outlives its authority, and nobody's but a hub's lasts longer than `trust.MAX_LIFETIME`.
3. Who the holder is stands in our own extension, not in the subject: the subject is for people to read.
4. Every hub answers to `hub.CLUSTER.mezite`, so a client that trusts the authority can check a hub under
   whatever address it dialled.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from mezite.ca import claims as claims_
from mezite.ca.claims import Claims
from mezite.ca.tls_authority import TlsAuthority, dated, key_usage, subject
from mezite.ca.trust import Flaw, check_serial, check_validity, flawed, lifetime
from mezite.errors import Invalid
from mezite.model.identity import Identity, IdentityKind

CLAIMS_OID: Final = x509.ObjectIdentifier("2.25.39047546173739283808840982422617088876.1")
"""Below the arc of a random UUID (X.667), which needs no registrar. A DER UTF8String of JSON."""
MAX_SERVER_LIFETIME: Final = timedelta(days=90)
MAX_CERT_BYTES: Final = 64 * 1024

_EXTENSION_FLAWS: Final = (
    x509.ExtensionNotFound,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_KNOWN_CRITICAL: Final = frozenset((x509.BasicConstraints.oid, x509.KeyUsage.oid))


def hub_name(cluster: str) -> str:
    """The DNS name in every hub's certificate."""
    return f"hub.{cluster}.mezite"


def load_public_key(spki: bytes) -> ec.EllipticCurvePublicKey:
    """The P-256 key in a DER or PEM SubjectPublicKeyInfo; `Invalid` for anything else."""
    load = (
        serialization.load_pem_public_key if spki.startswith(b"-----") else serialization.load_der_public_key
    )
    try:
        key = load(spki) if len(spki) <= 1024 else None
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Invalid("not a P-256 public key", code="invalid_public_key")
    return key


def issue_client(
    authority: TlsAuthority, identity: Identity, *, public_key: ec.EllipticCurvePublicKey, cluster: str
) -> x509.Certificate:
    """The X.509 twin of a user's certificate, what a node calls with, or the admin socket's few minutes."""
    if identity.kind is IdentityKind.HUB:
        raise Invalid("a hub gets no client certificate")
    begins, ends = lifetime(identity)
    builder = _leaf(authority, identity, cluster, public_key, begins, ends)
    return _sign(_used_for(builder, ExtendedKeyUsageOID.CLIENT_AUTH), authority)


def issue_server(
    authority: TlsAuthority,
    identity: Identity,
    *,
    public_key: ec.EllipticCurvePublicKey,
    cluster: str,
    names: Sequence[str] = (),
    addresses: Sequence[IPv4Address | IPv6Address] = (),
) -> x509.Certificate:
    """A hub's certificate, good for `hub_name(cluster)` and for these names and addresses."""
    if identity.kind is not IdentityKind.HUB:
        raise Invalid(f"a {identity.kind} gets no server certificate")
    begins, ends = lifetime(identity, longest=MAX_SERVER_LIFETIME)
    every_name = dict.fromkeys((hub_name(cluster), *names))
    try:
        alternatives: list[x509.GeneralName] = [x509.DNSName(name) for name in every_name]
    except ValueError:
        raise Invalid("a DNS name in a certificate is plain ASCII; write others as xn--…") from None
    alternatives += [x509.IPAddress(address) for address in dict.fromkeys(addresses)]
    builder = _leaf(authority, identity, cluster, public_key, begins, ends).add_extension(
        x509.SubjectAlternativeName(alternatives), critical=False
    )
    return _sign(_used_for(builder, ExtendedKeyUsageOID.SERVER_AUTH), authority)


def check_client(
    certificate: bytes, *, trusted: Sequence[x509.Certificate], cluster: str, now: datetime
) -> Identity:
    """Who calls, once every rule of `trust` held for this PEM or DER; else `NotLoggedIn`."""
    leaf = parse(certificate)
    _check_kind(leaf)
    _check_signature(leaf, trusted)
    check_validity(leaf.not_valid_before_utc, leaf.not_valid_after_utc, now)
    if any(extension.critical and extension.oid not in _KNOWN_CRITICAL for extension in leaf.extensions):
        raise flawed(Flaw.CRITICAL)
    claims = read_claims(leaf)
    if claims.cluster != cluster:
        raise flawed(Flaw.FOREIGN)
    return claims.identity


def parse(certificate: bytes) -> x509.Certificate:
    """One certificate, PEM or DER, believed by nobody."""
    load = (
        x509.load_pem_x509_certificate if certificate.startswith(b"-----") else x509.load_der_x509_certificate
    )
    if len(certificate) > MAX_CERT_BYTES:
        raise flawed(Flaw.MALFORMED)
    try:
        leaf = load(certificate)
    except (ValueError, x509.InvalidVersion):
        raise flawed(Flaw.MALFORMED) from None
    # The count of unused bits before the signature is not signed, and the library takes more than none.
    if not leaf.public_bytes(serialization.Encoding.DER).endswith(b"\0" + leaf.signature):
        raise flawed(Flaw.MALFORMED)
    return leaf


def read_claims(certificate: x509.Certificate) -> Claims:
    """What a certificate says of its holder, believed by nobody: for showing one's own."""
    try:
        extension = certificate.extensions.get_extension_for_oid(CLAIMS_OID).value
        assert isinstance(extension, x509.UnrecognizedExtension), "the library knows nothing of our arc"
        return claims_.from_values(
            claims_.from_json(_utf8_content(extension.value)),
            serial=certificate.serial_number,
            expires_at=certificate.not_valid_after_utc,
        )
    except (ValueError, TypeError, *_EXTENSION_FLAWS):
        raise flawed(Flaw.NAMELESS) from None


def _leaf(
    authority: TlsAuthority,
    identity: Identity,
    cluster: str,
    key: ec.EllipticCurvePublicKey,
    begins: datetime,
    ends: datetime,
) -> x509.CertificateBuilder:
    if ends > authority.certificate.not_valid_after_utc:
        raise Invalid("the TLS authority ends before this certificate would; rotate it")
    claims = claims_.to_json(claims_.to_values(Claims(identity, cluster)))
    issuer_id = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.key.public_key())
    return (
        dated(begins, ends, check_serial(identity.serial), key)
        .subject_name(subject(identity.name, cluster))
        .issuer_name(authority.certificate.subject)
        .add_extension(issuer_id, critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(key_usage(sign=False), critical=True)
        .add_extension(x509.UnrecognizedExtension(CLAIMS_OID, _utf8string(claims)), critical=False)
    )


def _used_for(builder: x509.CertificateBuilder, use: x509.ObjectIdentifier) -> x509.CertificateBuilder:
    return builder.add_extension(x509.ExtendedKeyUsage([use]), critical=False)


def _sign(builder: x509.CertificateBuilder, authority: TlsAuthority) -> x509.Certificate:
    return builder.sign(authority.key, hashes.SHA256())


def _check_signature(leaf: x509.Certificate, trusted: Sequence[x509.Certificate]) -> None:
    try:
        issuers = [issuer for issuer in trusted if issuer.subject == leaf.issuer]
    except ValueError:  # the library parses names when they are first asked for
        raise flawed(Flaw.MALFORMED) from None
    if not issuers:
        raise flawed(Flaw.UNTRUSTED)
    for issuer in issuers:
        try:
            leaf.verify_directly_issued_by(issuer)
        except (InvalidSignature, UnsupportedAlgorithm, ValueError, TypeError):
            continue
        return
    raise flawed(Flaw.FORGED)


def _check_kind(leaf: x509.Certificate) -> None:
    try:
        uses = list(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
        is_authority = leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (ValueError, *_EXTENSION_FLAWS):
        raise flawed(Flaw.MALFORMED) from None
    if uses != [ExtendedKeyUsageOID.CLIENT_AUTH] or is_authority:
        raise flawed(Flaw.WRONG_KIND)


_UTF8STRING: Final = 0x0C


def _utf8string(text: bytes) -> bytes:
    """DER: tag, length in the long form of three bytes or shorter, content."""
    size = len(text)
    if size < 0x80:
        return bytes((_UTF8STRING, size)) + text
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((_UTF8STRING, 0x80 | len(length))) + length + text


def _utf8_content(der: bytes) -> bytes:
    """The content of a DER UTF8String. Read by writing it again: whatever differs is not DER."""
    for header in range(2, 6):
        if _utf8string(der[header:]) == der:
            return der[header:]
    raise ValueError("not a DER UTF8String")
