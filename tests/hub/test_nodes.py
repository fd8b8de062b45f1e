from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from daemons.hub.desk import nodes, presence
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.presence import Arrival
from mezite.audit.events import Kind
from mezite.errors import Denied, NotFound
from mezite.model.change import ChangeKind, ChangeOp
from mezite.model.node import NodeStatus
from mezite.model.role import Conditions, Role
from mezite.rbac.builtin import BUILTIN
from tests.support.clock import FakeClock
from tests.support.nodes import add_node, add_user, administrator, node_caller, open_desk

STAGING = Role("staging", allow=Conditions(node_labels={"env": ("staging",)}, logins=("ubuntu", "deploy")))


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk(FakeClock()) as desk:
        yield desk


async def test_a_user_sees_the_nodes_within_reach_and_the_logins_there(desk: Desk) -> None:
    alice = await add_user(desk, "alice", STAGING)
    await add_node(desk, "web-1", env="production")
    await add_node(desk, "stage-1", env="staging")
    (view,) = await nodes.page(desk, alice, labels={}, limit=10)
    assert (view.node.name, view.logins, view.status) == ("stage-1", ("deploy", "ubuntu"), NodeStatus.OFFLINE)


async def test_a_node_out_of_reach_does_not_exist(desk: Desk) -> None:
    alice = await add_user(desk, "alice", STAGING)
    hidden = await add_node(desk, "web-1", env="production")
    refusals = []
    for name in ("web-1", hidden.id, "no-such"):
        with pytest.raises(NotFound) as refusal:
            await nodes.get(desk, alice, name)
        refusals.append(str(refusal.value).replace(name, "X"))
    assert len(set(refusals)) == 1


async def test_all_nodes_are_for_who_may_list_them(desk: Desk) -> None:
    alice = await add_user(desk, "alice", STAGING)
    olivia = await add_user(desk, "olivia", BUILTIN["auditor"])
    await add_node(desk, "web-1", env="production")
    with pytest.raises(Denied):
        await nodes.page(desk, alice, labels={}, limit=10, everything=True)
    assert [
        view.node.name for view in await nodes.page(desk, olivia, labels={}, limit=10, everything=True)
    ] == ["web-1"]
    assert await nodes.page(desk, olivia, labels={}, limit=10) == [], "listing is not reaching"


async def test_every_label_of_the_filter_must_match(desk: Desk) -> None:
    admin = administrator(desk.clock)
    await add_node(desk, "one", env="production", team="platform")
    await add_node(desk, "two", env="production", team="data")

    async def found(**labels: str) -> list[str]:
        return sorted(
            view.node.name for view in await nodes.page(desk, admin, labels=labels, limit=10, everything=True)
        )

    assert await found(env="production") == ["one", "two"]
    assert await found(env="production", team="data") == ["two"]
    assert await found(env="production", tier="x") == []


async def test_pages_meet_without_gap_or_double_also_where_most_nodes_are_hidden(desk: Desk) -> None:
    alice = await add_user(desk, "alice", STAGING)
    seen = {
        (await add_node(desk, f"n{number}", env="staging" if number % 7 == 0 else "other")).id: number
        for number in range(60)
    }
    wanted = sorted(node_id for node_id, number in seen.items() if number % 7 == 0)
    got: list[str] = []
    while batch := await nodes.page(desk, alice, labels={}, after=got[-1] if got else "", limit=2):
        got += [view.node.id for view in batch]
    assert got == wanted


async def test_where_a_node_calls_from_is_told_only_to_who_may_list_nodes(desk: Desk) -> None:
    alice = await add_user(desk, "alice", STAGING)
    node = await add_node(desk, "stage-1", env="staging")
    await presence.hub_started(desk, "0.1.0")
    await presence.connected(desk, node_caller(desk, node), Arrival("line_1", node.labels, "0.1.0"))
    assert (await nodes.get(desk, alice, "stage-1")).address == ""
    assert (await nodes.get(desk, alice, node.id)).status is NodeStatus.ONLINE
    assert (await nodes.get(desk, administrator(desk.clock), "stage-1")).address == "192.0.2.7"


async def test_a_node_is_online_only_while_its_hub_shows_life(desk: Desk) -> None:
    clock, admin = desk.clock, administrator(desk.clock)
    assert isinstance(clock, FakeClock)
    node = await add_node(desk, "web-1")
    await presence.hub_started(desk, "0.1.0")
    await presence.connected(desk, node_caller(desk, node), Arrival("line_1", {}, "0.1.0"))
    clock.advance(nodes.PULSE_FRESH - timedelta(seconds=1))
    assert (await nodes.get(desk, admin, "web-1")).status is NodeStatus.ONLINE
    clock.advance(timedelta(seconds=1))
    assert (await nodes.get(desk, admin, "web-1")).status is NodeStatus.OFFLINE
    assert await presence.pulse(desk, "0.1.0", lines=1)
    assert (await nodes.get(desk, admin, "web-1")).status is NodeStatus.ONLINE


async def test_a_removed_node_is_gone_with_its_lines_and_its_name_is_free(desk: Desk) -> None:
    admin = administrator(desk.clock)
    node = await add_node(desk, "web-1")
    await presence.hub_started(desk, "0.1.0")
    await presence.connected(desk, node_caller(desk, node), Arrival("line_1", {}, "0.1.0"))
    await nodes.remove(desk, admin, "web-1")
    with pytest.raises(NotFound):
        await nodes.get(desk, admin, "web-1")
    assert await desk.store.read(lambda tx: tx.presence.count()) == 0
    changes = await desk.store.read(lambda tx: tx.changes.after(0, limit=100))
    assert (changes[-1].kind, changes[-1].key, changes[-1].op) == (ChangeKind.NODE, node.id, ChangeOp.DELETE)
    await add_node(desk, "web-1")


async def test_removing_is_for_those_whose_roles_say_so(desk: Desk) -> None:
    alice = await add_user(desk, "alice", STAGING)
    await add_node(desk, "stage-1", env="staging")
    with pytest.raises(Denied):
        await nodes.remove(desk, alice, "stage-1")
    with pytest.raises(Denied):
        await nodes.remove(desk, node_caller(desk, (await nodes.get(desk, alice, "stage-1")).node), "stage-1")
    events = await desk.store.read(lambda tx: tx.audit.records(after=0, limit=100))
    assert [record for record in events if Kind.ACCESS_DENIED.code in record.body]
    assert (await nodes.get(desk, alice, "stage-1")).node.name == "stage-1"


async def test_a_node_that_is_missing_points_to_where_one_may_look(desk: Desk) -> None:
    admin = administrator(desk.clock)
    for caller, command in ((admin, "mezctl nodes ls"), (await add_user(desk, "alice"), "msh ls")):
        with pytest.raises(NotFound, match=command):
            await nodes.get(desk, caller, "gone")
    with pytest.raises(NotFound, match="mezctl nodes ls"):
        await nodes.remove(desk, admin, "gone")
