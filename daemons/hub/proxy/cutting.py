"""Ends the control lines of nodes that lose the right to them, as the feed tells of it.

The rule itself is `desk.who`'s, the same that a node met when it came; here is only whom to ask it about.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from typing import Final

from daemons.hub.desk import presence
from daemons.hub.desk.desk import Desk
from daemons.hub.feed import Feed, Line, Reset
from daemons.hub.proxy.lines import ControlLine, Lines
from mezite.errors import MeziteError
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.model.lock import LockTarget

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0


class Cutting:
    def __init__(self, desk: Desk, lines: Lines) -> None:
        self._desk = desk
        self._lines = lines

    async def follow(self, feed: Feed) -> None:
        """For ever. While storage cannot be asked nobody is cut; the next word from it judges every line."""
        while True:
            try:
                await self._watch(feed)
            except MeziteError as error:
                log.warning("cannot hear of locks and removals: %s", error)
            await asyncio.sleep(RETRY_S)

    async def _watch(self, feed: Feed) -> None:
        is_first = True
        async for told in feed.watch(None):
            # What happened before the place where the watch begins was told to nobody here.
            suspects = self._lines if is_first else await self._concerned(told)
            is_first = False
            await self._judge(suspects)

    async def _concerned(self, told: Line) -> Iterable[ControlLine]:
        match told:
            case Change(kind=ChangeKind.NODE, op=ChangeOp.DELETE):
                return [line for line in self._lines if line.node_id == told.key]
            case Change(kind=ChangeKind.LOCK, op=ChangeOp.PUT):
                return await self._locked(told.key)
            case Reset():
                return self._lines
            case _:
                return ()

    async def _locked(self, lock_id: str) -> Iterable[ControlLine]:
        lock = await presence.lock_by_id(self._desk, lock_id)
        if lock is not None and lock.target is LockTarget.NODE:
            return [line for line in self._lines if line.node_id == lock.value]
        if lock is not None and lock.target is LockTarget.CERT:
            return [line for line in self._lines if str(line.caller.identity.serial) == lock.value]
        return ()

    async def _judge(self, suspects: Iterable[ControlLine]) -> None:
        """Holds these lines against the present state once more; who has no standing is out."""
        lines = {line.id: line for line in suspects}
        if not lines:
            return
        callers = {line_id: line.caller for line_id, line in lines.items()}
        for line_id, refusal in (await presence.refusals(self._desk, callers)).items():
            lines[line_id].refuse(refusal)
