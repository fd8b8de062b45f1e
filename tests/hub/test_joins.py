"""Joining at the desk: what a token, a name and a former certificate are worth."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from ssl import PEM_cert_to_DER_cert

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from daemons.agent.identity import NodeKeys
from daemons.hub.desk import joins, locks, node_certs, nodes, tokens
from daemons.hub.desk.desk import DENIALS_PER_MINUTE, Desk
from daemons.hub.desk.joins import REFUSED, Bid
from daemons.hub.desk.node_certs import NODE_TTL, NodeCertificates
from daemons.hub.desk.who import Caller
from mezite.api.tunnel.messages import Join, Proof, encode
from mezite.api.tunnel.proof import Prover, TokenText, binding, parse_token, prove, to_sign
from mezite.audit.body import decode
from mezite.audit.events import Event, Kind
from mezite.ca import ssh_certs, tls_certs
from mezite.ca.ssh_keys import load_public_key
from mezite.errors import Denied, Exists, Invalid, MeziteError, NotLoggedIn
from mezite.model.lock import LockTarget
from mezite.model.node import Node, NodeStatus
from mezite.rbac.builtin import BUILTIN
from tests.support.clock import FakeClock
from tests.support.nodes import CLUSTER, add_user, administrator, node_caller, open_desk

HOUR = timedelta(hours=1)


@dataclass
class Story:
    desk: Desk
    clock: FakeClock

    async def token(self, **terms: object) -> TokenText:
        terms = {"roles": ("node",), "ttl": HOUR, **terms}
        return parse_token((await tokens.create(self.desk, administrator(self.clock), **terms))[1])  # type: ignore[arg-type]  # as given

    async def events(self, kind: Kind) -> list[Event]:
        records = await self.desk.store.read(lambda tx: tx.audit.records(after=0, limit=1000))
        return [event for record in records if (event := decode(record.body)).kind is kind]

    async def uses_left(self, token: TokenText) -> int | None:
        kept = await self.desk.store.read(lambda tx: tx.join_tokens.get(token.id))
        assert kept is not None
        return kept.uses_left


@dataclass
class Candidate:
    """A machine that wants to join, honest unless told otherwise."""

    token: TokenText
    name: str = "web-1"
    labels: dict[str, str] = field(default_factory=dict)
    keys: NodeKeys = field(default_factory=NodeKeys.generate)
    former: bytes = b""

    def offer(self) -> Join:
        return Join(
            token_id=self.token.id,
            nonce=secrets.token_bytes(32),
            name=self.name,
            labels=self.labels,
            agent_version="0.1.0",
            ssh_public_key=self.keys.host_line,
            tls_public_key=self.keys.tls_spki,
            former_certificate=self.former,
        )

    async def bid(self, desk: Desk, offer: Join | None = None) -> Bid:
        offer = offer or self.offer()
        bound = binding(
            offer=encode(offer),
            hub_nonce=secrets.token_bytes(32),
            cluster=CLUSTER,
            authorities=(b"authority",),
            server_certificate=b"certificate",
        )
        return Bid(offer, bound, await joins.key_of(desk, offer.token_id), "192.0.2.7")

    def proof(self, bid: Bid) -> Proof:
        return Proof(
            proof=prove(Prover.AGENT, self.token.key, bid.bound), signature=self.keys.sign(to_sign(bid.bound))
        )

    async def join(self, desk: Desk) -> NodeCertificates:
        bid = await self.bid(desk)
        return await joins.admit(desk, bid, self.proof(bid))


@pytest.fixture
async def story() -> AsyncIterator[Story]:
    clock = FakeClock()
    async with open_desk(clock) as desk:
        yield Story(desk, clock)


async def refused(story: Story, candidate: Candidate, kind: type[MeziteError], code: str) -> MeziteError:
    """A refusal: nothing changed, one line in the log."""
    before = await story.desk.store.read(lambda tx: (tx.nodes.all(), tx.join_tokens.all()))
    noted = len(await story.events(Kind.NODE_JOIN_FAILED))
    with pytest.raises(kind) as refusal:
        await candidate.join(story.desk)
    assert refusal.value.code == code
    assert await story.desk.store.read(lambda tx: (tx.nodes.all(), tx.join_tokens.all())) == before
    events = await story.events(Kind.NODE_JOIN_FAILED)
    assert len(events) == noted + 1
    assert events[-1].details["code"] == code
    assert candidate.token.secret not in json.dumps([str(refusal.value), events[-1].reason])
    return refusal.value


async def test_a_join_makes_a_node_with_certificates_and_uses_the_token_once(story: Story) -> None:
    token = await story.token(labels={"env": "production"})
    candidate = Candidate(token, labels={"env": "mine", "os": "debian"})
    issued = await candidate.join(story.desk)
    view = await nodes.get(story.desk, administrator(story.clock), "web-1")
    assert view.node.id == issued.identity.id
    assert view.node.labels == {"env": "production", "os": "debian"}, (
        "what the token binds the node cannot change"
    )
    assert view.status is NodeStatus.OFFLINE
    assert await story.uses_left(token) == 0
    desk, now = story.desk, story.clock.now()
    assert tls_certs.check_client(
        issued.tls_pem.encode(), trusted=desk.keyring.tls_authorities, cluster=CLUSTER, now=now
    ) == replace(issued.identity, expires_at=(now + NODE_TTL).replace(microsecond=0))
    host_keys = [raw_key(line) for line in desk.keyring.host_authorities]
    for name in ("web-1", f"web-1.{CLUSTER}", view.node.id):
        assert (
            ssh_certs.check_host(issued.ssh_line, trusted=host_keys, cluster=CLUSTER, name=name, now=now).id
            == view.node.id
        )
    (event,) = await story.events(Kind.NODE_JOINED)
    assert (event.user, event.resource, event.client_ip) == ("node:web-1", token.id, "192.0.2.7")
    assert event.details["serial"] == str(issued.identity.serial)


async def test_a_wrong_secret_and_a_token_that_is_not_there_are_one_and_the_same(story: Story) -> None:
    real = await story.token()
    guess = TokenText(real.id, "0" * 48)
    nobody = TokenText("tok_000000000000", "0" * 48)
    words = {str(await refused(story, Candidate(token), Denied, "join_refused")) for token in (guess, nobody)}
    assert words == {REFUSED}
    assert await joins.key_of(story.desk, nobody.id) != await joins.key_of(story.desk, nobody.id), (
        "made up each time"
    )


async def test_a_proof_made_for_another_offer_or_turn_is_none(story: Story) -> None:
    candidate = Candidate(await story.token(uses=5))
    first = await candidate.bid(story.desk)
    replayed = candidate.proof(first)
    again = await candidate.bid(story.desk, first.offer)
    for bid in (again, replace(again, offer=msgspec.structs.replace(again.offer, name="web-2"))):
        with pytest.raises(Denied) as refusal:
            await joins.admit(story.desk, bid, replayed)
        assert refusal.value.code == "join_refused"


async def test_the_hubs_own_proof_sent_back_is_none(story: Story) -> None:
    candidate = Candidate(await story.token())
    bid = await candidate.bid(story.desk)
    mirrored = Proof(
        proof=prove(Prover.HUB, bid.key, bid.bound), signature=candidate.keys.sign(to_sign(bid.bound))
    )
    with pytest.raises(Denied):
        await joins.admit(story.desk, bid, mirrored)


async def test_nobody_gets_a_certificate_for_a_key_of_another(story: Story) -> None:
    candidate, other = Candidate(await story.token()), NodeKeys.generate()
    bid = await candidate.bid(story.desk)
    for signature in (other.sign(to_sign(bid.bound)), b"\x30\x00", candidate.keys.sign(b"something else")):
        with pytest.raises(Denied) as refusal:
            await joins.admit(
                story.desk, bid, Proof(proof=prove(Prover.AGENT, bid.key, bid.bound), signature=signature)
            )
        assert refusal.value.code == "bad_signature"
    assert await story.uses_left(candidate.token) == 1


async def test_a_token_is_good_until_it_expires_and_not_a_moment_longer(story: Story) -> None:
    token = await story.token(uses=5)
    story.clock.advance(HOUR - timedelta(microseconds=1))
    await Candidate(token, name="web-1").join(story.desk)
    story.clock.advance(timedelta(microseconds=1))
    await refused(story, Candidate(token, name="web-2"), Denied, "token_expired")


async def test_a_token_is_good_for_as_many_joins_as_it_says_also_all_at_once(story: Story) -> None:
    token = await story.token(uses=3)
    answers = await asyncio.gather(
        *(Candidate(token, name=f"web-{number}").join(story.desk) for number in range(8)),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, NodeCertificates) for answer in answers) == 3
    assert {answer.code for answer in answers if isinstance(answer, MeziteError)} == {"token_used"}
    await refused(story, Candidate(token, name="web-9"), Denied, "token_used")


async def test_a_token_deleted_after_the_challenge_is_refused_like_a_wrong_one(story: Story) -> None:
    candidate = Candidate(await story.token())
    bid = await candidate.bid(story.desk)
    await tokens.delete(story.desk, administrator(story.clock), candidate.token.id)
    with pytest.raises(Denied) as refusal:
        await joins.admit(story.desk, bid, candidate.proof(bid))
    assert str(refusal.value) == REFUSED


async def test_a_token_bound_to_a_name_is_for_that_name(story: Story) -> None:
    token = await story.token(node="web-1")
    await refused(story, Candidate(token, name="web-2"), Denied, "token_bound")
    await Candidate(token, name="web-1").join(story.desk)


@pytest.mark.parametrize(
    ("change", "kind", "code"),
    [
        ({"name": "Web_1"}, Invalid, "invalid_name"),
        ({"name": "web-1\n"}, Invalid, "invalid_name"),
        ({"labels": {"a b": "c"}}, Invalid, "invalid_name"),
        ({"labels": {"a": "b\x1b]0;"}}, Invalid, "bad_labels"),
    ],
)
async def test_a_candidate_that_says_what_cannot_be_is_refused(
    story: Story, change: dict[str, object], kind: type[MeziteError], code: str
) -> None:
    await refused(story, replace(Candidate(await story.token()), **change), kind, code)  # type: ignore[arg-type]  # as given


@pytest.mark.parametrize(
    "change",
    [
        {"tls_public_key": b"not a key"},
        {"ssh_public_key": "ssh-rsa AAAA"},
        {"ssh_public_key": "ssh-ed25519 !!"},
        {"agent_version": "1\x00"},
    ],
)
async def test_keys_and_versions_that_cannot_be_are_refused(story: Story, change: dict[str, object]) -> None:
    candidate = Candidate(await story.token())
    bid = await candidate.bid(story.desk, msgspec.structs.replace(candidate.offer(), **change))
    with pytest.raises(Invalid):
        await joins.admit(story.desk, bid, candidate.proof(bid))
    assert await story.uses_left(candidate.token) == 1


async def test_a_name_is_its_nodes_until_it_is_removed(story: Story) -> None:
    token = await story.token(uses=5)
    first = await Candidate(token).join(story.desk)
    await refused(story, Candidate(token), Exists, "name_taken")
    await nodes.remove(story.desk, administrator(story.clock), "web-1")
    assert (await Candidate(token).join(story.desk)).identity.id != first.identity.id


async def test_the_same_node_joins_again_also_long_after_its_certificate_ran_out(story: Story) -> None:
    candidate = Candidate(await story.token())
    first = await candidate.join(story.desk)
    story.clock.advance(timedelta(days=40))
    again = replace(candidate, token=await story.token(labels={"tier": "gold"}), former=der(first))
    second = await again.join(story.desk)
    assert second.identity.id == first.identity.id
    assert (await nodes.get(story.desk, administrator(story.clock), "web-1")).node.labels == {"tier": "gold"}
    assert [event.details["again"] for event in await story.events(Kind.NODE_JOINED)] == [False, True]


async def test_a_certificate_of_another_proves_no_sameness(story: Story) -> None:
    token = await story.token(uses=9)
    victim = Candidate(token)
    stolen = der(await victim.join(story.desk))
    other = der(await Candidate(token, name="web-2").join(story.desk))
    alice = await add_user(story.desk, "alice", BUILTIN["access"])
    users = PEM_cert_to_DER_cert(story.desk.keyring.sign_tls_client(victim.keys.tls_spki, alice.identity))
    async with open_desk(story.clock) as elsewhere:
        forged = PEM_cert_to_DER_cert(
            elsewhere.keyring.sign_tls_client(
                victim.keys.tls_spki, node_caller(elsewhere, await node_of(story, "web-1")).identity
            )
        )
    for former, keys in (
        (stolen, NodeKeys.generate()),  # seen on the wire, without its key
        (other, victim.keys),  # of another node
        (users, victim.keys),  # no node's at all
        (forged, victim.keys),  # of another cluster's authority
        (b"garbage", victim.keys),
    ):
        await refused(story, Candidate(token, former=former, keys=keys), Exists, "name_taken")


async def test_a_former_certificate_of_another_cluster_hinders_nobody(story: Story) -> None:
    await Candidate(await story.token(), former=b"of a cluster long gone").join(story.desk)


async def test_a_locked_node_does_not_come_back_by_joining_again(story: Story) -> None:
    candidate = Candidate(await story.token(uses=2))
    first = await candidate.join(story.desk)
    await locks.create(story.desk, administrator(story.clock), LockTarget.NODE, "web-1")
    await refused(story, replace(candidate, former=der(first)), NotLoggedIn, "locked")


async def test_refusals_cannot_fill_the_log(story: Story) -> None:
    for _ in range(DENIALS_PER_MINUTE + 20):
        with pytest.raises(Denied):
            await Candidate(TokenText("tok_000000000000", "0" * 48)).join(story.desk)
    assert len(await story.events(Kind.NODE_JOIN_FAILED)) == DENIALS_PER_MINUTE
    story.clock.advance(timedelta(minutes=1))
    with pytest.raises(Denied):
        await Candidate(TokenText("tok_000000000000", "0" * 48)).join(story.desk)
    assert (await story.events(Kind.NODE_JOIN_FAILED))[-1].details["unwritten"] == 20


async def test_what_the_refused_claimed_is_written_down_only_where_it_reads_as_a_name(story: Story) -> None:
    token = TokenText("tok_\x1b[31m", "0" * 48)
    with pytest.raises(Denied):
        await Candidate(token, name="x\x1b[31m").join(story.desk)
    (event,) = await story.events(Kind.NODE_JOIN_FAILED)
    assert (event.node, event.resource) == ("", "")


async def test_a_renewal_is_for_the_node_that_holds_the_certificate(story: Story) -> None:
    candidate = Candidate(await story.token())
    issued = await candidate.join(story.desk)
    keys = node_certs.NodeKeys(candidate.keys.host_line, candidate.keys.tls_spki)
    story.clock.advance(timedelta(hours=16))
    renewed = await node_certs.renew(story.desk, Caller(issued.identity), keys)
    assert renewed.identity.expires_at == story.clock.now() + NODE_TTL
    assert (await story.events(Kind.CERT_ISSUED))[-1].user == "node:web-1"
    with pytest.raises(Denied):
        await node_certs.renew(story.desk, administrator(story.clock), keys)
    story.clock.advance(timedelta(hours=8))
    with pytest.raises(NotLoggedIn):
        await node_certs.renew(story.desk, Caller(issued.identity), keys)
    await locks.create(story.desk, administrator(story.clock), LockTarget.CERT, str(renewed.identity.serial))
    with pytest.raises(NotLoggedIn):
        await node_certs.renew(story.desk, Caller(renewed.identity), keys)


def raw_key(line: str) -> bytes:
    key = load_public_key(line)
    assert isinstance(key, Ed25519PublicKey), "as all authorities are"
    return key.public_bytes_raw()


def der(issued: NodeCertificates) -> bytes:
    return PEM_cert_to_DER_cert(issued.tls_pem)


async def node_of(story: Story, name: str) -> Node:
    return (await nodes.get(story.desk, administrator(story.clock), name)).node
