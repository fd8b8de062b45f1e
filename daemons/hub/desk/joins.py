"""How a machine becomes a node. The rules of trust, which `mezite.api.tunnel.proof` begins:

1. Who has not proven that it knows the token's secret hears one sentence, whatever was wrong, and cannot tell
   a token that exists from one that does not. The log hears which it was.
2. Who has proven it is told plainly what else is in the way.
3. A use of the token, the node and the event that tells of them are one unit: no use is lost or had twice.
4. A name belongs to its node until that is removed. The same node may join again under it, when it shows a
   certificate that this cluster once issued to it, for the key by which it signs.
5. What the token binds, name and labels, the node cannot change.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.node_certs import NodeCertificates, NodeKeys, issue
from daemons.hub.desk.node_claims import checked_labels, checked_version
from daemons.hub.desk.tokens import is_usable
from daemons.hub.desk.who import lock_on
from mezite import ids
from mezite.api.tunnel.messages import Join, Proof
from mezite.api.tunnel.proof import Prover, holds, is_token_id, to_sign
from mezite.audit.events import Kind
from mezite.ca import ssh_keys, tls_certs
from mezite.errors import Denied, Exists, MeziteError, NotLoggedIn
from mezite.model.change import ChangeKind
from mezite.model.identity import IdentityKind
from mezite.model.lock import LockTarget
from mezite.model.node import JoinToken, Node
from mezite.storage.ports import Reading, Writing

REFUSED: Final = "join refused; check the join token"


@dataclass(frozen=True, slots=True)
class Bid:
    """One attempt to join: what was offered, and over what both ends prove."""

    offer: Join
    bound: bytes
    key: bytes
    """What this hub proved with: the token's, or a random one if there is no such token."""
    client_ip: str


async def key_of(desk: Desk, token_id: str) -> bytes:
    """The key that proofs for this token are made with; a random one for a token that does not exist."""
    token = await desk.store.read(lambda tx: tx.join_tokens.get(token_id))
    return secrets.token_bytes(32) if token is None else token.secret_hash


async def admit(desk: Desk, bid: Bid, proof: Proof) -> NodeCertificates:
    """The node is in the cluster and has its certificates; or nothing happened but a line in the log."""
    try:
        _check_proof(bid, proof)
        tls_key = tls_certs.load_public_key(bid.offer.tls_public_key)
        _check_signature(bid, proof, tls_key)
        ssh_keys.load_public_key(bid.offer.ssh_public_key)
        former_id = _former_id(desk, bid.offer, tls_key)
        return await desk.store.write(lambda tx: _admit(desk, tx, bid, former_id))
    except MeziteError as refusal:
        await _note(desk, bid, refusal)
        raise


def _check_proof(bid: Bid, proof: Proof) -> None:
    if not holds(Prover.AGENT, bid.key, bid.bound, proof.proof):
        raise _refused("no such token, or its secret is not known there")


def _check_signature(bid: Bid, proof: Proof, key: ec.EllipticCurvePublicKey) -> None:
    try:
        key.verify(proof.signature, to_sign(bid.bound), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise Denied("the node does not hold the key that is to be certified", code="bad_signature") from None


def _former_id(desk: Desk, offer: Join, key: ec.EllipticCurvePublicKey) -> str:
    """The node that this key was certified for before; empty when nothing proves that there was one."""
    if not offer.former_certificate:
        return ""
    try:
        former = tls_certs.parse(offer.former_certificate)
        identity = tls_certs.check_client(
            offer.former_certificate,
            trusted=desk.keyring.tls_authorities,
            cluster=desk.cluster,
            # It need not be good today: it says which node this is, the token says that it may join.
            now=former.not_valid_before_utc,
        )
    except NotLoggedIn:
        return ""
    is_its_own = identity.kind is IdentityKind.NODE and former.public_key() == key
    return identity.id if is_its_own else ""


def _admit(desk: Desk, tx: Writing, bid: Bid, former_id: str) -> NodeCertificates:
    now, offer = desk.clock.now(), bid.offer
    token = _usable_token(tx, bid, now)
    name = _free_name(tx, token, offer.name, former_id)
    _check_unlocked(tx, former_id, now)
    node = _registered(tx, token, offer, name, now)
    tx.join_tokens.replace(_with_one_use_less(token))
    issued = issue(
        desk, node, NodeKeys(ssh_line=offer.ssh_public_key, tls_spki=offer.tls_public_key), now=now
    )
    tx.record(
        desk.event(
            Kind.NODE_JOINED,
            user=f"node:{name}",
            now=now,
            resource=token.id,
            node=name,
            client_ip=bid.client_ip,
            details={
                "node_id": node.id,
                "again": node.id == former_id,
                "token_by": token.created_by,
                "serial": str(issued.identity.serial),
                "labels": tuple(sorted(f"{key}={value}" for key, value in node.labels.items())),
            },
        )
    )
    tx.changed(ChangeKind.NODE, node.id)
    tx.changed(ChangeKind.TOKEN, token.id)
    return issued


def _usable_token(tx: Reading, bid: Bid, now: datetime) -> JoinToken:
    token = tx.join_tokens.get(bid.offer.token_id)
    if token is None or token.secret_hash != bid.key:
        raise _refused("the token was deleted meanwhile")
    if not is_usable(token, now):
        what, code = (
            ("expired", "token_expired") if token.expires_at <= now else ("been used up", "token_used")
        )
        raise Denied(
            f"the join token has {what}; make one with `mezctl tokens create --roles=node`", code=code
        )
    return token


def _free_name(tx: Reading, token: JoinToken, name: str, former_id: str) -> str:
    ids.node_name(name)
    if token.node_name is not None and token.node_name != name:
        raise Denied(
            f"the join token is for node {token.node_name}; set MEZITE_NODE_NAME to it", code="token_bound"
        )
    holder = tx.nodes.one(name=name)
    if holder is not None and holder.id != former_id:
        raise Exists(
            f"there is a node {name} already; set another MEZITE_NODE_NAME, or remove it with "
            f"`mezctl nodes rm {name}`",
            code="name_taken",
        )
    return name


def _check_unlocked(tx: Reading, former_id: str, now: datetime) -> None:
    if former_id and (lock := lock_on(tx, now, [(LockTarget.NODE, former_id)])):
        raise NotLoggedIn(
            "this node is locked; ask an administrator", code="locked", evidence=f"lock {lock.id}"
        )


def _registered(tx: Writing, token: JoinToken, offer: Join, name: str, now: datetime) -> Node:
    """The node from this unit on: a new one, or the one of this name, which was shown to be the same."""
    known = tx.nodes.one(name=name)
    joined = Node(
        id=ids.mint_uuid() if known is None else known.id,
        name=name,
        joined_at=now,
        token_id=token.id,
        own_labels=checked_labels(offer.labels),
        bound_labels=token.labels,
        version=checked_version(offer.agent_version),
    )
    return (
        tx.nodes.insert(joined)
        if known is None
        else tx.nodes.replace(replace(joined, revision=known.revision))
    )


def _with_one_use_less(token: JoinToken) -> JoinToken:
    return token if token.uses_left is None else replace(token, uses_left=token.uses_left - 1)


def _refused(evidence: str) -> Denied:
    return Denied(REFUSED, code="join_refused", evidence=evidence)


async def _note(desk: Desk, bid: Bid, refusal: MeziteError) -> None:
    """What came from whoever was refused is a claim, and is written down only where it reads as a name."""
    unwritten = desk.denials.admit(f"join:{bid.client_ip}", desk.clock.monotonic())
    if unwritten is None:
        return
    claimed = bid.offer.name if ids.SLUG.fullmatch(bid.offer.name) else ""
    token_id = bid.offer.token_id if is_token_id(bid.offer.token_id) else ""
    event = desk.event(
        Kind.NODE_JOIN_FAILED,
        user="",
        success=False,
        resource=token_id,
        node=claimed,
        reason=refusal.evidence or refusal.message,
        client_ip=bid.client_ip,
        details={"code": refusal.code, **({"unwritten": unwritten} if unwritten else {})},
    )
    await desk.store.write(lambda tx: tx.record(event))
