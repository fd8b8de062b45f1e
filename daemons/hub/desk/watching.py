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

_TOUCH_STANDING: Final = frozenset((ChangeKind.LOCK, ChangeKind.USER, ChangeKind.ROLE, ChangeKind.NODE))
STANDING_S: Final = 3.0
FRESH_S: Final = 1.0
"""How long what was judged is told without asking again."""


async def watched(
    desk: Desk, feed: Feed, caller: Caller, kinds: Collection[ChangeKind], after: int | None
) -> AsyncGenerator[Line, None]:
    """The feed as this caller may see it. One read judges a batch of lines.

    Standing is judged with it, and whenever something changed that standing hangs on, so a lock ends the
    watch; a quiet feed costs a read every few seconds at most.
    """
    with feed.seat(caller.key):
        await desk.look(caller, lambda _tx, _who: None)
        judged = desk.clock.monotonic()
        async with aclosing(feed.batches(after)) as batches:
            async for batch in batches:
                match batch:
                    case Here() | Reset():
                        if desk.clock.monotonic() - judged >= STANDING_S:
                            await desk.look(caller, lambda _tx, _who: None)
                            judged = desk.clock.monotonic()
                        yield batch
                    case _:
                        wanted = [change for change in batch if not kinds or change.kind in kinds]
                        if wanted or any(change.kind in _TOUCH_STANDING for change in batch):
                            judged = desk.clock.monotonic()
                            async with aclosing(_told(desk, caller, wanted)) as lines:
                                async for line in lines:
                                    yield line


async def _told(desk: Desk, caller: Caller, pending: list[Change]) -> AsyncGenerator[Change, None]:
    """Those of the changes the caller may hear of; judged again for a client that takes its time."""
    while True:
        seen = await desk.look(caller, partial(_visible_of, changes=pending))
        judged = desk.clock.monotonic()
        pending = []
        for place, line in enumerate(seen, 1):
            yield line
            if desk.clock.monotonic() - judged >= FRESH_S:
                pending = seen[place:]
                break
        if not pending:
            return


def _visible_of(tx: Reading, who: Standing, *, changes: list[Change]) -> list[Change]:
    return [change for change in changes if _visible(tx, who, change=change)]


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
