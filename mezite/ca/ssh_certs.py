"""SSH certificates: issued to users and hosts, and judged by the rules of `trust`.

1. A user certificate always has a principal. One without is good for every login wherever an OpenSSH
   `authorized_keys` trusts our authority; a user with no login gets `NO_LOGIN`, which is no possible login.
2. Host principals are exact: OpenSSH reads `*` and `?` in them as wildcards, so they are refused.
3. Our facts travel as extensions `mezite-…@mezite.dev`; OpenSSH passes over what it does not know there.
   Nothing of ours is a critical option, so every stock sshd takes our certificates.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateBuilder,
    SSHCertificateType,
    load_ssh_public_identity,
)

from mezite import ids
from mezite.ca import claims as claims_
from mezite.ca.claims import Claims
from mezite.ca.ssh_keys import SshPublicKey, public_line
from mezite.ca.trust import Flaw, check_serial, check_validity, flawed, lifetime
from mezite.errors import Invalid, TooLarge
from mezite.model.identity import Identity, IdentityKind

NO_LOGIN: Final = "-mezite-no-login-"
MAX_PRINCIPALS: Final = 256
"""OpenSSH's own bound; it refuses a certificate with more."""
MAX_CERT_CHARS: Final = 192 * 1024

_SUFFIX: Final = "@mezite.dev"
_HOST_PRINCIPAL: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9.:_-]{0,252}")
_AS_TEXT: Final = frozenset(("kind", "id", "name", "cluster", "issued"))
"""Claims written as they are; the others as JSON."""
_FAR_FUTURE: Final = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp())


class Permit(StrEnum):
    """What a stock sshd lets a user certificate do. `permit-user-rc` is never among it."""

    PTY = "permit-pty"
    PORT_FORWARDING = "permit-port-forwarding"
    AGENT_FORWARDING = "permit-agent-forwarding"
    X11_FORWARDING = "permit-X11-forwarding"


@dataclass(frozen=True, slots=True)
class UserCertificate:
    """What a user certificate says. Whether it is true, `check_user` has found out; `read_user` has not."""

    identity: Identity
    cluster: str
    public_key: str
    """The holder's, as in an OpenSSH file."""
    principals: tuple[str, ...]
    permits: frozenset[Permit]


def issue_user(
    authority: Ed25519PrivateKey,
    identity: Identity,
    *,
    public_key: SshPublicKey,
    cluster: str,
    principals: Sequence[str],
    permits: Collection[Permit] = (),
) -> str:
    """A user certificate as one OpenSSH line. `permit-pty` is always given."""
    if identity.kind is not IdentityKind.USER:
        raise Invalid(f"a {identity.kind} gets no user certificate")
    logins = [ids.login(principal) for principal in dict.fromkeys(principals)] or [NO_LOGIN]
    builder = _begin(SSHCertificateType.USER, identity, public_key, logins)
    for permit in {Permit.PTY, *permits}:
        builder = builder.add_extension(permit.encode(), b"")
    return _sign(_with_claims(builder, Claims(identity, cluster)), authority)


def issue_host(
    authority: Ed25519PrivateKey,
    identity: Identity,
    *,
    public_key: SshPublicKey,
    cluster: str,
    principals: Sequence[str],
) -> str:
    """A host certificate as one OpenSSH line, for a node (`node_principals`) or for the hub's own front."""
    if identity.kind not in (IdentityKind.NODE, IdentityKind.HUB):
        raise Invalid(f"a {identity.kind} gets no host certificate")
    names = list(dict.fromkeys(principals))
    if not names or not all(_HOST_PRINCIPAL.fullmatch(name) for name in names):
        raise Invalid("a host certificate needs names or addresses, each exact and without wildcards")
    builder = _begin(SSHCertificateType.HOST, identity, public_key, names)
    return _sign(_with_claims(builder, Claims(identity, cluster)), authority)


def node_principals(name: str, cluster: str, id: str) -> tuple[str, ...]:
    """The names a node answers to: no other host's certificate is good for them."""
    return (name, f"{name}.{cluster}", id)


def check_user(
    certificate: str | bytes, *, trusted: Collection[bytes], cluster: str, now: datetime
) -> UserCertificate:
    """What the certificate says, once every rule of `trust` held; else `NotLoggedIn`, its code the flaw's.

    `certificate` is an OpenSSH line or the bytes inside it; `trusted` are raw Ed25519 public keys.
    """
    parsed = _parse(certificate)
    _check(parsed, SSHCertificateType.USER, trusted, now)
    user = _user(parsed)
    if user.identity.kind is not IdentityKind.USER:
        raise flawed(Flaw.NAMELESS)
    if user.cluster != cluster:
        raise flawed(Flaw.FOREIGN)
    return user


def check_host(
    certificate: str | bytes, *, trusted: Collection[bytes], cluster: str, name: str, now: datetime
) -> Identity:
    """Whose host key this is, once every rule held and `name` is among its principals; else `NotLoggedIn`."""
    parsed = _parse(certificate)
    _check(parsed, SSHCertificateType.HOST, trusted, now)
    claims = _claims(parsed)
    if claims.cluster != cluster:
        raise flawed(Flaw.FOREIGN)
    if name.encode() not in parsed.valid_principals:
        raise flawed(Flaw.OTHER_NAME)
    return claims.identity


def read_user(certificate: str | bytes) -> UserCertificate:
    """What a user certificate of one's own says, believed by nobody: for showing, and for when to renew."""
    parsed = _parse(certificate)
    if parsed.type is not SSHCertificateType.USER:
        raise flawed(Flaw.WRONG_KIND)
    return _user(parsed)


def _begin(
    kind: SSHCertificateType, identity: Identity, public_key: SshPublicKey, principals: Sequence[str]
) -> SSHCertificateBuilder:
    if len(principals) > MAX_PRINCIPALS:
        raise TooLarge(f"{identity.name} has {len(principals)} logins; a certificate holds {MAX_PRINCIPALS}")
    begins, ends = lifetime(identity)
    return (
        SSHCertificateBuilder()
        .type(kind)
        .public_key(public_key)
        .serial(check_serial(identity.serial))
        .key_id(identity.name.encode())
        .valid_principals([principal.encode() for principal in principals])
        .valid_after(int(begins.timestamp()))
        .valid_before(int(ends.timestamp()))
    )


def _with_claims(builder: SSHCertificateBuilder, claims: Claims) -> SSHCertificateBuilder:
    for name, value in claims_.to_values(claims).items():
        text = str(value).encode() if name in _AS_TEXT else claims_.to_json(value)
        builder = builder.add_extension(f"mezite-{name}{_SUFFIX}".encode(), text)
    return builder


def _sign(builder: SSHCertificateBuilder, authority: Ed25519PrivateKey) -> str:
    return builder.sign(authority).public_bytes().decode()


def _parse(certificate: str | bytes) -> SSHCertificate:
    try:
        line = _line(certificate)
        parsed = load_ssh_public_identity(line)
    except (ValueError, UnsupportedAlgorithm):
        raise flawed(Flaw.MALFORMED) from None
    # Base64 can be written in several ways; only ours is taken, so equal certificates are equal texts.
    if not isinstance(parsed, SSHCertificate) or parsed.public_bytes() != line:
        raise flawed(Flaw.MALFORMED)
    return parsed


def _line(certificate: str | bytes) -> bytes:
    """`TYPE BASE64` alone, of a line with a comment or of the bytes as they travel inside SSH."""
    if len(certificate) > MAX_CERT_CHARS:
        raise ValueError("too long")
    if isinstance(certificate, str):
        words = certificate.split()
        return " ".join(words[:2]).encode("ascii")
    size = int.from_bytes(certificate[:4], "big")
    return certificate[4 : 4 + min(size, 64)] + b" " + base64.b64encode(certificate)


def _check(
    certificate: SSHCertificate, kind: SSHCertificateType, trusted: Collection[bytes], now: datetime
) -> None:
    if certificate.type is not kind:
        raise flawed(Flaw.WRONG_KIND)
    _check_signature(certificate, trusted)
    if max(certificate.valid_after, certificate.valid_before) > _FAR_FUTURE:
        raise flawed(Flaw.MALFORMED)
    begins, ends = (
        datetime.fromtimestamp(at, UTC) for at in (certificate.valid_after, certificate.valid_before)
    )
    check_validity(begins, ends, now)
    if certificate.critical_options:
        raise flawed(Flaw.CRITICAL)
    if not certificate.valid_principals:
        raise flawed(Flaw.NAMELESS)


def _check_signature(certificate: SSHCertificate, trusted: Collection[bytes]) -> None:
    try:
        signer = certificate.signature_key()
    except (ValueError, UnsupportedAlgorithm):
        raise flawed(Flaw.MALFORMED) from None
    if not isinstance(signer, Ed25519PublicKey) or signer.public_bytes_raw() not in trusted:
        raise flawed(Flaw.UNTRUSTED)
    try:
        certificate.verify_cert_signature()
    except InvalidSignature:
        raise flawed(Flaw.FORGED) from None


def _user(certificate: SSHCertificate) -> UserCertificate:
    claims = _claims(certificate)
    key = certificate.public_key()
    if not isinstance(key, SshPublicKey):
        raise flawed(Flaw.MALFORMED)
    try:
        principals = tuple(principal.decode() for principal in certificate.valid_principals)
    except UnicodeDecodeError:
        raise flawed(Flaw.MALFORMED) from None
    permits = frozenset(permit for permit in Permit if permit.encode() in certificate.extensions)
    return UserCertificate(claims.identity, claims.cluster, public_line(key), principals, permits)


def _claims(certificate: SSHCertificate) -> Claims:
    values: dict[str, Any] = {}
    try:
        for extension, text in certificate.extensions.items():
            name = extension.decode()
            if name.startswith("mezite-") and name.endswith(_SUFFIX):
                claim = name.removeprefix("mezite-").removesuffix(_SUFFIX)
                values[claim] = text.decode() if claim in _AS_TEXT else claims_.from_json(text)
        expires_at = datetime.fromtimestamp(certificate.valid_before, UTC)
        return claims_.from_values(values, serial=certificate.serial, expires_at=expires_at)
    except (ValueError, OverflowError, OSError):
        raise flawed(Flaw.NAMELESS) from None
