"""Sessions as nodes ask for them, and what nodes report: believed only about connections dialled there."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemons.hub.desk import connections, locks, sessions
from daemons.hub.desk.desk import DENIALS_PER_MINUTE
from mezite.api.tunnel.orders import Ask, Asked, Report, Told
from mezite.audit.events import Kind
from mezite.clock import to_us
from mezite.errors import Conflict, Denied, Invalid, MeziteError, NotLoggedIn
from mezite.ids import mint_uuid
from mezite.model.connection import Connection
from mezite.model.lock import LockTarget
from mezite.model.node import Node
from tests.support.desk import Office

ALLOW = "{allow: {node_labels: {'*': '*'}, logins: ['{{user.name}}', root]}"


@pytest.fixture
async def node(office: Office) -> Node:
    return await office.node("web-1")


async def connected(
    office: Office, node: Node, options: str = "{}", *, mfa: bool = False, name: str = "ana"
) -> Connection:
    """A user with a role on these options, and a connection of hers."""
    await office.role("dev", f"{ALLOW}, options: {options}}}")
    caller = await office.person(name, "dev")
    connection = Connection(
        mint_uuid(), node.id, caller.identity.id, "hub", caller.identity, "", office.clock.now(), mfa=mfa
    )
    return await office.store.write(lambda tx: tx.connections.insert(connection))


async def again(office: Office, connection: Connection) -> Connection | None:
    return await office.store.read(lambda tx: tx.connections.get(connection.id))


def session(connection: Connection, login: str = "ana", session_id: str = "") -> Ask:
    return Ask(
        number=1,
        connection_id=connection.id,
        kind=Asked.SESSION,
        what="shell",
        login=login,
        session_id=session_id or mint_uuid(),
    )


def forward(connection: Connection) -> Ask:
    return Ask(
        number=2,
        connection_id=connection.id,
        kind=Asked.FORWARD,
        what="direct",
        login="ana",
        host="db",
        address="10.0.0.7",
        port=5432,
    )


def report(number: int, connection: Connection, kind: Told, **fields: Any) -> Report:
    fields = {"time_us": to_us(connection.started_at), **fields}
    return Report(number=number, connection_id=connection.id, kind=kind, **fields)


async def test_a_session_that_is_allowed_is_counted_and_written_down_once(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    asked = session(connection, "root")
    await sessions.answer(office.desk, node.id, asked)
    await sessions.answer(office.desk, node.id, asked)
    row = await again(office, connection)
    assert row is not None
    assert row.sessions == {asked.session_id: "root"}
    (event,) = await office.events(Kind.SESSION_START)
    assert (event.user, event.node, event.login, event.session_id) == (
        "ana",
        "web-1",
        "root",
        asked.session_id,
    )


async def test_max_sessions_counts_over_all_connections_and_forgets_those_that_are_over(
    office: Office, node: Node
) -> None:
    connection = await connected(office, node, "{max_sessions: 2}")
    other = await office.store.write(
        lambda tx: tx.connections.insert(replace(connection, id=mint_uuid(), revision=0))
    )
    await sessions.answer(office.desk, node.id, session(connection))
    await sessions.answer(office.desk, node.id, session(other))
    with pytest.raises(Conflict, match=r"you have 2 sessions open, and your roles allow 2"):
        await sessions.answer(office.desk, node.id, session(connection))
    (event,) = await office.events(Kind.SESSION_REFUSED)
    assert (event.user, event.success, event.details["code"]) == ("ana", False, "too_many_sessions")
    await connections.ended(office.desk, other.id)
    await sessions.answer(office.desk, node.id, session(connection))


async def test_a_connection_without_a_session_takes_a_place_and_its_first_session_no_other(
    office: Office, node: Node
) -> None:
    connection = await connected(office, node, "{max_sessions: 1}")
    await sessions.answer(office.desk, node.id, session(connection))
    other = await office.store.write(
        lambda tx: tx.connections.insert(replace(connection, id=mint_uuid(), revision=0))
    )
    with pytest.raises(Conflict, match=r"you have 1 sessions open, and your roles allow 1"):
        await sessions.answer(office.desk, node.id, session(other))


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ("{require_session_mfa: totp}", "mfa_missing"),
        ("{record: strict}", "recording_demanded"),
        ("{enhanced_recording: [command]}", "enhanced_recording_demanded"),
        ("{require_session_join: [{name: four-eyes, filter: 'true'}]}", "join_demanded"),
    ],
)
async def test_a_demand_that_is_not_met_is_a_no(office: Office, node: Node, options: str, code: str) -> None:
    connection = await connected(office, node, options)
    with pytest.raises(Denied) as refusal:
        await sessions.answer(office.desk, node.id, session(connection))
    assert refusal.value.code == code
    assert await office.events(Kind.SESSION_START) == []


async def test_a_factor_that_was_proved_for_the_connection_serves_its_sessions(
    office: Office, node: Node
) -> None:
    connection = await connected(office, node, "{require_session_mfa: totp}", mfa=True)
    await sessions.answer(office.desk, node.id, session(connection))


async def test_a_login_that_no_role_allows_and_a_bad_id_are_refused(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    with pytest.raises(Denied, match='as "nobody"'):
        await sessions.answer(office.desk, node.id, session(connection, "nobody"))
    with pytest.raises(Invalid):
        await sessions.answer(office.desk, node.id, session(connection, session_id="../../etc/passwd"))


async def test_another_node_may_not_speak_for_a_connection(office: Office, node: Node) -> None:
    connection, other = await connected(office, node), await office.node("evil-1")
    for asked in (session(connection), forward(connection)):
        with pytest.raises(Denied) as refusal:
            await sessions.answer(office.desk, other.id, asked)
        assert refusal.value.code == "no_connection"
    assert await sessions.heard(office.desk, other.id, report(1, connection, Told.CONNECTION_END)) == 1
    assert await again(office, connection) is not None
    assert {event.user for event in await office.events(Kind.SESSION_REFUSED)} == {"node:evil-1"}


@pytest.mark.parametrize("target", [LockTarget.USER, LockTarget.NODE, LockTarget.LOGIN])
async def test_a_lock_refuses_what_is_asked_after_it(office: Office, node: Node, target: LockTarget) -> None:
    connection = await connected(office, node)
    await locks.create(office.desk, office.local, target, "web-1" if target is LockTarget.NODE else "ana")
    with pytest.raises((Denied, NotLoggedIn)):
        await sessions.answer(office.desk, node.id, session(connection))


async def test_an_expired_certificate_opens_nothing_more(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    office.pass_time(hours=2)
    with pytest.raises(MeziteError):
        await sessions.answer(office.desk, node.id, session(connection))


async def test_a_forward_is_refused_with_its_own_code_and_target(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    with pytest.raises(Denied, match="no role of yours forwards ports"):
        await sessions.answer(office.desk, node.id, forward(connection))
    (event,) = await office.events(Kind.PORT_FORWARDING_DENIED)
    assert (event.code, event.user, event.node, event.resource) == ("T4002W", "ana", "web-1", "db:5432")


async def test_a_role_that_changes_decides_the_next_forward(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    await office.role("dev", f"{ALLOW}, options: {{port_forwarding: true}}}}")
    await sessions.answer(office.desk, node.id, forward(connection))
    await office.role("dev", f"{ALLOW}, options: {{port_forwarding: false}}}}")
    with pytest.raises(Denied):
        await sessions.answer(office.desk, node.id, forward(connection))


async def test_refusals_beyond_the_bound_are_counted_over_all_connections_of_a_user_on_a_node(
    office: Office, node: Node
) -> None:
    connection = await connected(office, node)
    other = await office.store.write(
        lambda tx: tx.connections.insert(replace(connection, id=mint_uuid(), revision=0))
    )
    for _ in range(DENIALS_PER_MINUTE):
        for asked in (forward(connection), forward(other)):
            with pytest.raises(Denied):
                await sessions.answer(office.desk, node.id, asked)
    assert len(await office.events(Kind.PORT_FORWARDING_DENIED)) == DENIALS_PER_MINUTE
    with pytest.raises(Denied):
        await sessions.answer(office.desk, node.id, session(connection, "nobody"))
    assert len(await office.events(Kind.SESSION_REFUSED)) == 1, "the one does not hide the other"
    office.pass_time(seconds=61)
    with pytest.raises(Denied):
        await sessions.answer(office.desk, node.id, forward(other))
    told = [event.details.get("unwritten") for event in await office.events(Kind.PORT_FORWARDING_DENIED)]
    assert told.count(DENIALS_PER_MINUTE) == 1


async def test_a_node_that_invents_connections_does_not_fill_the_log(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    for _ in range(DENIALS_PER_MINUTE + 5):
        with pytest.raises(Denied):
            await sessions.answer(office.desk, node.id, forward(replace(connection, id=mint_uuid())))
    assert len(await office.events(Kind.PORT_FORWARDING_DENIED)) == DENIALS_PER_MINUTE


# Reports.


async def test_a_report_is_taken_once_whatever_comes_again(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    asked = session(connection)
    await sessions.answer(office.desk, node.id, asked)
    end = report(5, connection, Told.SESSION_END, session_id=asked.session_id, facts={"status": 7})
    assert [await sessions.heard(office.desk, node.id, end) for _ in range(3)] == [5, 5, 5]
    assert await sessions.heard(office.desk, node.id, report(4, connection, Told.EXEC)) == 5
    (event,) = await office.events(Kind.SESSION_END)
    assert (event.session_id, event.login, event.details["status"]) == (asked.session_id, "ana", 7)
    assert await office.events(Kind.SESSION_COMMAND) == []
    row = await again(office, connection)
    assert row is not None
    assert row.sessions == {}


async def test_a_file_is_written_down_with_both_times(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    office.pass_time(seconds=30)
    facts = {"path": "/etc/motd", "direction": "download", "bytes": 12, "ok": True, "arrived": "a lie"}
    await sessions.heard(office.desk, node.id, report(1, connection, Told.FILE, login="ana", facts=facts))
    await sessions.heard(office.desk, node.id, report(2, connection, Told.FILE, facts={"ok": False}))
    (event,) = await office.events(Kind.FILE_TRANSFER)
    assert event.time == connection.started_at
    assert event.details["arrived"] == office.clock.now().isoformat()
    assert event.details["path"] == "/etc/motd"
    (failed,) = await office.events(Kind.FILE_TRANSFER_FAILED)
    assert not failed.success


@pytest.mark.parametrize("time_us", [0, 2**62 - 1])
async def test_a_nodes_clock_is_believed_only_within_the_connection(
    office: Office, node: Node, time_us: int
) -> None:
    connection = await connected(office, node)
    await sessions.heard(office.desk, node.id, report(1, connection, Told.EXEC, time_us=time_us))
    (event,) = await office.events(Kind.SESSION_COMMAND)
    assert abs(event.time - office.clock.now()) <= timedelta(minutes=1)


async def test_the_end_of_a_connection_ends_what_was_open_and_forgets_it(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    await sessions.answer(office.desk, node.id, session(connection))
    await connections.ended(office.desk, connection.id)
    await sessions.heard(office.desk, node.id, report(1, connection, Told.CONNECTION_END))
    assert len(await office.events(Kind.SESSION_END)) == 1
    assert await again(office, connection) is None


async def test_what_no_node_tells_of_any_more_is_forgotten_in_time(office: Office, node: Node) -> None:
    connection = await connected(office, node)
    for days in (3, 5):
        office.pass_time(days=days)
        await office.store.write(lambda tx: connections.sweep(tx, office.clock.now()))
        assert (await again(office, connection) is None) == (days == 5)
