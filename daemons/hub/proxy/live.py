"""The connections that are open through this hub: held against the present state, and cut when they lose it.

1. A connection is held from before its node is asked for it, so that a lock made meanwhile finds it.
2. Its node hears of every change of its rights, and of its end with the words for the terminal. What the node
   has not ended after `GRACE_S` is ended in the relay.
3. A certificate that runs out ends its connections, whatever anybody else does.
4. A hub that comes back takes up what relays and nodes still hold and its records know, and ends the rest.
5. A cut is tried until it is done. Whatever fails in ending one connection ends no other, and not the hub.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk import connections
from daemons.hub.desk.desk import Desk
from daemons.hub.proxy.dials import Dials
from daemons.hub.proxy.lines import ControlLine, Lines
from daemons.hub.proxy.pairs import Pairs
from daemons.lifecycle import Start
from mezite.api.tunnel.messages import sentence
from mezite.api.tunnel.orders import Cut, Holding, Rights, Update
from mezite.errors import MeziteError, NotLoggedIn, TooLarge
from mezite.model.connection import Connection

log = logging.getLogger(__name__)

GRACE_S: Final = 0.5
YOUNG: Final = timedelta(seconds=15)
"""What was allowed so shortly before a line came may be opened over that very line."""
CUT_AGAIN_S: Final = 1.0
TICK_S: Final = 0.25


@dataclass(slots=True, eq=False)
class Live:
    connection: Connection
    told: Rights | None
    """What its node was last told; None when that is not known."""
    cut: str = ""
    """Why it ends, once that is decided."""

    @property
    def id(self) -> str:
        return self.connection.id

    @property
    def node_id(self) -> str:
        return self.connection.node_id


class LiveConnections:
    pairs: Pairs
    """Set before the first connection is held."""

    def __init__(self, desk: Desk, lines: Lines, dials: Dials, start: Start) -> None:
        self._desk = desk
        self._lines = lines
        self._dials = dials
        self._start = start
        self._live: dict[str, Live] = {}

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Live]:
        return iter(tuple(self._live.values()))

    def __contains__(self, connection_id: str) -> bool:
        return connection_id in self._live

    def stands(self, connection_id: str) -> bool:
        """Held, and not about to end."""
        live = self._live.get(connection_id)
        return live is not None and not live.cut

    def hold(self, connection: Connection, rights: Rights) -> None:
        self._live[connection.id] = Live(connection, rights)

    def never_was(self, connection_id: str) -> None:
        """It was allowed and did not come about."""
        self._live.pop(connection_id, None)

    async def ended(self, connection_id: str, up: int, down: int, why: str) -> None:
        """No byte passes any more, and that is written down when this returns. Twice is once."""
        await connections.ended(self._desk, connection_id, why, up=up, down=down)
        self._live.pop(connection_id, None)
        log.info("connection %s is over: %s, %d bytes up, %d down", connection_id, why, up, down)

    async def broke_off(self, connection_id: str, why: str) -> None:
        """The same for one that no relay tells of. What cannot be written down ends by its certificate."""
        try:
            await self.ended(connection_id, 0, 0, why)
        except MeziteError as error:
            self._live.pop(connection_id, None)
            log.warning("the end of connection %s could not be written down: %s", connection_id, error)

    def cut(self, live: Live, why: str) -> None:
        """Rule 2. Cutting twice is cutting once."""
        if live.cut:
            return
        live.cut = why
        log.info("cutting connection %s of %s: %s", live.id, live.connection.identity.name, why)
        self._dials.give_up(live.id, NotLoggedIn(why, code="cut"))
        self._tell(live.node_id, Cut(connection_id=live.id, message=sentence(why)))
        self._start(self._note_cut(live, why), name=f"note {live.id}")
        self._start(self._end(live), name=f"cut {live.id}")

    async def _note_cut(self, live: Live, why: str) -> None:
        try:
            await connections.note_cut(self._desk, live.connection, why)
        except MeziteError as error:
            log.warning("the cut of connection %s could not be written down: %s", live.id, error)

    async def _end(self, live: Live) -> None:
        if self._lines.to(live.node_id) is not None:
            await asyncio.sleep(GRACE_S)
        await self.cut_for_good(live.id)
        if live.id in self._live:
            await self.broke_off(live.id, "ended by the hub")

    async def _cut_off(self, connection_id: str) -> bool:
        """Whether no byte of it moves any more."""
        try:
            await self.pairs.cut(connection_id)
        except Exception as error:
            # Also a fault of ours: out of here it would take every connection, and the hub, with it.
            log.error("connection %s could not be cut, trying again: %s", connection_id, error)
            log.debug("a cut failed", exc_info=error)
            return False
        return True

    async def cut_for_good(self, connection_id: str) -> None:
        """Rule 5: returns when no byte of it moves any more."""
        while True:
            if await self._cut_off(connection_id):
                return
            await asyncio.sleep(CUT_AGAIN_S)

    def _tell(self, node_id: str, order: Cut | Update) -> None:
        line = self._lines.to(node_id)
        if line is not None and not line.line.talk.ended:
            line.line.send(order)

    async def judge(self, connection_ids: Collection[str]) -> None:
        """Holds these against the present state once more."""
        ids = [connection_id for connection_id in connection_ids if connection_id in self._live]
        if not ids:
            return
        for connection_id, worth in (await connections.judged(self._desk, ids)).items():
            live = self._live.get(connection_id)
            if live is not None and not live.cut:
                self._settle(live, worth)

    def _settle(self, live: Live, worth: Rights | MeziteError | None) -> None:
        match worth:
            case None:
                self.cut(live, "the hub has no record of this connection")
            case MeziteError():
                self.cut(live, worth.message)
            case Rights():
                if live.told is None or not _same(live.told, worth):
                    live.told = worth
                    self._update(live, worth)

    def _update(self, live: Live, worth: Rights) -> None:
        try:
            self._tell(live.node_id, Update(connection_id=live.id, rights=worth))
        except TooLarge:
            self.cut(live, "your roles are too large to be told to a node; ask an administrator")

    async def holding(self, line: ControlLine, told: Holding) -> None:
        """Rule 4: a node has come and says which connections are open there."""
        held, before = frozenset(told.connection_ids), line.since - YOUNG
        found = await connections.taken_up(self._desk, line.node_id, held, before=before)
        for connection in found.values():
            live = self._live.setdefault(connection.id, Live(connection, None))
            live.told = None
        for connection_id in held - found.keys():
            refusal = "the hub has no record of this connection"
            line.line.send(Cut(connection_id=connection_id, message=refusal))
        for live in self:
            is_here = live.node_id == line.node_id and live.connection.started_at < before
            if is_here and live.id not in held:
                self._start(self._end(live), name=f"end {live.id}")
        await self.judge(found.keys())

    async def adopt(self, pairs: Pairs) -> None:
        """Rule 4: what the relays were left with."""
        self.pairs = pairs
        carried = await connections.recorded(self._desk, frozenset(pairs.pairs()))
        for connection_id, connection in carried.items():
            if connection is not None:
                self._live.setdefault(connection_id, Live(connection, None))
            elif not await self._cut_off(connection_id):
                self._start(self.cut_for_good(connection_id), name=f"cut {connection_id}")
        await self.judge(self._live.keys())

    def beat(self, now: datetime) -> None:
        """Rule 3."""
        for live in self:
            if now >= live.connection.identity.expires_at:
                self.cut(live, "your certificate has expired; run `msh login`")

    async def keep_time(self) -> None:
        while True:
            self.beat(self._desk.clock.now())
            await asyncio.sleep(TICK_S)


def _same(one: Rights, other: Rights) -> bool:
    """Whether a node would decide the same by both."""
    return all(
        getattr(one, name) == getattr(other, name) for name in Rights.__struct_fields__ if name != "revision"
    )
