"""The cluster's keys, open in this process and nowhere else: made on the first start, unsealed on others.

Whoever needs something signed asks here by what it is for. No private key is handed out, and none is written
down but sealed.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mezite.audit.chain import Head
from mezite.audit.events import Event, Kind
from mezite.audit.heads import sign_head
from mezite.ca import bundle, keys, ssh_certs, ssh_keys, tls_authority, tls_certs
from mezite.ca.bundle import TrustBundle
from mezite.ca.keys import Seal
from mezite.ca.ssh_certs import Permit
from mezite.ca.trust import BACKDATED
from mezite.clock import Clock, rfc3339
from mezite.errors import Damaged, SettingsError
from mezite.ids import mint, mint_uuid
from mezite.model.authority import Authority, AuthorityKind
from mezite.model.change import ChangeKind
from mezite.model.cluster import Cluster
from mezite.model.identity import Identity, IdentityKind
from mezite.rbac.options import Terms
from mezite.storage.ports import Store, Writing

SERVER_TTL: Final = timedelta(days=30)
SEAL_KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class ServerPair:
    """What a TLS listener shows: its key and its chain, PEM."""

    key: bytes = field(repr=False)
    chain: bytes


@dataclass(slots=True)
class Keyring:
    cluster: str
    seal: Seal = field(repr=False)
    _authorities: dict[AuthorityKind, Authority] = field(repr=False)
    _ssh: dict[AuthorityKind, Ed25519PrivateKey] = field(repr=False)
    _tls: tls_authority.TlsAuthority = field(repr=False)

    @property
    def ca_pin(self) -> str:
        return tls_authority.pin(self._tls.certificate)

    @property
    def trust(self) -> TrustBundle:
        """What others need so that they trust this cluster."""
        return bundle.of(self.cluster, tuple(self._authorities.values()))

    @property
    def tls_authorities(self) -> tuple[x509.Certificate, ...]:
        return (self._tls.certificate,)

    @property
    def tls_authorities_pem(self) -> str:
        return tls_authority.to_pem(*self.tls_authorities).decode()

    @property
    def host_authorities(self) -> tuple[str, ...]:
        return (self.public_line(AuthorityKind.HOST),)

    @property
    def audit_key_id(self) -> str:
        return self._authorities[AuthorityKind.AUDIT].id

    def public_line(self, kind: AuthorityKind) -> str:
        """An authority's public key as an OpenSSH line."""
        return ssh_keys.authority_line(self._authorities[kind].public)

    def fingerprint(self, kind: AuthorityKind) -> str:
        """As `ssh-keygen -l` shows it."""
        blob = base64.b64decode(self.public_line(kind).split()[1])
        return f"SHA256:{base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip('=')}"

    def audit_keys(self) -> dict[str, bytes]:
        """Public keys that heads are signed with, by their id."""
        audit = self._authorities[AuthorityKind.AUDIT]
        return {audit.id: audit.public}

    def sign_ssh_user(self, line: str, identity: Identity, *, principals: Sequence[str], terms: Terms) -> str:
        permits = {
            permit
            for permit, allowed in (
                (Permit.PORT_FORWARDING, terms.port_forwarding),
                (Permit.AGENT_FORWARDING, terms.agent_forwarding),
                (Permit.X11_FORWARDING, terms.x11_forwarding),
            )
            if allowed
        }
        return ssh_certs.issue_user(
            self._ssh[AuthorityKind.USER],
            identity,
            public_key=ssh_keys.load_public_key(line),
            cluster=self.cluster,
            principals=principals,
            permits=permits,
        )

    def sign_ssh_node(self, line: str, identity: Identity) -> str:
        return ssh_certs.issue_host(
            self._ssh[AuthorityKind.HOST],
            identity,
            public_key=ssh_keys.load_public_key(line),
            cluster=self.cluster,
            principals=ssh_certs.node_principals(identity.name, self.cluster, identity.id),
        )

    def sign_tls_client(self, spki: bytes, identity: Identity) -> str:
        """A PEM certificate for a user, a node or the admin socket's caller."""
        key = tls_certs.load_public_key(spki)
        certificate = tls_certs.issue_client(self._tls, identity, public_key=key, cluster=self.cluster)
        return tls_authority.to_pem(certificate).decode()

    def server_pair(self, hub_id: str, now: datetime, names: Sequence[str]) -> ServerPair:
        """A fresh key and certificate for the hub's own listeners."""
        key = keys.new_leaf_key()
        identity = Identity(
            kind=IdentityKind.HUB,
            id=hub_id,
            name="hub",
            serial=secrets.randbits(62) | 1,
            issued_at=now,
            expires_at=now + SERVER_TTL,
        )
        hosts, addresses = _names_and_addresses(names)
        certificate = tls_certs.issue_server(
            self._tls,
            identity,
            public_key=key.public_key(),
            cluster=self.cluster,
            names=hosts,
            addresses=addresses,
        )
        return ServerPair(keys.private_pem(key), tls_authority.to_pem(certificate, self._tls.certificate))

    def sign_head(self, head: Head, now: datetime) -> Head:
        return sign_head(self._ssh[AuthorityKind.AUDIT], self.audit_key_id, head, now)


def _names_and_addresses(names: Sequence[str]) -> tuple[list[str], list[IPv4Address | IPv6Address]]:
    hosts: list[str] = []
    addresses: list[IPv4Address | IPv6Address] = []
    for name in names:
        try:
            addresses.append(ip_address(name))
        except ValueError:
            hosts.append(name)
    return hosts, addresses


async def open_keyring(store: Store, seal: Seal, cluster: str, clock: Clock) -> Keyring:
    """The cluster's keys; made, with their audit events, if this data has none yet."""

    def unit(tx: Writing) -> dict[AuthorityKind, Authority]:
        stored = {authority.kind: authority for authority in tx.authorities.all()}
        now = clock.now()
        for kind in AuthorityKind:
            if kind not in stored:
                stored[kind] = tx.authorities.insert(_fresh(kind, cluster, now, seal))
                tx.changed(ChangeKind.AUTHORITY, stored[kind].id)
                tx.record(
                    Event(
                        id=mint_uuid(),
                        time=now,
                        kind=Kind.AUTHORITY_CREATED,
                        user="system",
                        resource=kind.value,
                    )
                )
        return stored

    authorities = await store.write(unit)
    ssh: dict[AuthorityKind, Ed25519PrivateKey] = {
        kind: keys.open_authority(authority, seal)
        for kind, authority in authorities.items()
        if kind is not AuthorityKind.TLS
    }
    tls = tls_authority.open_authority(authorities[AuthorityKind.TLS], seal)
    return Keyring(cluster, seal, authorities, ssh, tls)


def _fresh(kind: AuthorityKind, cluster: str, now: datetime, seal: Seal) -> Authority:
    if kind is AuthorityKind.TLS:
        return tls_authority.new_authority(id=mint("ca"), cluster=cluster, now=now, seal=seal)
    return keys.new_authority(kind, id=mint("ca"), now=now, seal=seal)


async def claim_cluster(store: Store, name: str, clock: Clock) -> Cluster:
    """The stored cluster, written on the first start. Data of another cluster or of the future is refused."""

    def unit(tx: Writing) -> Cluster:
        now = clock.now()
        others = [cluster for cluster in tx.clusters.all() if cluster.name != name]
        if others:
            raise SettingsError([f"cluster_name: this data belongs to cluster {others[0].name}, not {name}"])
        stored = tx.clusters.get(name)
        if stored is not None and now < stored.created_at - BACKDATED:
            raise SettingsError(
                [
                    f"the clock of this machine says {rfc3339(now)}, which is before this cluster was made "
                    f"({rfc3339(stored.created_at)}); set it right"
                ]
            )
        return stored or tx.clusters.insert(Cluster(name, now, secrets.token_bytes(16)))

    return await store.write(unit)


def seal_key_file(path: Path, *, sealed_already: bool) -> tuple[Seal, bool]:
    """The seal whose key lies in a file beside the data, made if missing: (seal, whether it was made).

    With keys `sealed_already` a missing file is a lost one: a fresh key would open nothing.
    """
    made = False
    if not path.exists():
        if sealed_already:
            raise SettingsError(
                [f"{path} is missing, and the CA keys open with nothing else; put your copy of it back"]
            )
        _make_seal_key(path)
        made = True
    if path.stat().st_mode & 0o077:
        raise SettingsError(
            [f"{path} can be read by others; `chmod 600 {path}` and change its keys if they may have"]
        )
    key = path.read_bytes()
    if len(key) != SEAL_KEY_BYTES:
        raise Damaged(f"{path} is not a seal key; restore it from the backup that has the keys")
    return Seal.from_key(key), made


def _make_seal_key(path: Path) -> None:
    """Whole and on disk before anything is sealed with it, or not there at all."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as file:
        file.write(secrets.token_bytes(SEAL_KEY_BYTES))
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
