"""Nodes: seen by those who may reach them, read and removed by those whose roles say so.

A node that a caller may neither reach nor list does not exist for that caller, here as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk import facts
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing
from mezite.audit.events import Kind
from mezite.errors import NotFound
from mezite.model.change import ChangeKind, ChangeOp
from mezite.model.node import Node, NodeStatus, Presence
from mezite.model.role import Verb
from mezite.rbac.roleset import RoleSet
from mezite.storage.ports import Reading, Writing

PULSE_FRESH: Final = timedelta(seconds=30)
"""How long a hub is taken to be alive after its last sign of life, and its nodes with it."""
_SCAN: Final = 500


@dataclass(frozen=True, slots=True)
class NodeView:
    """A node as one caller sees it."""

    node: Node
    status: NodeStatus
    logins: tuple[str, ...]
    """Those this caller may use there."""
    address: str
    """From where its control line comes; empty for those who may not list nodes."""


async def page(
    desk: Desk,
    caller: Caller,
    *,
    labels: Mapping[str, str],
    after: str = "",
    limit: int,
    everything: bool = False,
) -> list[NodeView]:
    """In order of id; `after` is one. Those the caller may reach, or all for who may list nodes."""

    def query(tx: Reading, who: Standing) -> list[NodeView]:
        listed = who.sieve("nodes", Verb.LIST) if everything else None
        sight = _Sight(who, _lines(tx, who.now))
        found: list[NodeView] = []
        place = after
        while len(found) < limit and (batch := tx.nodes.page(after=place, limit=_SCAN)):
            place = batch[-1].id
            wanted = (node for node in batch if labels.items() <= node.labels.items())
            found += [
                sight.view(node)
                for node in wanted
                if (listed(facts.of_node(node)) if listed else sight.reaches(node))
            ]
        return found[:limit]

    return await desk.look(caller, query)


async def get(desk: Desk, caller: Caller, name: str) -> NodeView:
    """By name or id."""

    def query(tx: Reading, who: Standing) -> NodeView:
        node = _find(tx, name)
        if node is not None:
            sight = _Sight(who, _lines_of(tx, node.id, who.now))
            if sight.reaches(node) or who.may("nodes", Verb.READ, facts.of_node(node)):
                return sight.view(node)
        raise _missing(who, name)

    return await desk.look(caller, query)


async def remove(desk: Desk, caller: Caller, name: str) -> None:
    """The node is out at once, and its name is free. Its certificates open nothing any more."""

    def unit(tx: Writing, who: Standing) -> None:
        node = _find(tx, name)
        who.require("nodes", Verb.DELETE, facts.of_node(node) if node else facts.of_name(name))
        if node is None:
            raise _missing(who, name)
        for presence in tx.presence.all(node_id=node.id):
            tx.presence.delete(presence)
        tx.nodes.delete(node)
        tx.record(who.event(Kind.NODE_REMOVED, resource=node.name, node_id=node.id))
        tx.changed(ChangeKind.NODE, node.id, ChangeOp.DELETE)

    await desk.act(caller, unit)


def online_ids(tx: Reading, now: datetime) -> set[str]:
    """The nodes that have a control line at a hub that is alive."""
    return set(_lines(tx, now))


def live_hubs(tx: Reading, now: datetime) -> set[str]:
    return {pulse.hub_id for pulse in tx.hub_pulses.all() if now - pulse.seen_at < PULSE_FRESH}


def _lines(tx: Reading, now: datetime) -> dict[str, Presence]:
    """By node; of several lines the latest."""
    lines = [line for hub in live_hubs(tx, now) for line in tx.presence.all(hub_id=hub)]
    return {line.node_id: line for line in sorted(lines, key=lambda line: line.since)}


def _lines_of(tx: Reading, node_id: str, now: datetime) -> dict[str, Presence]:
    alive = live_hubs(tx, now)
    lines = [line for line in tx.presence.all(node_id=node_id) if line.hub_id in alive]
    return {node_id: max(lines, key=lambda line: line.since)} if lines else {}


class _Sight:
    """What one caller sees of nodes, at one moment."""

    def __init__(self, who: Standing, lines: Mapping[str, Presence]) -> None:
        self._roles = RoleSet(who.subject, who.roles)
        self._lines = lines
        self._who = who

    def reaches(self, node: Node) -> bool:
        return self._roles.sees(node.labels)

    def view(self, node: Node) -> NodeView:
        line = self._lines.get(node.id)
        lists = line is not None and self._who.may("nodes", Verb.LIST, facts.of_node(node))
        return NodeView(
            node=node,
            status=NodeStatus.OFFLINE if line is None else NodeStatus.ONLINE,
            logins=tuple(sorted(self._roles.logins_for(node.labels))),
            address=line.client_ip if line is not None and lists else "",
        )


def _find(tx: Reading, name: str) -> Node | None:
    return tx.nodes.one(name=name) or tx.nodes.get(name)


def _missing(who: Standing, name: str) -> NotFound:
    if who.may("nodes", Verb.LIST):
        return NotFound(f"no node {name[:80]!a}; `mezctl nodes ls` lists them")
    return NotFound(f"no node {name[:80]!a}; `msh ls` lists those you may reach")
