"""One task per hub that writes to PostgreSQL: the units that wait, in one transaction, after all other hubs'.

1. The first statement of a group locks the row that says where chain and feed end. No two groups of the
   cluster ever overlap: what a unit reads stays true until its commit (docs/adr/0004-serial-units.md).
2. A transaction that was lost before its COMMIT was sent left nothing: the group is run again.
3. When the answer to a COMMIT is lost, its fate is asked of the server by the transaction's number, under the
   same lock, hence after the server has made up its mind. Only a transaction known to be undone is run again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from mezite.clock import Clock
from mezite.errors import Invalid, MeziteError, Unavailable
from mezite.storage import groups
from mezite.storage.core_executor import CoreExecutor, Fault
from mezite.storage.ends import Ends
from mezite.storage.executor import Executor, Lost, Statement
from mezite.storage.failpoints import reach
from mezite.storage.groups import MAX_WAITING, Group, Order, Outcome, closed
from mezite.storage.ports import Writing
from mezite.storage.postgres_faults import DRIVER_FAULTS, is_undone, judge
from mezite.storage.postgres_feed import NOTIFY, Feed
from mezite.storage.sql_trail import stored_ends
from mezite.storage.sql_view import SqlWriting

R = TypeVar("R")

MAX_GROUP: Final = 48
"""Units per commit: each is a subtransaction, and past 64 all other transactions pay for them."""
PAUSES_S: Final = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0, 4.0)
"""Before each attempt at a group; a server that restarts is back within them."""

_NUMBER: Final = Statement(text("SELECT CAST(pg_current_xact_id() AS text)"))
_FATE: Final = Statement(text("SELECT pg_xact_status(CAST(CAST(:number AS text) AS xid8))"))

Units = Sequence[Callable[[Writing], Any]]


@dataclass(frozen=True, slots=True)
class Attempt:
    """A group as it ran in the transaction of this number."""

    number: str
    group: Group


@dataclass(slots=True)
class Fate:
    """What is known of a group, through all attempts at it."""

    sent: Attempt | None = None
    """Its COMMIT was sent, and no answer has said what became of it."""
    kept: Group | None = None


class PostgresWriter:
    def __init__(self, engine: AsyncEngine, place: str, clock: Clock, feed: Feed) -> None:
        self._engine = engine
        self._place = place
        self._clock = clock
        self._feed = feed
        # Full: callers wait in `put`. None is the end.
        self._waiting: asyncio.Queue[Order | None] = asyncio.Queue(MAX_WAITING)
        self._closing = False
        self._ended = asyncio.Event()

    async def write(self, unit: Callable[[Writing], R]) -> R:
        order = Order(unit, asyncio.get_running_loop().create_future())
        if self._closing:
            raise closed()
        try:
            await self._waiting.put(order)
            if self._ended.is_set():  # it was let in when nobody was left to serve it
                raise closed()
            answer: R = await order.answer
        except asyncio.CancelledError:
            order.take()  # not begun: nobody will run it; begun: it completes unheard
            raise
        return answer

    async def stop(self) -> None:
        """Commits what waits, and returns when that is done."""
        self._closing = True
        await self._waiting.put(None)
        await self._ended.wait()

    async def serve(self) -> None:
        try:
            while orders := await self._next():
                if begun := [order for order in orders if order.take()]:
                    await self._commit(begun)
        finally:
            self._ended.set()
            self._refuse_the_rest()

    async def _next(self) -> list[Order]:
        """All that wait, at least one; none at the end."""
        first = await self._waiting.get()
        if first is None:
            return []
        orders = [first]
        while len(orders) < MAX_GROUP and not self._waiting.empty():
            following = self._waiting.get_nowait()
            if following is None:
                self._waiting.put_nowait(None)  # the end, again, for the next call
                break
            orders.append(following)
        return orders

    async def _commit(self, orders: Sequence[Order]) -> None:
        try:
            group = await self._settled([order.unit for order in orders])
        except BaseException:
            self._refuse(orders, self._unknown())
            raise
        reach("store.after-commit")
        await self._feed.committed(group.changes)
        for order, outcome in zip(orders, group.outcomes, strict=True):
            outcome.give(order.answer)
        reach("store.after-told")

    async def _settled(self, units: Units) -> Group:
        """The group, committed once; or every unit refused, because that cannot be had."""
        fate = Fate()
        refusal: MeziteError = self._unknown()
        for pause_s in PAUSES_S:
            await asyncio.sleep(pause_s)
            again = False
            try:
                await self._attempt(units, fate)
            except Lost as lost:
                refusal, again = lost.error, lost.retry
            except MeziteError as error:
                refusal = error
            if fate.kept is not None:
                return fate.kept
            if not again and fate.sent is None:
                break
        if fate.sent is not None:
            refusal = self._unknown()
        return Group([Outcome(error=refusal)] * len(units), [], Ends())

    async def _attempt(self, units: Units, fate: Fate) -> None:
        """What it learns goes into `fate` at once: giving the connection back may fail after all is done."""
        try:
            async with self._engine.connect() as connection:
                attempt = await connection.run_sync(self._run, units, fate)
                if attempt is not None:
                    reach("store.before-commit")
                    await self._send_commit(connection, attempt, fate)
        except DRIVER_FAULTS as error:
            raise judge(error, self._place) from None

    def _run(self, connection: Connection, units: Units, fate: Fate) -> Attempt | None:
        """The group, ready for its COMMIT; None when it turns out that an earlier one took effect."""
        executor = CoreExecutor(connection, self._judge)
        known = stored_ends(executor, lock=True)
        if fate.sent is not None and _took_effect(executor, fate.sent):
            fate.kept = fate.sent.group
            return None
        fate.sent = None
        group = groups.run(SqlWriting(executor, self._clock), executor, known, units)
        if group.changes:
            executor.rows(NOTIFY, {"revision": str(group.ends.feed)})
        return Attempt(executor.rows(_NUMBER, {})[0][0], group)

    async def _send_commit(self, connection: AsyncConnection, attempt: Attempt, fate: Fate) -> None:
        fate.sent = attempt
        try:
            await connection.commit()
        except DRIVER_FAULTS as error:
            if is_undone(error):
                fate.sent = None
            raise
        fate.kept = attempt.group

    def _judge(self, error: Fault) -> Lost | Invalid:
        return judge(error, self._place)

    def _unknown(self) -> Unavailable:
        return Unavailable(
            f"{self._place} was lost while saving this; see whether it took effect before you repeat it",
            code="outcome_unknown",
        )

    def _refuse(self, orders: Sequence[Order], error: MeziteError) -> None:
        for order in orders:
            Outcome(error=error).give(order.answer)

    def _refuse_the_rest(self) -> None:
        while not self._waiting.empty():
            order = self._waiting.get_nowait()
            if order is not None and order.take():
                Outcome(error=closed()).give(order.answer)


def _took_effect(executor: Executor, doubt: Attempt) -> bool:
    return bool(executor.rows(_FATE, {"number": doubt.number})[0][0] == "committed")
