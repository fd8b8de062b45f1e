"""How a statement reaches an engine: all that differs between the two SQL engines below the shelves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.dialects import sqlite

from mezite.errors import MeziteError

_SQLITE: Final = sqlite.dialect(paramstyle="named")

Core = Select[Any] | Insert | Update | Delete
Params = Mapping[str, object]
Rows = Sequence[Sequence[Any]]


class Statement:
    """A Core statement, and its text for the raw `sqlite3` connection, compiled once."""

    __slots__ = ("core", "sqlite")

    def __init__(self, core: Core, *, for_sqlite: Core | None = None) -> None:
        self.core = core
        self.sqlite = str((core if for_sqlite is None else for_sqlite).compile(dialect=_SQLITE))


class Executor(Protocol):
    """One connection inside one transaction. A failure of the engine itself comes out as `Lost`."""

    def rows(self, statement: Statement, params: Params) -> Rows: ...

    def run(self, statement: Statement, params: Params) -> int:
        """How many rows it touched."""
        ...

    def savepoint(self) -> AbstractContextManager[None]:
        """What happens inside is undone if it raises."""
        ...


class Lost(BaseException):
    """The engine failed, and the transaction with it. Not an `Exception`: no unit may catch it and go on."""

    def __init__(self, error: MeziteError, *, retry: bool = False) -> None:
        super().__init__(error.message)
        self.error = error
        self.retry = retry
        """The transaction is known to have left nothing, and may go better on another connection."""
