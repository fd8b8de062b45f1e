"""What went wrong with the embedded database, in one line that says what to do. No statement, no value."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from mezite.errors import Damaged, MeziteError, Unavailable

_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_ADVICE: Final = {
    sqlite3.SQLITE_FULL: "the disk is full; free some space",
    sqlite3.SQLITE_READONLY: "it is read-only; check the owner and the mount",
    sqlite3.SQLITE_CANTOPEN: "it cannot be opened; check that it is there and who owns it",
    sqlite3.SQLITE_PERM: "it cannot be opened; check who owns it",
    sqlite3.SQLITE_BUSY: "another program holds it locked; close that program",
    sqlite3.SQLITE_LOCKED: "another program holds it locked; close that program",
    sqlite3.SQLITE_IOERR: "the disk does not read or write; check it",
}


def told(error: BaseException | None, place: Path) -> MeziteError:
    """The error for whoever asked, about the database in the directory `place`."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
    if code in _DAMAGE:
        return Damaged(f"the database in {place} is damaged; restore a backup")
    name = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
    return Unavailable(
        f"the database in {place}: {_ADVICE.get(code, 'it does not answer as it should')} ({name})"
    )
