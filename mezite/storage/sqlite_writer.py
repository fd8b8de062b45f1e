"""The one thread that writes the embedded database: it runs all waiting units, commits once, then answers.

1. Units wait in one queue, in the order of their callers. The thread takes all that wait, up to a bound.
2. BEGIN IMMEDIATE, the units each in a savepoint, COMMIT with the disk's word for it (`synchronous=FULL`).
3. Only then do listeners and callers hear, in one step of the event loop. If the commit fails, all of the
   group hear that, and where the chain ends is read anew.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from mezite.clock import Clock
from mezite.errors import Unavailable
from mezite.model.change import Change
from mezite.storage import groups
from mezite.storage.datadir import DataDir
from mezite.storage.ends import Ends
from mezite.storage.executor import Lost
from mezite.storage.failpoints import reach
from mezite.storage.groups import MAX_GROUP, MAX_WAITING, Group, Order, Outcome, closed
from mezite.storage.listeners import Listeners
from mezite.storage.ports import Writing
from mezite.storage.sql_trail import stored_ends
from mezite.storage.sql_view import SqlWriting
from mezite.storage.sqlite_executor import RawExecutor

R = TypeVar("R")

_SETTINGS: Final = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA busy_timeout=5000",
    "PRAGMA journal_size_limit=67108864",
)


def connect(data: DataDir) -> sqlite3.Connection:
    """The writing connection. Any thread may open it, because only one ever uses it at a time."""
    connection = sqlite3.connect(
        data.database, isolation_level=None, check_same_thread=False, cached_statements=512
    )
    for setting in _SETTINGS:
        connection.execute(setting)
    return connection


class Writer:
    def __init__(
        self, connection: sqlite3.Connection, data: DataDir, clock: Clock, listeners: Listeners
    ) -> None:
        self._connection = connection
        self._data = data
        self._identity = data.identity()
        self._executor = RawExecutor(connection, data.path)
        self._writing = SqlWriting(self._executor, clock)
        self._listeners = listeners
        self._known: Ends | None = None
        """Where chain and feed end; None when only the database can say."""
        self._loop = asyncio.get_running_loop()
        self._room = asyncio.Semaphore(MAX_WAITING)
        # Bounded by `_room`, which callers wait for; None is the end.
        self._waiting: queue.SimpleQueue[Order | None] = queue.SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="mezite-store-writer", daemon=True)
        self._thread.start()

    async def write(self, unit: Callable[[Writing], R]) -> R:
        async with self._room:
            if self._closing:
                raise closed()
            order = Order(unit, self._loop.create_future())
            self._waiting.put(order)
            try:
                answer: R = await order.answer
            except asyncio.CancelledError:
                order.take()  # not begun: nobody will run it; begun: it completes unheard
                raise
            return answer

    async def stop(self) -> None:
        """Commits what waits, then closes the connection."""
        self._closing = True
        self._waiting.put(None)
        await asyncio.to_thread(self._thread.join)

    def _serve(self) -> None:
        try:
            while (orders := self._next()) is not None:
                if begun := [order for order in orders if order.take()]:
                    self._commit(begun)
        finally:
            self._connection.close()

    def _next(self) -> list[Order] | None:
        """All that wait, at least one; None at the end."""
        first = self._waiting.get()
        if first is None:
            return None
        orders = [first]
        with suppress(queue.Empty):
            while len(orders) < MAX_GROUP:
                following = self._waiting.get_nowait()
                if following is None:
                    self._waiting.put(None)  # the end, again, for the next call
                    break
                orders.append(following)
        return orders

    def _commit(self, orders: Sequence[Order]) -> None:
        try:
            group = self._run([order.unit for order in orders])
        except BaseException as fault:  # noqa: BLE001 - the thread outlives it, and every caller hears of it
            self._undo()
            error = fault.error if isinstance(fault, Lost) else fault
            group = Group([Outcome(error=error)] * len(orders), [], Ends())
        with suppress(RuntimeError):  # the event loop is closed: there is nobody left to tell
            self._loop.call_soon_threadsafe(self._tell, orders, group.outcomes, group.changes)

    def _run(self, units: Sequence[Callable[[Writing], Any]]) -> Group:
        self._executor.plainly("BEGIN IMMEDIATE")
        if self._known is None:
            self._known = stored_ends(self._executor)
        group = groups.run(self._writing, self._executor, self._known, units)
        if self._data.identity() != self._identity:
            raise Unavailable(
                f"the database {self._data.database} was replaced under the hub; start it again"
            )
        reach("store.before-commit")
        self._executor.plainly("COMMIT")
        reach("store.after-commit")
        self._known = group.ends
        return group

    def _undo(self) -> None:
        self._known = None
        # Some failures have rolled back already, others leave nothing to talk to.
        with suppress(sqlite3.Error):
            self._connection.execute("ROLLBACK")

    def _tell(self, orders: Sequence[Order], outcomes: Sequence[Outcome], changes: Sequence[Change]) -> None:
        self._listeners.tell(changes)
        for order, outcome in zip(orders, outcomes, strict=True):
            outcome.give(order.answer)
        reach("store.after-told")
