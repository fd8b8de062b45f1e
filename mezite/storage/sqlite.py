"""The embedded engine: one file, no set-up. Reads go through a small pool of read-only connections, each on a
snapshot of its own; writes through the one writer (`sqlite_writer`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import quote

from sqlalchemy import URL, Connection, create_engine, event
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool

from mezite.clock import Clock
from mezite.errors import Unavailable
from mezite.model.change import Change
from mezite.storage import sqlite_files
from mezite.storage.core_executor import CoreExecutor, Fault
from mezite.storage.datadir import DataDir, hold
from mezite.storage.executor import Lost
from mezite.storage.groups import closed
from mezite.storage.listeners import Listeners
from mezite.storage.migrate import upgrade
from mezite.storage.ports import Reading, Store, Writing
from mezite.storage.sql_view import SqlReading
from mezite.storage.sqlite_faults import told
from mezite.storage.sqlite_writer import Writer, connect

R = TypeVar("R")

_READERS: Final = 4
_READER_WAIT_S: Final = 10


@asynccontextmanager
async def open_sqlite(data_dir: Path | str, clock: Clock) -> AsyncIterator[Store]:
    """Opens the database in `data_dir`, made or brought up to date if need be, and holds it until closed."""
    holding = hold(Path(data_dir))
    data = await asyncio.to_thread(holding.__enter__)
    try:
        connection = await asyncio.to_thread(_prepare, data)
        listeners = Listeners()
        writer = Writer(connection, data, clock, listeners)
        readers = _readers(data)
        store = SqliteStore(data, writer, readers, listeners)
        try:
            yield store
        finally:
            await store.close()
    finally:
        holding.__exit__(None, None, None)


class SqliteStore:
    def __init__(self, data: DataDir, writer: Writer, readers: AsyncEngine, listeners: Listeners) -> None:
        self._data = data
        self._identity = data.identity()
        self._writer = writer
        self._readers = readers
        self._listeners = listeners
        self._closed = False

    async def close(self) -> None:
        """Commits what waits; the lock on the directory is released after it."""
        self._closed = True
        await self._writer.stop()
        await self._readers.dispose()

    async def read(self, query: Callable[[Reading], R]) -> R:
        if self._closed:
            raise closed()
        if self._data.identity() != self._identity:
            raise Unavailable(
                f"the database {self._data.database} was replaced under the hub; start it again"
            )
        try:
            async with self._readers.connect() as connection:
                return await connection.run_sync(self._ask, query)
        except Lost as lost:
            raise lost.error from None
        except DBAPIError as error:
            raise self._judge(error).error from None
        except PoolTimeout:
            raise Unavailable("too many reads of the database at once; try again") from None

    async def write(self, unit: Callable[[Writing], R]) -> R:
        return await self._writer.write(unit)

    def on_change(self, listener: Callable[[Sequence[Change]], None]) -> None:
        self._listeners.add(listener)

    async def backup(self, target: str) -> None:
        await asyncio.to_thread(sqlite_files.backup, self._data, Path(target))

    def _ask(self, connection: Connection, query: Callable[[Reading], R]) -> R:
        return query(SqlReading(CoreExecutor(connection, self._judge)))

    def _judge(self, error: Fault) -> Lost:
        return Lost(told(error.orig if isinstance(error, DBAPIError) else error, self._data.path))


def _prepare(data: DataDir) -> sqlite3.Connection:
    try:
        migrated(data.database, str(data.path))
        return connect(data)
    except DBAPIError as error:
        raise told(error.orig, data.path) from None
    except sqlite3.Error as error:
        raise told(error, data.path) from None


def migrated(database: Path, place: str) -> None:
    engine = create_engine(URL.create("sqlite", database=str(database)), poolclass=NullPool)
    _with_real_transactions(engine)
    with engine.begin() as connection:
        upgrade(connection, f"the data in {place}")


def _readers(data: DataDir) -> AsyncEngine:
    engine = create_async_engine(
        URL.create(
            "sqlite+aiosqlite",
            database=f"file:{quote(str(data.database))}",
            query={"mode": "ro", "uri": "true"},
        ),
        pool_size=_READERS,
        max_overflow=0,
        pool_timeout=_READER_WAIT_S,
        hide_parameters=True,
    )
    _with_real_transactions(engine.sync_engine)
    return engine


def _with_real_transactions(engine: Any) -> None:
    """The driver begins a transaction only before a change: reads would have no snapshot, DDL no way back."""

    @event.listens_for(engine, "connect")
    def _leave_it_to_us(connection: Any, _record: Any) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")
