"""The engine for several hubs: one PostgreSQL; each hub has a writer, readers, an ear for the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from mezite.clock import Clock
from mezite.errors import CallerError, Invalid
from mezite.model.change import Change
from mezite.storage.core_executor import CoreExecutor, Fault
from mezite.storage.executor import Lost
from mezite.storage.groups import closed
from mezite.storage.listeners import Listeners
from mezite.storage.migrate import upgrade
from mezite.storage.ports import Reading, Store, Writing
from mezite.storage.postgres_faults import DRIVER_FAULTS, judge
from mezite.storage.postgres_feed import Feed
from mezite.storage.postgres_url import Address, parse
from mezite.storage.postgres_writer import PostgresWriter
from mezite.storage.sql_view import SqlReading

R = TypeVar("R")

_READERS: Final = 8
_READER_WAIT_S: Final = 10
_CONNECT_S: Final = 5
_ANSWER_S: Final = 20
"""Longer than the server's own limits, so that it is the server who gives up first, and says why."""
_LIMITS: Final = {
    "application_name": "mezhub",
    "statement_timeout": "15s",
    "lock_timeout": "10s",
    # A hub that froze in the middle of a group must not stop the others for good.
    "idle_in_transaction_session_timeout": "15s",
}
_MIGRATING: Final = 0x6D657A697465
"""The advisory lock of hubs that start together: one brings the tables up to date, the others wait for it."""


@asynccontextmanager
async def open_postgres(url: str, clock: Clock) -> AsyncIterator[Store]:
    """Opens the database at `url`, its tables made or brought up to date if need be."""
    address = parse(url)
    await _migrate(address)
    # Apart, so that many readers cannot keep the writer or the listener waiting for a connection.
    writing = _engine(address, pool_size=3)
    reading = _engine(address, pool_size=_READERS)
    listeners = Listeners()
    feed = Feed(writing, address.place, listeners)
    writer = PostgresWriter(writing, address.place, clock, feed)
    try:
        await _or_say_why(feed.begin(), address)
        store = PostgresStore(reading, address.place, writer, listeners)
        failure: Exception | None = None
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(writer.serve(), name="store-writer")
            ear = tasks.create_task(feed.follow(), name="store-feed")
            try:
                yield store
            except Exception as error:  # noqa: BLE001 - carried around the task group, which would wrap it
                failure = error
            finally:
                ear.cancel()
                store.close()
                await writer.stop()
        if failure is not None:
            raise failure
    finally:
        await reading.dispose()
        await writing.dispose()


class PostgresStore:
    def __init__(self, engine: AsyncEngine, place: str, writer: PostgresWriter, listeners: Listeners) -> None:
        self._engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        self._place = place
        self._writer = writer
        self._listeners = listeners
        self._closed = False

    def close(self) -> None:
        self._closed = True

    async def read(self, query: Callable[[Reading], R]) -> R:
        if self._closed:
            raise closed()
        try:
            return await self._read_once(query)
        except Lost as lost:
            if not lost.retry:
                raise lost.error from None
        # A restart of the server has cut what is in the pool; the second connection is made anew.
        try:
            return await self._read_once(query)
        except Lost as lost:
            raise lost.error from None

    async def write(self, unit: Callable[[Writing], R]) -> R:
        return await self._writer.write(unit)

    def on_change(self, listener: Callable[[Sequence[Change]], None]) -> None:
        self._listeners.add(listener)

    async def backup(self, target: str) -> None:
        raise CallerError("PostgreSQL is backed up by its own tools; use pg_dump or pg_basebackup")

    async def _read_once(self, query: Callable[[Reading], R]) -> R:
        try:
            async with self._engine.connect() as connection:
                return await connection.run_sync(self._ask, query)
        except DRIVER_FAULTS as error:
            raise judge(error, self._place) from None

    def _ask(self, connection: Connection, query: Callable[[Reading], R]) -> R:
        return query(SqlReading(CoreExecutor(connection, self._judge)))

    def _judge(self, error: Fault) -> Lost | Invalid:
        return judge(error, self._place)


def _engine(address: Address, *, pool_size: int) -> AsyncEngine:
    return create_async_engine(
        address.url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_READER_WAIT_S,
        # Each statement sees what was committed before it: those after the lock see all earlier groups.
        isolation_level="READ COMMITTED",
        hide_parameters=True,
        connect_args={"timeout": _CONNECT_S, "command_timeout": _ANSWER_S, "server_settings": _LIMITS},
    )


async def _migrate(address: Address) -> None:
    engine = create_async_engine(
        address.url, poolclass=NullPool, hide_parameters=True, connect_args={"timeout": _CONNECT_S}
    )

    def steps(connection: Connection) -> None:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _MIGRATING})
        upgrade(connection, address.place)

    async def run() -> None:
        async with engine.begin() as connection:
            await connection.run_sync(steps)

    await _or_say_why(run(), address)


async def _or_say_why(work: Any, address: Address) -> None:
    try:
        await work
    except Lost as lost:
        raise lost.error from None
    except DRIVER_FAULTS as error:
        told = judge(error, address.place)
        raise (told.error if isinstance(told, Lost) else told) from None
