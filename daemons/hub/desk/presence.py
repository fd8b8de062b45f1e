"""Which nodes are there: written when a control line comes or goes, believed while its hub is alive.

1. A line is one row, written and removed in the same unit as the feed's word of it.
2. A hub says every `PULSE_EVERY_S` that it lives. A heartbeat of a node is never written down.
3. Whoever notices that a hub has died removes what it vouched for, so that the feed tells of it. A hub that
   was only slow finds its pulse gone and states its lines again.
4. What a hub of this name left behind in an earlier life is removed before it takes the first line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.node_claims import checked_labels, checked_version
from daemons.hub.desk.nodes import live_hubs
from daemons.hub.desk.who import Caller, Standing, standing
from mezite.audit.events import Kind
from mezite.errors import Denied, NotLoggedIn
from mezite.model.change import ChangeKind
from mezite.model.lock import Lock
from mezite.model.node import HubPulse, Node, Presence
from mezite.storage.ports import Reading, Writing

PULSE_EVERY_S: Final = 10.0
CLEARED_AT_ONCE: Final = 1_000
"""Rows of dead hubs removed in one unit; the rest goes with the next pulse."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A control line that has come, and what the node says of itself on it."""

    line_id: str
    labels: Mapping[str, str]
    version: str


async def connected(desk: Desk, caller: Caller, arrival: Arrival) -> Node:
    """The node is here. Refused unless the certificate is a node's that exists and is not locked."""
    labels, version = checked_labels(arrival.labels), checked_version(arrival.version)

    def unit(tx: Writing, who: Standing) -> Node:
        if who.node is None:
            raise Denied("only a node's certificate opens a control line", code="not_a_node")
        node = _updated(tx, who, who.node, labels, version)
        for line in tx.presence.all(node_id=node.id):
            if line.hub_id == desk.hub_id:
                tx.presence.delete(line)
        tx.presence.insert(_presence(desk, node.id, arrival.line_id, who.now, caller.client_ip))
        tx.changed(ChangeKind.NODE, node.id)
        return node

    return await desk.act(caller, unit)


async def departed(desk: Desk, line_ids: Collection[str]) -> None:
    """These lines are gone. Those that were replaced meanwhile have no row any more, and say nothing."""

    def unit(tx: Writing) -> None:
        for line_id in line_ids:
            if line := tx.presence.get(line_id):
                tx.presence.delete(line)
                tx.changed(ChangeKind.NODE, line.node_id)

    await desk.store.write(unit)


async def hub_started(desk: Desk, version: str) -> None:
    """Forgets what an earlier life of this hub left behind, and says that it lives."""
    await _clear_own(desk)
    await pulse(desk, version, lines=0)


async def pulse(desk: Desk, version: str, *, lines: int) -> bool:
    """Says that this hub lives and holds so many lines. False if some are not on record: state them again."""

    def unit(tx: Writing) -> bool:
        now = desk.clock.now()
        known = tx.hub_pulses.get(desk.hub_id)
        if known is None:
            tx.hub_pulses.insert(HubPulse(desk.hub_id, started_at=now, seen_at=now, version=version))
        else:
            tx.hub_pulses.replace(replace(known, seen_at=now, version=version))
        _bury_others(tx, now)
        return tx.presence.count(hub_id=desk.hub_id) >= lines

    return await desk.store.write(unit)


async def hub_stopped(desk: Desk) -> None:
    """This hub leaves in good order: its nodes are offline at once."""
    await _clear_own(desk)

    def unit(tx: Writing) -> None:
        if own := tx.hub_pulses.get(desk.hub_id):
            tx.hub_pulses.delete(own)

    await desk.store.write(unit)


async def stated_again(desk: Desk, lines: Mapping[str, tuple[str, str]]) -> None:
    """Rule 3: the lines that stand here, by id: (node id, client address). Rows that exist are left alone."""

    def unit(tx: Writing) -> None:
        now = desk.clock.now()
        for line_id, (node_id, client_ip) in lines.items():
            if tx.presence.get(line_id) is None and tx.nodes.get(node_id) is not None:
                tx.presence.insert(_presence(desk, node_id, line_id, now, client_ip))
                tx.changed(ChangeKind.NODE, node_id)

    await desk.store.write(unit)


async def lock_by_id(desk: Desk, lock_id: str) -> Lock | None:
    return await desk.store.read(lambda tx: tx.locks.get(lock_id))


async def refusals(desk: Desk, callers: Mapping[str, Caller]) -> dict[str, NotLoggedIn]:
    """Of these, by whatever key, those who may hold a line no more, and why."""

    def query(tx: Reading) -> dict[str, NotLoggedIn]:
        now = desk.clock.now()
        found: dict[str, NotLoggedIn] = {}
        for key, caller in callers.items():
            try:
                standing(tx, caller, now)
            except NotLoggedIn as refusal:
                found[key] = refusal
        return found

    return await desk.store.read(query)


def _updated(tx: Writing, who: Standing, node: Node, labels: Mapping[str, str], version: str) -> Node:
    if dict(node.own_labels) == dict(labels) and node.version == version:
        return node
    node = tx.nodes.replace(replace(node, own_labels=labels, version=version))
    shown = tuple(sorted(f"{key}={value}" for key, value in node.labels.items()))
    tx.record(who.event(Kind.NODE_UPDATED, resource=node.name, labels=shown, version=version))
    return node


def _presence(desk: Desk, node_id: str, line_id: str, now: datetime, client_ip: str) -> Presence:
    return Presence(node_id=node_id, hub_id=desk.hub_id, line_id=line_id, since=now, client_ip=client_ip)


def _bury_others(tx: Writing, now: datetime) -> None:
    """Rule 3. A dead hub's pulse stays until the last of its rows is gone."""
    alive = live_hubs(tx, now)
    for dead in [hub for hub in tx.hub_pulses.all() if hub.hub_id not in alive]:
        if _clear(tx, dead.hub_id) < CLEARED_AT_ONCE:
            tx.hub_pulses.delete(dead)


async def _clear_own(desk: Desk) -> None:
    while await desk.store.write(lambda tx: _clear(tx, desk.hub_id)) == CLEARED_AT_ONCE:
        pass


def _clear(tx: Writing, hub_id: str) -> int:
    """Removes rows of this hub, `CLEARED_AT_ONCE` at most; how many there were."""
    rows = tx.presence.all(hub_id=hub_id)[:CLEARED_AT_ONCE]
    for line in rows:
        tx.presence.delete(line)
        tx.changed(ChangeKind.NODE, line.node_id)
    return len(rows)
