"""Statements as compiled text on the writer's own `sqlite3` connection: no pool, no layer, one thread."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mezite.errors import Invalid
from mezite.storage.executor import Lost, Params, Rows, Statement, unfit
from mezite.storage.sqlite_faults import told


class RawExecutor:
    __slots__ = ("_connection", "_place")

    def __init__(self, connection: sqlite3.Connection, place: Path) -> None:
        self._connection = connection
        self._place = place

    def rows(self, statement: Statement, params: Params) -> Rows:
        try:
            return self._connection.execute(statement.sqlite, params).fetchall()
        except sqlite3.DatabaseError as error:
            raise self._judged(error) from None

    def run(self, statement: Statement, params: Params) -> int:
        try:
            return self._connection.execute(statement.sqlite, params).rowcount
        except sqlite3.DatabaseError as error:
            raise self._judged(error) from None

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self.plainly("SAVEPOINT unit")
        try:
            yield
        except Lost:
            raise
        except BaseException:
            self.plainly("ROLLBACK TO unit")
            self.plainly("RELEASE unit")
            raise
        self.plainly("RELEASE unit")

    def plainly(self, sql: str) -> None:
        try:
            self._connection.execute(sql)
        except sqlite3.DatabaseError as error:
            raise self._judged(error) from None

    def _judged(self, error: sqlite3.DatabaseError) -> Lost | Invalid:
        if isinstance(error, sqlite3.IntegrityError | sqlite3.DataError):
            return unfit()
        return Lost(told(error, self._place))
