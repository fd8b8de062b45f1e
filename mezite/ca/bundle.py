"""What others need so that they trust the cluster, as the text their files take. Public halves only.

A bundle may hold several authorities of a kind: while one is replaced, both the old and the next are trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509

from mezite.ca.ssh_keys import authority_line
from mezite.ca.tls_authority import authority_certificate, pin, to_pem
from mezite.errors import Invalid
from mezite.model.authority import Authority, AuthorityKind


@dataclass(frozen=True, slots=True)
class TrustBundle:
    """The public halves, each in the order they were made."""

    cluster: str
    users: tuple[bytes, ...]
    """Raw Ed25519 keys that sign people's SSH certificates."""
    hosts: tuple[bytes, ...]
    tls: tuple[x509.Certificate, ...]


def of(cluster: str, authorities: Sequence[Authority]) -> TrustBundle:
    """The bundle of a cluster's stored authorities; the audit key is not for clients."""

    def public(kind: AuthorityKind) -> list[bytes]:
        ordered = sorted(authorities, key=lambda authority: authority.created_at)
        return [authority.public for authority in ordered if authority.kind is kind]

    return TrustBundle(
        cluster=cluster,
        users=tuple(public(AuthorityKind.USER)),
        hosts=tuple(public(AuthorityKind.HOST)),
        tls=tuple(authority_certificate(der) for der in public(AuthorityKind.TLS)),
    )


def trusted_user_keys(bundle: TrustBundle) -> str:
    """A file for sshd's `TrustedUserCAKeys`."""
    return "".join(f"{authority_line(key)} {bundle.cluster} user authority\n" for key in bundle.users)


def known_hosts(bundle: TrustBundle, patterns: Sequence[str] = ()) -> str:
    """`@cert-authority` lines for hosts that match `patterns`; by default `*.CLUSTER`."""
    wanted = tuple(patterns) or (f"*.{bundle.cluster}",)
    for pattern in wanted:
        # A comma, space or newline in one would add a pattern or a whole line of its own.
        if not pattern or not pattern.isascii() or not pattern.isprintable() or set(pattern) & set(", #!"):
            raise Invalid(f"{pattern[:80]!a} is not a pattern for known_hosts")
    line = ",".join(wanted)
    return "".join(
        f"@cert-authority {line} {authority_line(key)} {bundle.cluster} host authority\n"
        for key in bundle.hosts
    )


def tls_authorities(bundle: TrustBundle) -> bytes:
    """PEM for whoever calls a hub, or checks who calls."""
    return to_pem(*bundle.tls)


def pins(bundle: TrustBundle) -> tuple[str, ...]:
    """What `--ca-pin` takes, any one of them."""
    return tuple(pin(certificate) for certificate in bundle.tls)
