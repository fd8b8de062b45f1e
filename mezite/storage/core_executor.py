"""Statements through an SQLAlchemy connection, as used by all reads and by the writer on PostgreSQL.

Runs inside `AsyncConnection.run_sync`: a call looks plain to its caller and waits without blocking the loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from mezite.errors import Invalid
from mezite.storage.executor import Lost, Params, Rows, Statement

Fault = DBAPIError | OSError
Judge = Callable[[Fault], Lost | Invalid]
"""What an engine makes of a driver's error."""


class CoreExecutor:
    __slots__ = ("_connection", "_judge")

    def __init__(self, connection: Connection, judge: Judge) -> None:
        self._connection = connection
        self._judge = judge

    def rows(self, statement: Statement, params: Params) -> Rows:
        with self._judged():
            return self._connection.execute(statement.core, params).fetchall()

    def run(self, statement: Statement, params: Params) -> int:
        with self._judged():
            return self._connection.execute(statement.core, params).rowcount

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        with self._judged():
            point = self._connection.begin_nested()
        try:
            yield
        except Lost:
            raise
        except BaseException:
            with self._judged():
                point.rollback()
            raise
        with self._judged():
            point.commit()

    @contextmanager
    def _judged(self) -> Iterator[None]:
        try:
            yield
        except (DBAPIError, OSError) as error:
            raise self._judge(error) from None
