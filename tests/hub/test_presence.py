"""Which nodes are there, as storage has it: lines, pulses, and hubs that die."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from daemons.hub.desk import locks, presence
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.nodes import PULSE_FRESH, online_ids
from daemons.hub.desk.presence import Arrival
from mezite.audit.body import decode
from mezite.audit.events import Kind
from mezite.errors import Denied, Invalid, NotLoggedIn
from mezite.model.change import ChangeKind
from mezite.model.lock import LockTarget
from mezite.model.node import Node
from mezite.rbac.builtin import BUILTIN
from tests.support.clock import FakeClock
from tests.support.nodes import add_node, add_user, administrator, node_caller, open_desk


@asynccontextmanager
async def two_hubs() -> AsyncIterator[tuple[FakeClock, Desk, Desk]]:
    clock = FakeClock()
    async with open_desk(clock, hub_id="hub_one") as one:
        async with open_desk(clock, store=one.store, hub_id="hub_two") as two:
            await presence.hub_started(one, "0.1.0")
            await presence.hub_started(two, "0.1.0")
            yield clock, one, two


async def come(desk: Desk, node: Node, line_id: str, **said: object) -> Node:
    arrival = Arrival(line_id, said.get("labels", node.own_labels), str(said.get("version", node.version)))  # type: ignore[arg-type]  # as given
    return await presence.connected(desk, node_caller(desk, node), arrival)


async def online(desk: Desk) -> set[str]:
    return await desk.store.read(lambda tx: online_ids(tx, desk.clock.now()))


async def lines(desk: Desk) -> list[str]:
    return await desk.store.read(lambda tx: [line.line_id for line in tx.presence.all()])


async def changes(desk: Desk) -> list[str]:
    return await desk.store.read(
        lambda tx: [
            change.key for change in tx.changes.after(0, limit=1000) if change.kind is ChangeKind.NODE
        ]
    )


async def test_coming_and_going_are_one_row_and_one_word_of_the_feed_each() -> None:
    async with two_hubs() as (_, one, _two):
        node = await add_node(one, "web-1")
        await come(one, node, "line_1")
        assert await online(one) == {node.id}
        assert await changes(one) == [node.id]
        await presence.departed(one, ["line_1", "line_never"])
        assert await online(one) == set()
        assert await changes(one) == [node.id, node.id]
        await presence.departed(one, ["line_1"])
        assert await changes(one) == [node.id, node.id], "a line gone twice is told once"


async def test_the_later_line_at_a_hub_takes_the_place_of_the_earlier() -> None:
    async with two_hubs() as (_, one, two):
        node = await add_node(one, "web-1")
        await come(one, node, "line_1")
        await come(two, node, "line_2")
        await come(one, node, "line_3")
        assert sorted(await lines(one)) == ["line_2", "line_3"], "its line to the other hub stands"
        await presence.departed(one, ["line_1"])
        assert await online(one) == {node.id}


async def test_what_a_node_says_of_itself_is_stored_and_logged_when_it_changed() -> None:
    async with two_hubs() as (_, one, _two):
        node = await add_node(one, "web-1", env="test")
        node = await come(one, node, "line_1")
        node = await come(one, node, "line_2", labels={"env": "prod"}, version="0.2.0")
        assert (dict(node.own_labels), node.version) == ({"env": "prod"}, "0.2.0")
        await come(one, node, "line_3")
        records = await one.store.read(lambda tx: tx.audit.records(after=0, limit=100))
        told = [event for record in records if (event := decode(record.body)).kind is Kind.NODE_UPDATED]
        assert [event.details["labels"] for event in told] == [("env=prod",)]
        assert told[0].user == "node:web-1"


@pytest.mark.parametrize(
    ("labels", "version"), [({"a b": "c"}, "1"), ({"a": "\x07"}, "1"), ({}, "1\n2"), ({}, "v" * 65)]
)
async def test_a_node_that_says_what_cannot_be_is_refused(labels: dict[str, str], version: str) -> None:
    async with two_hubs() as (_, one, _two):
        node = await add_node(one, "web-1")
        with pytest.raises(Invalid):
            await come(one, node, "line_1", labels=labels, version=version)
        assert await lines(one) == []


async def test_only_a_node_holds_a_line() -> None:
    async with two_hubs() as (_, one, _two):
        alice = await add_user(one, "alice", BUILTIN["admin"])
        for caller in (alice, administrator(one.clock)):
            with pytest.raises(Denied) as refusal:
                await presence.connected(one, caller, Arrival("line_1", {}, "1"))
            assert refusal.value.code == "not_a_node"


async def test_a_removed_or_locked_node_holds_no_line() -> None:
    async with two_hubs() as (_, one, _two):
        admin = administrator(one.clock)
        node, gone = await add_node(one, "web-1"), await add_node(one, "web-2")
        await one.store.write(lambda tx: tx.nodes.delete(gone))
        await locks.create(one, admin, LockTarget.NODE, "web-1")
        for each, code in ((node, "locked"), (gone, "not_logged_in")):
            with pytest.raises(NotLoggedIn) as refusal:
                await come(one, each, "line_1")
            assert refusal.value.code == code
        assert set(
            await presence.refusals(one, {"a": node_caller(one, node), "b": node_caller(one, gone)})
        ) == {"a", "b"}
        assert await lines(one) == []


async def test_a_dead_hubs_nodes_are_offline_and_the_living_hub_tells_the_feed() -> None:
    async with two_hubs() as (clock, one, two):
        node = await add_node(one, "web-1")
        await come(one, node, "line_1")
        clock.advance(PULSE_FRESH / 2)
        await presence.pulse(two, "0.1.0", lines=0)
        clock.advance(PULSE_FRESH / 2)
        assert await online(two) == set()
        told = len(await changes(two))
        await presence.pulse(two, "0.1.0", lines=0)
        assert await lines(two) == []
        assert (await changes(two))[told:] == [node.id]
        assert await two.store.read(lambda tx: [pulse.hub_id for pulse in tx.hub_pulses.all()]) == ["hub_two"]


async def test_a_hub_that_was_only_slow_states_its_lines_again() -> None:
    async with two_hubs() as (clock, one, two):
        node, removed = await add_node(one, "web-1"), await add_node(one, "web-2")
        await come(one, node, "line_1")
        clock.advance(PULSE_FRESH)
        await presence.pulse(two, "0.1.0", lines=0)
        await one.store.write(lambda tx: tx.nodes.delete(removed))
        assert not await presence.pulse(one, "0.1.0", lines=2)
        await presence.stated_again(one, {"line_1": (node.id, "192.0.2.7"), "line_2": (removed.id, "")})
        assert await online(two) == {node.id}
        assert await presence.pulse(one, "0.1.0", lines=1)


async def test_rows_of_an_earlier_life_are_gone_before_the_first_line() -> None:
    async with two_hubs() as (_, one, _two):
        node = await add_node(one, "web-1")
        await come(one, node, "line_1")
        await presence.hub_started(one, "0.1.0")
        assert await lines(one) == []


async def test_more_rows_than_one_unit_clears_are_cleared_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(presence, "CLEARED_AT_ONCE", 2)
    async with two_hubs() as (clock, one, two):
        for number in range(5):
            await come(one, await add_node(one, f"web-{number}"), f"line_{number}")
        clock.advance(PULSE_FRESH)
        counts = []
        for _ in range(4):
            await presence.pulse(two, "0.1.0", lines=0)
            counts.append((len(await lines(two)), await two.store.read(lambda tx: tx.hub_pulses.count())))
        assert counts == [(3, 2), (1, 2), (0, 1), (0, 1)]
        for number in range(5):
            node = await one.store.read(lambda tx, number=number: tx.nodes.one(name=f"web-{number}"))  # type: ignore[misc]  # binds the loop's value
            await come(two, node, f"again_{number}")
        await presence.hub_stopped(two)
        assert await lines(two) == []


async def test_a_hub_that_stops_takes_its_nodes_offline_at_once() -> None:
    async with two_hubs() as (clock, one, two):
        node = await add_node(one, "web-1")
        await come(one, node, "line_1")
        clock.advance(timedelta(seconds=1))
        await presence.hub_stopped(one)
        assert await online(two) == set()
        assert await two.store.read(lambda tx: tx.hub_pulses.get("hub_one")) is None
