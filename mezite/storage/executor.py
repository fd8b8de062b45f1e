"""How a statement reaches an engine: all that differs between the two SQL engines below the shelves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import cached_property
from typing import Any, Final, Protocol

from sqlalchemy import Delete, Insert, Select, TextClause, Update
from sqlalchemy.dialects import sqlite

from mezite.errors import Invalid, MeziteError

_SQLITE: Final = sqlite.dialect(paramstyle="named")

Core = Select[Any] | Insert | Update | Delete | TextClause
Params = Mapping[str, object]
Rows = Sequence[Sequence[Any]]


class Statement:
    """A Core statement, and its text for the raw `sqlite3` connection, compiled once."""

    def __init__(self, core: Core, *, for_sqlite: Core | None = None) -> None:
        self.core = core
        self._for_sqlite = core if for_sqlite is None else for_sqlite

    @cached_property
    def sqlite(self) -> str:
        return str(self._for_sqlite.compile(dialect=_SQLITE))


class Executor(Protocol):
    """One connection inside one transaction.

    A failure of the engine itself comes out as `Lost`; a value the database cannot hold as `Invalid`, which
    undoes the unit that sent it and nothing else.
    """

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


def unfit() -> Invalid:
    return Invalid("a value is too large or too odd to be stored; nothing was changed")
