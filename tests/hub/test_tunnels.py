"""Real agents on real TLS against the real port: what works, and everything that must not."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from daemons.agent import dialling, joining
from daemons.agent.identity import Membership, NodeKeys
from daemons.agent.joining import Wish
from daemons.agent.store import open_store
from daemons.agent.tunnel import Phase
from daemons.hub.desk import locks, nodes, presence
from daemons.hub.proxy.lines import KEEPALIVE_S, SILENCE_S
from daemons.hub.proxy.tunnels import Limits
from daemons.hub.server_tls import ServerTls
from daemons.tls_lines import TlsLine, client_context, narrow, new_inbox
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.frames import frame
from mezite.api.tunnel.messages import (
    Bye,
    Challenge,
    Hello,
    Join,
    Ping,
    Pong,
    Proof,
    Refused,
    Renew,
    Renewed,
    Welcome,
    decode,
    encode,
)
from mezite.api.tunnel.proof import TokenText
from mezite.api.tunnel.talk import End
from mezite.audit.events import Kind
from mezite.config import Address
from mezite.errors import Denied, NotLoggedIn, Unavailable
from mezite.model.lock import LockTarget
from mezite.model.node import NodeStatus
from mezite.rbac.builtin import BUILTIN
from mezite.storage.sqlite import open_sqlite
from tests.support.clock import FakeClock
from tests.support.nodes import (
    TunnelHub,
    add_user,
    node_caller,
    open_desk,
    running_agent,
    tunnel_hub,
    until,
)


def present_clock() -> FakeClock:
    """OpenSSL judges certificates by the real time, so a story that uses it has to begin near that."""
    return FakeClock(datetime.now(UTC))


@dataclass
class Member:
    """A node's papers, for connections that a test makes by hand."""

    keys: NodeKeys
    membership: Membership

    async def dial(self, hub: TunnelHub) -> TunnelLine:
        return await dialling.as_node(hub.address, self.membership, self.keys)

    async def online(self, hub: TunnelHub) -> TunnelLine:
        line = await self.dial(hub)
        line.send(Hello(agent_version="0.1.0", labels={}))
        assert isinstance(await line.receive(), Welcome)
        return line


async def joined(hub: TunnelHub, token: TokenText | None = None, name: str = "web-1") -> Member:
    keys, token = NodeKeys.generate(), token or await hub.token()
    line = await dialling.to_join(hub.address)
    membership = await joining.join(line, Wish(name, {}, "0.1.0", token), keys, None)
    line.close()
    return Member(keys, membership)


async def online_names(hub: TunnelHub) -> list[str]:
    views = await nodes.page(hub.desk, hub.admin, labels={}, limit=100, everything=True)
    return sorted(view.node.name for view in views if view.status is NodeStatus.ONLINE)


async def presences(hub: TunnelHub) -> int:
    return await hub.desk.store.read(lambda tx: tx.presence.count())


async def offline_everywhere(hub: TunnelHub) -> None:
    async with asyncio.timeout(5):
        while await presences(hub):  # noqa: ASYNC110  what is watched is in storage
            await asyncio.sleep(0.005)


# What works.


@pytest.mark.parametrize("engine", ["memory", "sqlite"])
async def test_a_machine_joins_and_is_online_until_it_leaves(tmp_path: Path, engine: str) -> None:
    async with _hub_on(engine, tmp_path) as hub:
        token = await hub.token(labels={"env": "production"})
        labels = {"os": "debian", "env": "mine"}
        async with running_agent(tmp_path / "node", hub.address, labels=labels, token=token) as agent:
            await agent.reached(Phase.ONLINE)
            view = await nodes.get(hub.desk, hub.admin, "web-1")
            assert view.status is NodeStatus.ONLINE
            assert view.node.labels == {"os": "debian", "env": "production"}, "bound labels win"
            assert (view.node.id, view.address) == (agent.node_id, "127.0.0.1")
        await offline_everywhere(hub)
        assert await online_names(hub) == []
        (event,) = await hub.events(Kind.NODE_JOINED)
        assert (event.user, event.node, event.client_ip) == ("node:web-1", "web-1", "127.0.0.1")


@asynccontextmanager
async def _hub_on(engine: str, directory: Path) -> AsyncIterator[TunnelHub]:
    clock = present_clock()
    if engine == "memory":
        async with tunnel_hub(clock) as hub:
            yield hub
        return
    async with open_sqlite(directory / "hub", clock) as store, open_desk(clock, store=store) as desk:
        async with tunnel_hub(clock, desk=desk) as hub:
            yield hub


async def test_agents_are_back_after_the_hub_restarts_as_who_they_were(tmp_path: Path) -> None:
    clock = present_clock()
    async with open_desk(clock) as desk, AsyncExitStack() as stack:
        async with tunnel_hub(clock, desk=desk) as hub:
            port, token = hub.port, await hub.token()
            agent = await stack.enter_async_context(running_agent(tmp_path, hub.address, token=token))
            turn = await agent.reached(Phase.ONLINE)
            node_id = agent.node_id
        turn = await agent.reached(Phase.RESTING, after=turn)
        async with tunnel_hub(clock, desk=desk, port=port) as again:
            await agent.reached(Phase.ONLINE, after=turn)
            assert agent.node_id == node_id
            assert agent.phases.count(Phase.JOINING) == 1, "the token of a node that has joined is not used"
            assert await online_names(again) == ["web-1"]
            assert await presences(again) == 1
            await agent.stop()


async def test_a_hub_that_stops_takes_its_nodes_offline_at_once(tmp_path: Path) -> None:
    clock = present_clock()
    async with open_desk(clock) as desk:
        async with tunnel_hub(clock, desk=desk) as hub:
            member = await joined(hub)
            line = await member.online(hub)
            assert await online_names(hub) == ["web-1"]
        assert isinstance(await line.receive(), Bye)
        assert await desk.store.read(lambda tx: (tx.presence.count(), tx.hub_pulses.count())) == (0, 0)


async def test_the_later_of_two_lines_counts_and_the_earlier_is_told() -> None:
    async with tunnel_hub() as hub:
        member = await joined(hub)
        earlier, later = await member.online(hub), await member.online(hub)
        told = await earlier.receive()
        assert isinstance(told, Refused)
        assert told.code == "superseded"
        await until(lambda: len(list(hub.tunnels.lines)) == 1)
        leading = hub.tunnels.lines.to(member.membership.issued.node_id)
        assert leading is not None
        later.close(Bye())
        await until(lambda: len(hub.tunnels.lines) == 0)
        await offline_everywhere(hub)


async def test_what_an_agent_says_of_itself_may_change_when_it_calls_again(tmp_path: Path) -> None:
    async with tunnel_hub() as hub:
        token = await hub.token()
        for labels in ({"tier": "one"}, {"tier": "two"}, {"tier": "two"}):
            async with running_agent(tmp_path, hub.address, labels=labels, token=token) as agent:
                await agent.reached(Phase.ONLINE)
                assert (await nodes.get(hub.desk, hub.admin, "web-1")).node.labels == labels
        assert len(await hub.events(Kind.NODE_UPDATED)) == 1


async def test_a_ping_is_sent_when_due_and_its_answer_keeps_the_line() -> None:
    clock = present_clock()
    async with tunnel_hub(clock) as hub:
        line = await (await joined(hub)).online(hub)
        (control,) = hub.tunnels.lines
        for number in (1, 2, 3):
            clock.advance(timedelta(seconds=KEEPALIVE_S))
            hub.tunnels.beat()
            assert await line.receive() == Ping(number=number)
            line.send(Pong(number=number))
            await until(lambda: control.heard_at == clock.monotonic())
        assert not line.tls.is_over


async def test_a_silent_node_is_cut_and_offline_before_30_seconds() -> None:
    clock = present_clock()
    async with tunnel_hub(clock) as hub:
        line = await (await joined(hub)).online(hub)
        clock.advance(timedelta(seconds=SILENCE_S - 1))
        hub.tunnels.beat()
        assert isinstance(await line.receive(), Ping)
        clock.advance(timedelta(seconds=1))
        hub.tunnels.beat()
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "silent"
        await offline_everywhere(hub)
    assert SILENCE_S < 30


async def test_an_agent_renews_over_its_line_and_keeps_what_it_got(tmp_path: Path) -> None:
    clock = present_clock()
    async with tunnel_hub(clock) as hub:
        async with running_agent(tmp_path, hub.address, token=await hub.token(), clock=clock) as agent:
            await agent.reached(Phase.ONLINE)
            first = agent.tunnel.membership
            assert first is not None
            clock.advance(timedelta(hours=18))
            for control in hub.tunnels.lines:
                control.heard_at = clock.monotonic()
            hub.tunnels.beat()
            await until(lambda: agent.store.membership() != first)
            renewed = agent.store.membership()
            assert renewed is not None
            assert renewed.expires_at > first.expires_at + timedelta(hours=16)
            assert renewed.issued.node_id == first.issued.node_id
            (control,) = hub.tunnels.lines
            assert control.caller.identity.expires_at > first.expires_at
            assert Phase.RESTING not in agent.phases, "the line went on"
        (event,) = await hub.events(Kind.CERT_ISSUED)
        assert event.user == "node:web-1"


# What must not.


async def test_a_lock_cuts_the_line_and_its_end_lets_the_node_back(tmp_path: Path) -> None:
    async with tunnel_hub() as hub:
        async with running_agent(tmp_path, hub.address, token=await hub.token()) as agent:
            turn = await agent.reached(Phase.ONLINE)
            lock = await locks.create(hub.desk, hub.admin, LockTarget.NODE, "web-1")
            await agent.reached(Phase.RESTING, after=turn)
            await offline_everywhere(hub)
            turn = await agent.reached(Phase.RESTING, after=len(agent.phases))
            assert Phase.ONLINE not in agent.phases[turn:]
            assert Phase.JOINING not in agent.phases[1:], "a locked node waits"
            await locks.delete(hub.desk, hub.admin, lock.id)
            await agent.reached(Phase.ONLINE, after=turn)


async def test_a_lock_on_the_certificate_cuts_the_line_and_a_lock_on_others_does_not() -> None:
    async with tunnel_hub() as hub:
        token = await hub.token(uses=2)
        one, two = await joined(hub, token, "web-1"), await joined(hub, token, "web-2")
        first, second = await one.online(hub), await two.online(hub)
        serial = one.membership.certificate.serial_number
        await locks.create(hub.desk, hub.admin, LockTarget.CERT, str(serial))
        refusal = await first.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "locked"
        assert await online_names(hub) == ["web-2"]
        assert not second.tls.is_over


async def test_a_lock_made_while_the_node_is_let_in_finds_it(monkeypatch: pytest.MonkeyPatch) -> None:
    connected = presence.connected

    async def slowly(desk: object, caller: object, arrival: object) -> object:
        node = await connected(desk, caller, arrival)  # type: ignore[arg-type]  # passed through
        await locks.create(hub.desk, hub.admin, LockTarget.NODE, "web-1")
        (control,) = hub.tunnels.lines
        await until(lambda: control.line.tls.is_over)
        return node

    async with tunnel_hub() as hub:
        member = await joined(hub)
        monkeypatch.setattr(presence, "connected", slowly)
        line = await member.dial(hub)
        line.send(Hello(agent_version="0.1.0", labels={}))
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "locked"
        await offline_everywhere(hub)
        assert len(hub.tunnels.lines) == 0


async def test_a_removed_node_is_cut_and_stays_away_until_it_has_another_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tunnel_hub() as hub:
        token = await hub.token(uses=5)
        async with running_agent(tmp_path, hub.address, token=token) as agent:
            turn = await agent.reached(Phase.ONLINE)
            node_id = agent.node_id
            await nodes.remove(hub.desk, hub.admin, "web-1")
            for _ in range(3):
                turn = await agent.reached(Phase.RESTING, after=turn)
            assert agent.phases.count(Phase.JOINING) == 1, (
                "the token it joined with does not undo the removal"
            )
        assert "was removed" in caplog.text
        assert "mezctl tokens create" in caplog.text
        async with running_agent(tmp_path, hub.address, token=await hub.token()) as agent:
            await agent.reached(Phase.ONLINE)
            assert agent.node_id != node_id


async def test_a_node_whose_certificate_ran_out_says_so_keeps_trying_and_joins_again_by_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    real = datetime.now(UTC)
    clock = FakeClock(real - timedelta(days=2))
    async with tunnel_hub(clock) as hub:
        line = await dialling.to_join(hub.address)
        with open_store(tmp_path) as store:
            keys = store.keys()
            member = await joining.join(line, Wish("web-1", {}, "0.1.0", await hub.token()), keys, None)
            store.save(member)
        clock.set_wall(real)
        async with running_agent(tmp_path, hub.address, clock=clock) as agent:
            turn = await agent.reached(Phase.RESTING)
            await agent.reached(Phase.RESTING, after=turn)
            assert set(agent.phases) == {Phase.CALLING, Phase.RESTING}
        assert caplog.text.count("certificate ran out at") == 1, "the same again is not said again"
        async with running_agent(tmp_path, hub.address, token=await hub.token(), clock=clock) as agent:
            await agent.reached(Phase.ONLINE)
            assert agent.node_id == member.issued.node_id, "it is the same node"


async def test_a_hub_that_does_not_know_the_token_learns_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async with tunnel_hub() as ours, tunnel_hub() as theirs:
        line = await dialling.to_join(theirs.address)
        with pytest.raises(Denied) as refusal:
            await joining.join(
                line, Wish("web-1", {}, "0.1.0", await ours.token()), NodeKeys.generate(), None
            )
        assert refusal.value.code == "hub_unproven"
        assert line.talk.ended
        assert await theirs.events(Kind.NODE_JOIN_FAILED) == [], "the agent left before it proved anything"


async def test_somebody_in_between_who_passes_everything_on_gains_nothing() -> None:
    heard: list[bytes] = []
    async with tunnel_hub() as hub, tunnel_hub() as evil, _in_between(hub, evil.server_tls, heard) as address:
        line = await dialling.to_join(address)
        with pytest.raises(Denied) as refusal:
            await joining.join(line, Wish("web-1", {}, "0.1.0", await hub.token()), NodeKeys.generate(), None)
        assert refusal.value.code == "hub_unproven"
        kinds = [type(decode(payload)) for payload in heard]
        assert kinds[:2] == [Join, Challenge], "the hub's true answer did come through"
        assert Proof not in kinds
        assert await hub.desk.store.read(lambda tx: tx.nodes.count()) == 0


@asynccontextmanager
async def _in_between(hub: TunnelHub, shown: ServerTls, heard: list[bytes]) -> AsyncIterator[Address]:
    """Ends TLS with a certificate of its own, and passes every message on both ways."""
    context, inbox = narrow(shown.context()), new_inbox()
    async with asyncio.TaskGroup() as group:

        async def carry(source: TlsLine, target: TlsLine) -> None:
            while data := await source.read():
                heard.append(data[4:])
                target.write(data)
            target.close()

        async def serve(victim: TlsLine) -> None:
            await victim.handshake()
            _, onward = await asyncio.get_running_loop().create_connection(
                lambda: TlsLine(client_context(None), inbox), "127.0.0.1", hub.port
            )
            await onward.handshake()
            async with asyncio.TaskGroup() as both:
                both.create_task(carry(victim, onward))
                both.create_task(carry(onward, victim))

        def accepted(victim: TlsLine) -> None:
            group.create_task(serve(victim))

        server = await asyncio.get_running_loop().create_server(
            lambda: TlsLine(context, inbox, accepted=accepted),
            "127.0.0.1",
            0,
        )
        yield Address("127.0.0.1", server.sockets[0].getsockname()[1])
        server.close()


async def test_pins_are_held_to(tmp_path: Path) -> None:
    async with tunnel_hub() as hub:
        right, wrong = hub.desk.keyring.ca_pin, "sha256:" + "0" * 64
        line = await dialling.to_join(hub.address)
        wish = Wish("web-1", {}, "0.1.0", await hub.token(), (wrong,))
        with pytest.raises(Denied) as refusal:
            await joining.join(line, wish, NodeKeys.generate(), None)
        assert refusal.value.code == "wrong_pin"
        assert right in str(refusal.value)
        async with running_agent(
            tmp_path, hub.address, token=await hub.token(), pins=(wrong, right)
        ) as agent:
            await agent.reached(Phase.ONLINE)


async def test_an_agent_refused_at_joining_goes_on_trying_and_says_why_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tunnel_hub() as hub:
        token = await hub.token()
        guess = TokenText(token.id, "0" * 48)
        async with running_agent(tmp_path, hub.address, token=guess) as agent:
            turn = await agent.reached(Phase.RESTING)
            await agent.reached(Phase.RESTING, after=turn)
            assert set(agent.phases) == {Phase.JOINING, Phase.RESTING}
        assert caplog.text.count("does not know this join token") == 1
        assert token.secret not in caplog.text
        assert guess.secret not in caplog.text


async def test_a_name_in_use_is_refused_in_plain_words(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with tunnel_hub() as hub:
        await joined(hub)
        async with running_agent(tmp_path, hub.address, token=await hub.token()) as agent:
            await agent.reached(Phase.RESTING)
        assert "mezctl nodes rm web-1" in caplog.text
        (event,) = await hub.events(Kind.NODE_JOIN_FAILED)
        assert event.details["code"] == "name_taken"


async def test_a_proof_that_comes_too_late_is_none() -> None:
    async with tunnel_hub(limits=Limits(handshake_s=0.2)) as hub:
        token, keys = await hub.token(), NodeKeys.generate()
        line = await dialling.to_join(hub.address)
        offer = Join(
            token_id=token.id,
            nonce=bytes(32),
            name="web-1",
            labels={},
            agent_version="0.1.0",
            ssh_public_key=keys.host_line,
            tls_public_key=keys.tls_spki,
        )
        line.send(offer)
        assert isinstance(await line.receive(), Challenge)
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "silent"
        with pytest.raises(Unavailable):
            await line.receive()
        assert await hub.desk.store.read(lambda tx: tx.nodes.count()) == 0


async def test_without_a_certificate_there_is_no_control_line() -> None:
    async with tunnel_hub() as hub:
        line = await dialling.to_join(hub.address)
        line.send(Hello(agent_version="0.1.0", labels={}))
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "not_logged_in"
        assert "join with a token" in refusal.message


async def test_a_persons_certificate_opens_no_control_line() -> None:
    async with tunnel_hub() as hub:
        keys = NodeKeys.generate()
        alice = await add_user(hub.desk, "alice", BUILTIN["admin"])
        pem = hub.desk.keyring.sign_tls_client(keys.tls_spki, alice.identity)
        line = await _with_certificate(hub, keys, pem)
        line.send(Hello(agent_version="0.1.0", labels={}))
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "not_a_node"
        assert len(hub.tunnels.lines) == 0


async def test_a_nodes_certificate_of_another_authority_is_refused_by_tls_itself() -> None:
    async with tunnel_hub() as hub, open_desk(hub.desk.clock) as elsewhere:
        member = await joined(hub)
        node = (await nodes.get(hub.desk, hub.admin, "web-1")).node
        pem = elsewhere.keyring.sign_tls_client(member.keys.tls_spki, node_caller(elsewhere, node).identity)
        line = await _with_certificate(hub, member.keys, pem)
        line.send(Hello(agent_version="0.1.0", labels={}))
        with pytest.raises(NotLoggedIn) as refusal:
            await line.receive()
        assert refusal.value.code == "certificate_refused"
        assert len(hub.tunnels.lines) == 0


async def _with_certificate(hub: TunnelHub, keys: NodeKeys, pem: str) -> TunnelLine:
    context = client_context(hub.desk.keyring.tls_authorities_pem.encode(), keys.tls_pem, pem.encode())
    _, tls = await asyncio.get_running_loop().create_connection(
        lambda: TlsLine(context, new_inbox(), server_name="hub.production.mezite"), "127.0.0.1", hub.port
    )
    await tls.handshake()
    return TunnelLine(tls, End.AGENT, End.HUB)


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\xff\xff\xff\xff", "too_large"),
        (bytes(4), "bad_frame"),
        (frame(b"garbage"), "bad_message"),
        (frame(b'{"type":"order66"}'), "bad_message"),
        (frame(encode(Pong(number=1))), "out_of_turn"),
        (frame(encode(Ping(number=1))), "out_of_turn"),
        (frame(b'{"type":"hello","version":2,"agent_version":"9","labels":{}}'), "version"),
    ],
)
async def test_whoever_talks_nonsense_is_told_once_and_left(sent: bytes, code: str) -> None:
    async with tunnel_hub() as hub:
        line = await dialling.to_join(hub.address)
        line.tls.write(sent)
        answer = decode((await line.tls.read())[4:])
        assert isinstance(answer, Refused)
        assert answer.code == code
        assert await line.tls.read() == b""
        assert hub.tunnels.half_open == 0
        await (await joined(hub)).online(hub)


async def test_whoever_does_not_even_speak_tls_is_dropped() -> None:
    async with tunnel_hub() as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n" * 50)
        await reader.read()
        writer.close()
        await until(lambda: hub.tunnels.half_open == 0)


async def test_whoever_speaks_an_older_tls_is_refused() -> None:
    async with tunnel_hub() as hub:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection("127.0.0.1", hub.port, ssl=context)


async def test_200_silent_connections_keep_no_node_out(tmp_path: Path) -> None:
    async with tunnel_hub(limits=Limits(half_open=64, half_open_per_address=32)) as hub:
        silent = [await asyncio.open_connection("127.0.0.1", hub.port) for _ in range(200)]
        async with running_agent(tmp_path, hub.address, token=await hub.token()) as agent:
            await agent.reached(Phase.ONLINE)
            assert hub.tunnels.half_open <= 32
            dropped = await asyncio.gather(
                *(reader.read() for reader, _ in silent[:150]), return_exceptions=True
            )
            assert all(answer == b"" or isinstance(answer, ConnectionError) for answer in dropped)
        for _, writer in silent:
            writer.close()


async def test_silence_before_the_first_word_ends_by_the_clock() -> None:
    async with tunnel_hub(limits=Limits(handshake_s=0.1)) as hub:
        reader, writer = await asyncio.open_connection("127.0.0.1", hub.port)
        assert await reader.read() == b""
        writer.close()
        line = await dialling.to_join(hub.address)
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "silent"


async def test_a_node_that_renews_without_end_is_throttled() -> None:
    clock = present_clock()
    async with tunnel_hub(clock) as hub:
        member = await joined(hub)
        clock.advance(timedelta(hours=1))
        line = await member.online(hub)
        line.send(Renew(ssh_public_key=member.keys.host_line))
        assert isinstance(await line.receive(), Renewed)
        line.send(Renew(ssh_public_key=member.keys.host_line))
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "throttled"


async def test_a_line_ends_with_its_certificate() -> None:
    clock = present_clock()
    async with tunnel_hub(clock) as hub:
        line = await (await joined(hub)).online(hub)
        (control,) = hub.tunnels.lines
        clock.advance(timedelta(hours=24))
        control.heard_at = clock.monotonic()
        hub.tunnels.beat()
        refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "expired"


async def test_a_fault_of_ours_ends_one_connection_and_is_told_to_nobody(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ZeroDivisionError("the inner truth")

    async with tunnel_hub() as hub:
        member = await joined(hub)
        with monkeypatch.context() as patch:
            patch.setattr(presence, "connected", broken)
            line = await member.dial(hub)
            line.send(Hello(agent_version="0.1.0", labels={}))
            refusal = await line.receive()
        assert isinstance(refusal, Refused)
        assert refusal.code == "internal"
        assert "truth" not in refusal.message
        assert "the inner truth" in caplog.text
        await member.online(hub)


async def test_departures_that_could_not_be_written_are_written_later(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def unwritten(*_: object) -> None:
        raise Unavailable("the database is away")

    async with tunnel_hub() as hub:
        member = await joined(hub)
        line = await member.online(hub)
        with monkeypatch.context() as patch:
            patch.setattr(presence, "departed", unwritten)
            line.close(Bye())
            await until(lambda: "the database is away" in caplog.text)
        assert await presences(hub) == 1
        await (await joined(hub, name="web-2")).online(hub)
        (second,) = hub.tunnels.lines
        second.leave("to ring the bell")
        await offline_everywhere(hub)


async def test_nothing_secret_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with tunnel_hub() as hub:
        token = await hub.token()
        async with running_agent(tmp_path, hub.address, token=token) as agent:
            await agent.reached(Phase.ONLINE)
        records = await hub.desk.store.read(lambda tx: tx.audit.records(after=0, limit=100))
    kept = (tmp_path / "tls_key.pem").read_text().splitlines()[1]
    for secret in (token.secret, token.key.hex(), kept):
        assert secret not in caplog.text
        assert all(secret not in record.body for record in records)
