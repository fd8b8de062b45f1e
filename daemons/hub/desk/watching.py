"""Who may hear of which change. That something changed is told only to those who may see the thing."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection
from contextlib import aclosing
from functools import partial
from typing import Final

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing
from daemons.hub.feed import Feed, Here, Line, Reset
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.model.role import Verb
from mezite.rbac.roleset import RoleSet
from mezite.storage.ports import Reading

_RESOURCES: Final = {
    ChangeKind.USER: "users",
    ChangeKind.ROLE: "roles",
    ChangeKind.NODE: "nodes",
    ChangeKind.TOKEN: "tokens",
    ChangeKind.LOCK: "locks",
    ChangeKind.AUDIT: "audit",
}


async def watched(
    desk: Desk, feed: Feed, caller: Caller, kinds: Collection[ChangeKind], after: int | None
) -> AsyncGenerator[Line, None]:
    """The feed as this caller may see it. Standing is judged for each line, so a lock ends the watch."""
    await desk.look(caller, lambda _tx, _who: None)
    async with aclosing(feed.watch(after)) as lines:
        async for line in lines:
            match line:
                case Change():
                    wanted = not kinds or line.kind in kinds
                    if wanted and await desk.look(caller, partial(_visible, change=line)):
                        yield line
                case Here() | Reset():
                    await desk.look(caller, lambda _tx, _who: None)
                    yield line


def _visible(tx: Reading, who: Standing, *, change: Change) -> bool:
    resource = _RESOURCES.get(change.kind)
    if resource is None or who.may(resource, Verb.LIST):
        return True
    match change.kind:
        case ChangeKind.USER:
            return who.user is not None and change.key == who.user.id
        case ChangeKind.ROLE:
            return who.user is not None and change.key in who.user.roles
        case ChangeKind.NODE:
            node = tx.nodes.get(change.key)
            return (
                change.op is ChangeOp.PUT
                and node is not None
                and RoleSet(who.subject, who.roles).sees(node.labels)
            )
        case _:
            return False
