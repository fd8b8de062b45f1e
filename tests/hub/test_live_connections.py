"""Connections that stand: what reaches them, what ends them, and what a hub that comes back takes up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemons.hub.desk import locks, nodes
from daemons.hub.proxy import live
from mezite.api.tunnel.orders import Answer, Ask, Asked, Cut, Granted, Heard, Open, Report, Told, Update
from mezite.audit.events import Kind
from mezite.errors import Unavailable
from mezite.ids import mint_uuid
from mezite.model.change import ChangeKind, ChangeOp
from mezite.model.lock import LockTarget
from mezite.model.role import Options
from mezite.storage.ports import Writing
from tests.support.fronts import FrontHub, Node, Through, front_hub, letting, present_clock
from tests.support.nodes import HeldPairs, open_desk, until


async def gone(it: FrontHub, through: Through) -> None:
    """Its pair is ended in the relay, and that is on record."""
    await until(lambda: through.id in it.pairs.cuts and through.id not in it.hub.tunnels.live)
    row = await it.desk.store.read(lambda tx: tx.connections.get(through.id))
    assert row is not None
    assert row.ended_at is not None


async def begin(node: Node, through: Through, login: str) -> str:
    """A session on the connection, by its id."""
    session_id = mint_uuid()
    node.line.send(
        Ask(
            number=1,
            connection_id=through.id,
            kind=Asked.SESSION,
            what="shell",
            login=login,
            session_id=session_id,
        )
    )
    answer = await node.hear(Answer)
    assert answer.allowed, answer.message
    return session_id


@pytest.mark.parametrize(
    ("target", "name"),
    [(LockTarget.USER, "ana"), (LockTarget.ROLE, "dev"), (LockTarget.CERT, "2"), (LockTarget.NODE, "web-1")],
)
async def test_a_lock_cuts_what_stands_and_says_why(target: LockTarget, name: str) -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        await locks.create(it.desk, it.hub.admin, target, name, message="an incident")
        if target is not LockTarget.NODE:
            cut = await node.hear(Cut)
            assert (cut.connection_id, "an incident" in cut.message) == (through.id, True)
        await gone(it, through)
        (event,) = await it.events(Kind.CONNECTION_CUT)
        assert (event.user, event.node, "locked" in event.reason) == ("ana", "web-1", True)


async def test_a_lock_on_somebody_else_touches_nobody() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        await it.user("ben", letting("other"))
        through = await it.through(ana, node)
        await locks.create(it.desk, it.hub.admin, LockTarget.USER, "ben")
        await locks.create(it.desk, it.hub.admin, LockTarget.LOGIN, "oracle")
        update = await node.hear(Update)
        assert update.rights.locked_logins == ("oracle",)
        assert through.id in it.hub.tunnels.live


@pytest.mark.parametrize("by", ["session", "login"])
async def test_a_lock_on_a_session_or_its_login_cuts_the_connection(by: str) -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        session_id = await begin(node, through, "ana")
        target, name = (LockTarget.SESSION, session_id) if by == "session" else (LockTarget.LOGIN, "ana")
        await locks.create(it.desk, it.hub.admin, target, name)
        assert "locked" in (await node.hear(Cut)).message
        await gone(it, through)


async def test_a_role_that_changes_reaches_the_node_at_once() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        await _replace_role(it, description="as of today")
        update = await node.hear(Update)
        assert update.connection_id == through.id
        assert "as of today" in update.rights.roles[0]
        assert update.rights.revision > through.rights.revision


async def test_a_role_that_no_longer_reaches_the_node_ends_the_connection() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        await _replace_role(it, allow=letting("dev", env="staging").allow)
        assert (await node.hear(Cut)).message == "you may no longer reach web-1"
        await gone(it, through)


async def test_a_login_that_is_taken_away_ends_a_session_under_it() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana", letting("dev", "ana", "root")), await it.node()
        through = await it.through(ana, node)
        await begin(node, through, "root")
        await _replace_role(it, allow=letting("dev", "ana").allow)
        assert (await node.hear(Cut)).message == "you may no longer log in to web-1 as root"


async def _replace_role(it: FrontHub, **changes: Any) -> None:
    def unit(tx: Writing) -> None:
        role = tx.roles.get("dev")
        assert role is not None
        tx.roles.replace(replace(role, **changes))
        tx.changed(ChangeKind.ROLE, "dev")

    await it.desk.store.write(unit)


async def test_a_user_who_is_deleted_is_out() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)

        def unit(tx: Writing) -> None:
            user = tx.users.get("user_ana")
            assert user is not None
            tx.users.delete(user)
            tx.changed(ChangeKind.USER, user.id, ChangeOp.DELETE)

        await it.desk.store.write(unit)
        assert "no longer valid" in (await node.hear(Cut)).message
        await gone(it, through)


async def test_a_node_that_is_removed_takes_its_connections_with_it() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        await nodes.remove(it.desk, it.hub.admin, "web-1")
        await gone(it, through)


async def test_a_cut_is_on_record_also_when_the_node_is_quick_to_say_that_it_is_over() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        await locks.create(it.desk, it.hub.admin, LockTarget.USER, "ana")
        await node.hear(Cut)
        node.line.send(Report(number=1, time_us=0, connection_id=through.id, kind=Told.CONNECTION_END))
        await node.hear(Heard)
        await until(lambda: through.id in it.pairs.cuts)
        assert await it.rows() == 0
        (event,) = await it.events(Kind.CONNECTION_CUT)
        assert event.details["connection"] == through.id


async def test_a_certificate_that_runs_out_ends_the_connection() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        it.clock.advance(timedelta(hours=11, minutes=59))
        for control in it.hub.tunnels.lines:
            control.heard_at = it.clock.monotonic()
        it.hub.tunnels.live.beat(it.clock.now())
        assert through.id in it.hub.tunnels.live
        it.clock.advance(timedelta(minutes=1))
        for control in it.hub.tunnels.lines:
            control.heard_at = it.clock.monotonic()
        it.hub.tunnels.live.beat(it.clock.now())
        assert (await node.hear(Cut)).message == "your certificate has expired; run `msh login`"
        await gone(it, through)


async def test_without_a_line_to_say_it_on_the_relay_cuts_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "GRACE_S", 3_600)
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        node.close()
        await until(lambda: len(it.hub.tunnels.lines) == 0)
        await locks.create(it.desk, it.hub.admin, LockTarget.USER, "ana")
        await gone(it, through)


async def test_a_connection_that_is_cut_before_a_relay_has_it_is_not_left_standing() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        line = await it.dial(ana)
        line.send(Open(node="web-1"))
        dial, agent = await node.serve()
        assert isinstance(await line.receive(), Granted)
        await locks.create(it.desk, it.hub.admin, LockTarget.USER, "ana")
        await until(lambda: dial.connection_id not in it.hub.tunnels.live)
        client = await line.detach()
        await until(lambda: it.pairs.cuts == [dial.connection_id] * 2)
        assert not it.pairs.taken
        client.close()
        agent.close()


class StubbornPairs(HeldPairs):
    """Fails so many times to cut."""

    def __init__(self, *faults: Exception, left: Collection[str] = ()) -> None:
        super().__init__(left=set(left))
        self.faults = list(faults)

    async def cut(self, connection_id: str) -> None:
        if self.faults:
            raise self.faults.pop(0)
        await super().cut(connection_id)


async def test_a_cut_that_fails_is_tried_until_it_is_done_and_harms_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "CUT_AGAIN_S", 0)
    hung = Unavailable("the relay did not cut the connection", code="relay_lost")
    async with front_hub(pairs=StubbornPairs(hung, hung, KeyError("a fault of ours"))) as it:
        ana, ben, node = await it.user("ana"), await it.user("ben", letting("other")), await it.node()
        through, other = await it.through(ana, node), await it.through(ben, node)
        await locks.create(it.desk, it.hub.admin, LockTarget.USER, "ana")
        await gone(it, through)
        assert other.id in it.hub.tunnels.live


async def test_a_hub_that_comes_back_to_a_relay_that_hangs_starts_and_cuts_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "CUT_AGAIN_S", 0)
    stray = mint_uuid()
    hung = Unavailable("the relay did not cut the connection", code="relay_lost")
    async with front_hub(pairs=StubbornPairs(hung, left=[stray])) as it:
        await until(lambda: it.pairs.cuts == [stray])


async def test_a_connection_that_ends_by_itself_is_written_down() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        assert it.pairs.told is not None
        await it.pairs.told(through.id, 10, 20, "closed by both ends")
        await it.pairs.told(through.id, 10, 20, "closed by both ends")
        row = await it.desk.store.read(lambda tx: tx.connections.get(through.id))
        assert row is not None
        assert row.ended_at is not None
        assert await it.events(Kind.CONNECTION_CUT) == []
        (start,) = await it.events(Kind.CONNECTION_START)
        assert (start.user, start.node, start.details["connection"]) == ("ana", "web-1", through.id)
        node.line.send(Report(number=1, time_us=0, connection_id=through.id, kind=Told.CONNECTION_END))
        await node.hear(Heard)
        (end,) = await it.events(Kind.CONNECTION_END)
        assert (end.user, end.reason, end.details["up"], end.details["down"]) == (
            "ana",
            "closed by both ends",
            10,
            20,
        )


async def test_a_connection_whose_node_is_first_to_say_that_it_is_over_ends_once() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        node.line.send(Report(number=1, time_us=0, connection_id=through.id, kind=Told.CONNECTION_END))
        await node.hear(Heard)
        assert it.pairs.told is not None
        await it.pairs.told(through.id, 10, 20, "closed by both ends")
        (end,) = await it.events(Kind.CONNECTION_END)
        assert (end.user, end.details["connection"]) == ("ana", through.id)


async def test_connections_without_sessions_count_for_max_sessions_until_they_are_over() -> None:
    async with front_hub() as it:
        ana = await it.user("ana", letting(options=Options(max_sessions=1)))
        node = await it.node()
        through = await it.through(ana, node)
        refusal = await it.refused(ana)
        assert (refusal.code, "your roles allow 1" in refusal.message) == ("too_many_sessions", True)
        (event,) = await it.events(Kind.ACCESS_DENIED)
        assert (event.user, event.details["code"]) == ("ana", "too_many_sessions")
        await begin(node, through, "ana")
        assert it.pairs.told is not None
        await it.pairs.told(through.id, 0, 0, "closed by both ends")
        await it.through(ana, node)


# A hub that comes back.


@pytest.mark.parametrize("told_by", ["relay", "node", "both"])
async def test_a_lock_made_after_a_restart_still_cuts(told_by: str) -> None:
    clock = present_clock()
    async with open_desk(clock) as desk:
        async with front_hub(desk=desk, clock=clock) as it:
            ana, node = await it.user("ana"), await it.node()
            through = await it.through(ana, node)
        clock.advance(timedelta(minutes=1))
        pairs = HeldPairs(left={through.id} if told_by != "node" else set())
        async with front_hub(desk=desk, clock=clock, pairs=pairs) as back:
            if told_by != "node":
                assert through.id in back.hub.tunnels.live
            holds = [through.id] if told_by != "relay" else []
            if told_by != "relay":
                again = await back.online(node.keys, node.membership, holds=holds)
                assert (await again.hear(Update)).connection_id == through.id, "it hears how things stand"
            await locks.create(desk, back.hub.admin, LockTarget.USER, "ana")
            if told_by != "relay":
                assert (await again.hear(Cut)).connection_id == through.id
            await gone(back, through)


async def test_a_lock_made_while_the_hub_was_away_cuts_when_it_is_back() -> None:
    clock = present_clock()
    async with open_desk(clock) as desk:
        async with front_hub(desk=desk, clock=clock) as it:
            ana, node = await it.user("ana"), await it.node()
            through = await it.through(ana, node)
        await locks.create(desk, it.hub.admin, LockTarget.USER, "ana")
        async with front_hub(desk=desk, clock=clock, pairs=HeldPairs(left={through.id})) as back:
            await gone(back, through)


async def test_what_no_record_knows_is_ended_at_both_ends() -> None:
    stray = mint_uuid()
    async with front_hub(pairs=HeldPairs(left={stray})) as it:
        assert it.pairs.cuts == [stray]
        node = await it.node(holds=[stray])
        assert (await node.hear(Cut)).connection_id == stray


async def test_a_node_takes_up_no_connection_of_another_node() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        other = await it.node("web-2", holds=[through.id])
        assert (await other.hear(Cut)).connection_id == through.id
        assert through.id in it.hub.tunnels.live


async def test_what_a_node_no_longer_holds_is_over_and_its_sessions_too() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        session_id = await begin(node, through, "ana")
        it.clock.advance(timedelta(minutes=1))
        node.close()
        await it.online(node.keys, node.membership, holds=[])
        await gone(it, through)
        (event,) = await it.events(Kind.SESSION_END)
        assert (event.session_id, event.user, event.login) == (session_id, "ana", "ana")
        (end,) = await it.events(Kind.CONNECTION_END)
        assert end.reason == "the node lost it"


async def test_a_connection_being_opened_is_not_missed_by_a_node_that_comes_back() -> None:
    async with front_hub() as it:
        ana, node = await it.user("ana"), await it.node()
        through = await it.through(ana, node)
        await it.online(node.keys, node.membership, holds=[])
        assert await it.rows() == 1
        assert through.id in it.hub.tunnels.live
        assert it.pairs.cuts == []
