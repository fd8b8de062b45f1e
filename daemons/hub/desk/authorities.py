"""The cluster's public keys, for whoever has to trust them. Private halves never leave the keyring."""

from __future__ import annotations

from dataclasses import dataclass

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller
from mezite.ca import bundle
from mezite.model.authority import AuthorityKind


@dataclass(frozen=True, slots=True)
class PublicAuthority:
    kind: AuthorityKind
    text: str
    """An OpenSSH line; PEM for TLS."""
    fingerprint: str
    known_hosts: str = ""


async def export(desk: Desk, caller: Caller, kind: AuthorityKind) -> PublicAuthority:
    """Open to everybody with a standing: a public key is no secret, and every sshd and client needs it."""
    await desk.look(caller, lambda _tx, _who: None)
    keyring = desk.keyring
    match kind:
        case AuthorityKind.TLS:
            return PublicAuthority(kind, keyring.tls_authorities_pem, keyring.ca_pin)
        case AuthorityKind.HOST:
            line = keyring.public_line(kind)
            return PublicAuthority(kind, line, keyring.fingerprint(kind), bundle.known_hosts(keyring.trust))
        case AuthorityKind.USER | AuthorityKind.AUDIT:
            return PublicAuthority(kind, keyring.public_line(kind), keyring.fingerprint(kind))
