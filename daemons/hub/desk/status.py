"""The cluster at a glance, for those who may see it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.nodes import online_ids
from daemons.hub.desk.who import Caller, Standing
from mezite.audit.chain import Head
from mezite.model.role import Verb
from mezite.rbac.builtin import BUILTIN
from mezite.storage.ports import Reading


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    now: datetime
    users: int
    roles: int
    nodes: int
    nodes_online: int
    locks: int
    hubs: int
    head: Head | None


async def get(desk: Desk, caller: Caller) -> ClusterStatus:
    def query(tx: Reading, who: Standing) -> ClusterStatus:
        who.require("cluster", Verb.READ)
        return ClusterStatus(
            now=who.now,
            users=tx.users.count(),
            roles=tx.roles.count() + len(BUILTIN),
            nodes=tx.nodes.count(),
            nodes_online=len(online_ids(tx, who.now)),
            locks=sum(lock.in_force(who.now) for lock in tx.locks.all()),
            hubs=tx.hub_pulses.count(),
            head=tx.audit.head(),
        )

    return await desk.look(caller, query)
