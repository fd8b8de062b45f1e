"""Certificates of nodes: the host certificate and its X.509 twin, issued together, at joining and after.

A node renews with the certificate it has. One that let its last certificate run out proves nothing any more,
and joins again with a token.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing
from mezite.audit.events import Kind
from mezite.errors import Denied
from mezite.model.identity import Identity, IdentityKind
from mezite.model.node import Node
from mezite.storage.ports import Writing

NODE_TTL: Final = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class NodeKeys:
    """What is to be certified: a host key, as an OpenSSH line, and a P-256 key, as SubjectPublicKeyInfo."""

    ssh_line: str
    tls_spki: bytes


@dataclass(frozen=True, slots=True)
class NodeCertificates:
    identity: Identity
    ssh_line: str
    tls_pem: str


async def renew(desk: Desk, caller: Caller, keys: NodeKeys, *, ttl: timedelta = NODE_TTL) -> NodeCertificates:
    """Fresh certificates for the node that asks with one that is still good."""

    def unit(tx: Writing, who: Standing) -> NodeCertificates:
        if who.node is None:
            raise Denied("only a node renews a node's certificate", code="not_a_node")
        issued = issue(desk, who.node, keys, now=who.now, ttl=ttl)
        tx.record(
            who.event(
                Kind.CERT_ISSUED,
                resource=who.node.name,
                reason="renewed",
                serial=str(issued.identity.serial),
                until=issued.identity.expires_at.isoformat(),
            )
        )
        return issued

    return await desk.act(caller, unit)


def issue(
    desk: Desk, node: Node, keys: NodeKeys, *, now: datetime, ttl: timedelta = NODE_TTL
) -> NodeCertificates:
    """They leave the hub only after the commit of the unit that records them."""
    identity = Identity(
        kind=IdentityKind.NODE,
        id=node.id,
        name=node.name,
        serial=secrets.randbits(63) | 1,
        issued_at=now,
        expires_at=now + ttl,
        roles=(node.role,),
    )
    return NodeCertificates(
        identity,
        ssh_line=desk.keyring.sign_ssh_node(keys.ssh_line, identity),
        tls_pem=desk.keyring.sign_tls_client(keys.tls_spki, identity),
    )
