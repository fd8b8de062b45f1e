"""Port 3023 with a real node's and a real client's TLS: who gets through, and everybody who must not."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from daemons.hub.desk import locks
from daemons.hub.desk.second_factor import WRONG_CODE
from daemons.hub.desk.who import Caller
from daemons.hub.proof import totp
from daemons.hub.proxy.front import TRIES, Limits
from daemons.hub.proxy.tunnels import Limits as TunnelLimits
from mezite.api.tunnel.frames import frame
from mezite.api.tunnel.messages import AnyMessage, Bye, Refused, encode
from mezite.api.tunnel.orders import Data, Declined, Dial, Granted, Open, OtpWanted
from mezite.audit.events import Kind
from mezite.clock import to_us
from mezite.errors import NotLoggedIn, Unavailable
from mezite.model.identity import IdentityKind
from mezite.model.lock import LockTarget
from mezite.model.role import Conditions, Options, Role, SessionMfa
from mezite.model.user import Credential, Totp, UserKind
from mezite.storage.ports import Writing
from tests.support.fronts import FrontHub, front_hub, letting, present_clock, serial
from tests.support.nodes import open_desk, until

MFA = Options(require_session_mfa=SessionMfa.TOTP)
SECRET = bytes(range(20))


# What works.


async def test_a_user_is_joined_with_a_node_and_the_hub_reads_no_byte_of_it() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node(env="production")
        through = await it.through(ana, node, "ana")
        assert through.granted == Granted(
            connection_id=through.id, node="web-1", cluster="production", node_id=node.id, logins=("ana",)
        )
        held = it.pairs.taken[through.id]
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(through.client.socket, b"SSH-2.0-client\r\n")
        assert held.client_first + held.client.recv(100) == b"SSH-2.0-client\r\n"
        held.client.sendall(b"SSH-2.0-node\r\n")
        assert await loop.sock_recv(through.client.socket, 100) == b"SSH-2.0-node\r\n"
        await loop.sock_sendall(through.agent.socket, b"SSH-2.0-agent\r\n")
        assert held.agent_first + held.agent.recv(100) == b"SSH-2.0-agent\r\n"
        assert it.front.half_open == 0


async def test_a_node_is_told_what_the_user_is_worth() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana", letting("dev", "ana", "root")), await it.node(env="production")
        rights = (await it.through(ana, node)).rights
        assert (rights.user, rights.user_id, rights.serial) == ("ana", "user_ana", ana.identity.serial)
        assert (rights.client_ip, rights.mfa, rights.locked_logins) == ("127.0.0.1", False, ())
        assert rights.certificate_expires_us == to_us(ana.identity.expires_at.replace(microsecond=0))
        assert rights.labels == {"env": "production"}
        assert len(rights.roles) == 1
        assert '"dev"' in rights.roles[0]


@pytest.mark.parametrize(
    "name", ["web-1", "web-1.production", "web-1.mezite", "web-1.production.mezite", "env=staging", "ID"]
)
async def test_a_node_goes_by_its_name_its_id_and_a_label_that_only_it_has(name: str) -> None:
    async with front_hub(tunnel_limits=TunnelLimits(dial_s=0.05)) as it:
        ana, node = await it.user("ana"), await it.node("web-1", env="staging")
        await it.node("db-1", env="production")
        refusal = await it.refused(ana, node.id if name == "ID" else name)
        assert refusal.code == "node_silent", "it was found, and asked"
        assert (await node.hear(Dial)).rights.user == "ana"


# Who must not.


async def test_what_one_may_not_reach_does_not_exist() -> None:
    async with front_hub() as it:
        ana = await it.user("ana", letting("dev", env="staging"))
        hidden = await it.node("secret-1", env="production")
        nothing = await it.refused(ana, "no-such-node")
        assert (nothing.code, nothing.message) == (
            "no_node",
            'no node "no-such-node"; `msh ls` lists those you may reach',
        )
        for name in ("secret-1", hidden.id, "env=production", "secret-1.mezite"):
            answer = await it.refused(ana, name)
            assert (answer.code, answer.message.replace(name, "X")) == (
                "no_node",
                nothing.message.replace("no-such-node", "X"),
            )
        events = await it.events(Kind.ACCESS_DENIED)
        assert [event.node for event in events[:2]] == ["no-such-node", "secret-1"]
        assert {event.user for event in events} == {"ana"}
        assert await it.rows() == 0


async def test_a_login_that_is_not_allowed_is_refused_with_those_that_are() -> None:
    async with front_hub() as it:
        ana = await it.user("ana", letting("dev", "ana", "deploy"))
        await it.node()
        answer = await it.refused(ana, "web-1", "root")
        assert answer.code == "login"
        assert answer.message == 'you may not log in to web-1 as "root"; you may as ana, deploy'
        (event,) = await it.events(Kind.ACCESS_DENIED)
        assert (event.node, event.login, event.success) == ("web-1", "root", False)


async def test_two_nodes_with_one_label_are_not_guessed_between() -> None:
    async with front_hub() as it:
        ana = await it.user("ana")
        for name in ("web-1", "web-2"):
            await it.node(name, env="staging")
        answer = await it.refused(ana, "env=staging")
        assert answer.code == "ambiguous"
        assert "web-1, web-2" in answer.message
        assert (await it.refused(ana, "=x")).code == "invalid"


async def test_a_node_that_is_not_there_is_offline() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        node.close()
        await until(lambda: len(it.hub.tunnels.lines) == 0)
        answer = await it.refused(ana)
        assert (answer.code, answer.message) == ("offline", "web-1 is offline")
        assert await it.rows() == 0


@pytest.mark.parametrize(
    ("target", "name", "code"),
    [
        (LockTarget.USER, "ana", "locked"),
        (LockTarget.ROLE, "dev", "locked"),
        (LockTarget.NODE, "web-1", "locked"),
        (LockTarget.LOGIN, "ana", "locked"),
        (LockTarget.CERT, "2", "locked"),
    ],
)
async def test_a_lock_keeps_out_until_it_ends(target: LockTarget, name: str, code: str) -> None:
    async with front_hub(tunnel_limits=TunnelLimits(dial_s=0.02)) as it:
        ana = await it.user("ana")
        await it.node()
        # Only the door is looked at here: the node's own line goes its own way.
        lock = await locks.create(it.desk, it.hub.admin, target, name, message="an incident")
        answer = await it.refused(ana, "web-1", "ana")
        assert answer.code in (code, "offline" if target is LockTarget.NODE else code)
        await locks.delete(it.desk, it.hub.admin, lock.id)
        if target is not LockTarget.NODE:
            assert (await it.refused(ana, "web-1", "ana")).code == "node_silent"


@pytest.mark.parametrize("kind", [IdentityKind.NODE, IdentityKind.LOCAL])
async def test_only_a_users_certificate_opens_this_door(kind: IdentityKind) -> None:
    async with front_hub() as it:
        node = await it.node()
        ana = await it.user("ana")
        identity = replace(ana.identity, kind=kind, id=node.id if kind is IdentityKind.NODE else "root")
        assert (await it.refused(Caller(identity))).code in ("not_a_user", "denied")
        assert await it.rows() == 0


async def test_without_a_certificate_tls_itself_refuses() -> None:
    async with front_hub() as it:
        line = await it.dial(None)
        with pytest.raises(NotLoggedIn) as refusal:
            await line.receive()
        assert refusal.value.code == "certificate_refused"


async def test_a_certificate_of_another_cluster_is_refused_by_tls_itself() -> None:
    async with front_hub() as it, open_desk(it.clock) as elsewhere:
        ana = await it.user("ana")
        line = await it.dial(ana, elsewhere)
        with pytest.raises(NotLoggedIn):
            await line.receive()


async def test_a_user_who_is_gone_and_a_password_change_end_every_certificate() -> None:
    async with front_hub() as it:
        ana = await it.user("ana")
        await it.node()

        def delete(tx: Writing) -> None:
            user = tx.users.get("user_ana")
            assert user is not None
            tx.users.delete(user)

        await it.desk.store.write(delete)
        assert (await it.refused(ana)).code == "not_logged_in"


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        (b"\xff\xff\xff\xff", "too_large"),
        (frame(b"garbage"), "bad_message"),
        (frame(encode(Data(connection_id="x" * 36, token=bytes(32)))), "out_of_turn"),
        (frame(b'{"type":"open","node":"web-1","version":2}'), "version"),
        (frame(b'{"type":"open","node":"' + b"n" * 1_025 + b'"}'), "bad_message"),
    ],
)
async def test_whoever_talks_nonsense_is_told_once_and_left(sent: bytes, code: str) -> None:
    async with front_hub() as it:
        line = await it.dial(await it.user("ana"))
        line.tls.write(sent)
        answer = await line.receive()
        assert isinstance(answer, Refused)
        assert answer.code == code
        await until(lambda: it.front.half_open == 0)


async def test_roles_that_do_not_fit_a_message_are_one_clear_line() -> None:
    heavy = [replace(letting(f"r{number}"), description="x" * 4_000) for number in range(20)]
    async with front_hub() as it:
        ana = await it.user("ana", *heavy)
        await it.node()
        answer = await it.refused(ana)
        assert answer.message == "your roles are too large to be told to a node; ask an administrator"
        assert await it.rows() == 0


# The second factor.


async def with_factor(it: FrontHub, name: str = "ana") -> None:
    sealed = it.desk.keyring.seal.close(SECRET, kind="totp", id=f"user_{name}")
    credential = Credential(f"user_{name}", totp=Totp(sealed, confirmed=True))
    await it.desk.store.write(lambda tx: tx.credentials.insert(credential))


def code(it: FrontHub) -> str:
    return totp.code_at(SECRET, to_us(it.clock.now()) // 1_000_000 // totp.STEP_S)


async def test_a_code_is_asked_for_where_a_role_demands_one_and_is_good_once() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana", letting(options=MFA)), await it.node()
        await with_factor(it)
        line = await it.dial(ana)
        line.send(Open(node="web-1"))
        asked = await line.receive()
        assert isinstance(asked, OtpWanted)
        line.send(Open(node="web-1", otp=code(it)))
        dial = await node.hear(Dial)
        assert dial.rights.mfa
        assert isinstance(await it.ask(ana, otp=code(it)), OtpWanted), "a code serves one connection"
        line.tls.abort()


async def test_after_three_wrong_codes_it_is_over_and_guessing_is_throttled() -> None:
    async with front_hub() as it:
        ana = await it.user("ana", letting(options=MFA))
        await it.node()
        await with_factor(it)
        answers: list[AnyMessage] = []
        for _ in range(3):
            line = await it.dial(ana)
            line.send(Open(node="web-1"))
            while isinstance(answer := await line.receive(), OtpWanted):
                answers.append(answer)
                line.send(Open(node="web-1", otp="000000"))
            answers.append(answer)
            line.tls.abort()
        first = answers[: TRIES + 1]
        assert [type(each) for each in first] == [OtpWanted] * TRIES + [Refused]
        assert isinstance(first[-1], Refused)
        assert (first[-1].code, first[-1].message) == ("wrong_otp", WRONG_CODE)
        last = answers[-1]
        assert isinstance(last, Refused)
        assert last.code == "throttled"
        assert await it.rows() == 0


async def test_a_code_that_nothing_asks_for_forgives_no_wrong_ones() -> None:
    async with front_hub(tunnel_limits=TunnelLimits(dial_s=0.01)) as it:
        ana = await it.user("ana", letting("free", env="free"), letting("strict", env="strict", options=MFA))
        await it.node("free-1", env="free")
        await it.node("strict-1", env="strict")
        await with_factor(it)
        for _ in range(4):
            assert isinstance(await it.ask(ana, "strict-1", otp="000000"), OtpWanted)
            assert (await it.refused(ana, "free-1")).code == "node_silent"
            await it.ask(ana, "free-1", otp="000000")
        await it.ask(ana, "strict-1", otp="000000")
        answer = await it.ask(ana, "strict-1", otp="000000")
        assert isinstance(answer, Refused)
        assert answer.code == "throttled"


async def test_a_client_that_leaves_instead_of_typing_leaves_nothing() -> None:
    async with front_hub() as it:
        ana = await it.user("ana", letting(options=MFA))
        await it.node()
        await with_factor(it)
        line = await it.dial(ana)
        line.send(Open(node="web-1"))
        assert isinstance(await line.receive(), OtpWanted)
        line.close(Bye())
        await until(lambda: it.front.guests == 0)
        assert await it.rows() == 0


async def test_a_second_factor_that_cannot_be_had_is_said() -> None:
    async with front_hub() as it:
        webauthn = letting("key", options=Options(require_session_mfa=SessionMfa.WEBAUTHN))
        ana, ben = await it.user("ana", letting("code", options=MFA)), await it.user("ben", webauthn)
        await it.node()
        none = await it.refused(ana)
        assert (none.code, "msh mfa add" in none.message) == ("mfa_missing", True)
        assert (await it.refused(ben)).code == "webauthn_demanded"


async def test_nobody_is_asked_for_a_code_on_the_way_to_nothing() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana", letting(options=MFA)), await it.node()
        await with_factor(it)
        node.close()
        await until(lambda: len(it.hub.tunnels.lines) == 0)
        assert (await it.refused(ana)).code == "offline"


# Nodes that do not do as they are asked.


async def test_a_silent_node_is_an_error_in_time_and_not_a_hang() -> None:
    async with front_hub(tunnel_limits=TunnelLimits(dial_s=0.05)) as it:
        ana, node = await it.user("ana"), await it.node()
        answer = await it.refused(ana)
        assert answer.code == "node_silent"
        dial = await node.hear(Dial)
        late = await node.bring(dial.connection_id, dial.token)
        assert isinstance(late, Refused)
        assert late.code == "not_awaited"
        assert await it.rows() == 0
        assert len(it.hub.tunnels.live) == 0


async def test_a_token_is_good_once_for_one_connection_from_one_node() -> None:
    async with front_hub() as it:
        ana, node, other = await it.user("ana"), await it.node(), await it.node("web-2")
        line = await it.dial(ana)
        line.send(Open(node="web-1"))
        dial = await node.hear(Dial)
        for who, connection_id, token in (
            (node, dial.connection_id, bytes(32)),
            (node, "5d8e0000-4b5a-4000-8000-00000000c0de", dial.token),
            (other, dial.connection_id, dial.token),
        ):
            answer = await who.bring(connection_id, token)
            assert isinstance(answer, Refused)
            assert answer.code == "not_awaited"
        brought = await node.bring(dial.connection_id, dial.token)
        assert not isinstance(brought, Refused)
        again = await node.bring(dial.connection_id, dial.token)
        assert isinstance(again, Refused)
        raw = await brought.detach()
        assert isinstance(await line.receive(), Granted)
        raw.close()
        line.tls.abort()


async def test_a_node_that_declines_is_quoted_to_the_user() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        other = await it.node("web-2")
        line = await it.dial(ana)
        line.send(Open(node="web-1"))
        dial = await node.hear(Dial)
        other.line.send(Declined(connection_id=dial.connection_id, message="not yours to decline"))
        node.line.send(Declined(connection_id=dial.connection_id, message="this node is full"))
        answer = await line.receive()
        assert isinstance(answer, Refused)
        assert (answer.code, answer.message) == ("declined", "this node is full")
        assert await it.rows() == 0
        (end,) = await it.events(Kind.CONNECTION_END)
        assert (end.user, end.reason) == ("ana", "it did not come about")


async def test_a_line_that_ends_ends_what_was_asked_over_it() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        line = await it.dial(ana)
        line.send(Open(node="web-1"))
        await node.hear(Dial)
        node.close()
        answer = await line.receive()
        assert isinstance(answer, Refused)
        assert answer.code == "offline"


async def test_of_two_lines_of_one_node_the_later_one_is_asked() -> None:
    async with front_hub() as it:
        ana, earlier = await it.user("ana"), await it.node()
        later = await it.online(earlier.keys, earlier.membership)
        through = await it.through(ana, later)
        assert through.granted.node_id == later.id


async def test_a_client_that_goes_at_the_last_moment_leaves_nothing_open() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        line = await it.dial(ana)
        line.send(Open(node="web-1"))
        serving = await node.hear(Dial)
        line.tls.abort()
        brought = await node.bring(serving.connection_id, serving.token)
        assert not isinstance(brought, Refused)
        raw = await brought.detach()
        assert await asyncio.get_running_loop().sock_recv(raw.socket, 1) == b""
        raw.close()
        await until(lambda: len(it.hub.tunnels.live) == 0)
        assert it.pairs.taken == {}


# Floods and strangers.


async def test_five_hundred_who_say_nothing_keep_no_user_out() -> None:
    limits = Limits(silence_s=30, half_open=100, half_open_per_address=50)
    async with front_hub(limits=limits) as it:
        ana, node = await it.user("ana"), await it.node()
        silent = [await asyncio.open_connection("127.0.0.1", it.port) for _ in range(500)]
        through = await it.through(ana, node)
        assert through.granted.node == "web-1"
        assert it.front.half_open <= 50
        for _, writer in silent:
            writer.close()
        await until(lambda: it.front.guests == 0)


async def test_ssh_and_silence_are_told_how_to_come_in() -> None:
    async with front_hub(limits=Limits(silence_s=0.02)) as it:
        for first in (b"SSH-2.0-OpenSSH_9.2\r\n", b""):
            reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
            writer.write(first)
            answer = await asyncio.wait_for(reader.read(), 5)
            assert answer.startswith(b"SSH-2.0-mezite\r\n")
            assert b"msh ssh" in answer
            writer.close()
        await until(lambda: it.front.guests == 0)


async def test_whoever_speaks_neither_is_left_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with front_hub() as it:
        reader, writer = await asyncio.open_connection("127.0.0.1", it.port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        with suppress(ConnectionResetError):
            assert await asyncio.wait_for(reader.read(), 5) == b""
        writer.close()
        await until(lambda: it.front.guests == 0)
    assert caplog.records == []


async def test_a_connection_that_never_orders_is_told_so() -> None:
    async with front_hub(limits=Limits(opening_s=0.2)) as it:
        line = await it.dial(await it.user("ana"))
        answer = await line.receive()
        assert isinstance(answer, Refused)
        assert answer.code == "silent"


async def test_what_is_asked_after_an_expired_certificate_is_refused() -> None:
    clock = present_clock()
    async with front_hub(clock=clock) as it:
        ana = await it.user("ana")
        await it.node()
        clock.advance(timedelta(hours=13))
        assert (await it.refused(serial(ana, 4))).code == "cert_expired"


async def test_a_machine_user_goes_the_same_way() -> None:
    async with front_hub(tunnel_limits=TunnelLimits(dial_s=0.02)) as it:
        ci = await it.user("ci")

        def to_machine(tx: Writing) -> None:
            user = tx.users.get("user_ci")
            assert user is not None
            tx.users.replace(replace(user, kind=UserKind.MACHINE))

        await it.desk.store.write(to_machine)
        await it.node()
        assert (await it.refused(ci)).code == "node_silent"


async def test_a_denied_node_label_wins_over_every_role_that_allows() -> None:
    async with front_hub() as it:
        deny = Role("never", deny=Conditions(node_labels={"env": ("production",)}))
        ana = await it.user("ana", letting(), deny)
        await it.node(env="production")
        assert (await it.refused(ana)).code == "no_node"


async def test_a_hub_that_stops_lets_the_line_know() -> None:
    async with front_hub() as it:
        line = await it.dial(await it.user("ana"))
    with pytest.raises(Unavailable):
        await line.receive()
