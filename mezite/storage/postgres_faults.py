"""What a failure of PostgreSQL means: whose fault, whether to try again, and the one line that says so.

Only the SQLSTATE is told: the server's own words repeat values, and the driver's repeat statements.
"""

from __future__ import annotations

from typing import Final

import asyncpg
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from mezite.errors import Damaged, Invalid, Unavailable
from mezite.storage.executor import Lost, unfit

_OF_THE_UNIT: Final = ("22", "23")
"""Data and integrity errors: the unit sent something impossible, the connection is well."""
_PASSING: Final = ("08", "40", "57P", "25P03")
"""Connection lost, transaction rolled back by the server, server stopping or starting: nothing is left."""
_UNDONE: Final = ("40", "23")
_BROKEN: Final = ("XX001", "XX002")
_ADVICE: Final = {
    "28": "it refuses our user or password; check database.url",
    "3D": "there is no such database; create it",
    "42501": "our user may not; make it the owner of the database",
    "42": "its tables are not ours as we left them; restore a backup",
    "53100": "its disk is full; free some space",
    "53": "it has no room for us; check max_connections, memory and disk",
    "55P03": "another hub does not let go of it; try again",
    "57014": "it took too long; try again",
    "57P": "it is being stopped or started; try again soon",
}

DRIVER_FAULTS: Final = (DBAPIError, OSError, PoolTimeout, asyncpg.PostgresError, asyncpg.InterfaceError)
"""All that comes out of a connection, or of the attempt to get one. (A time-out is an OSError.)"""


def judge(error: BaseException, place: str) -> Lost | Invalid:
    if isinstance(error, PoolTimeout):
        return Lost(Unavailable(f"too many reads of {place} at once; try again"))
    state = sqlstate(error)
    if state.startswith(_OF_THE_UNIT):
        return unfit()
    if state in _BROKEN:
        return Lost(Damaged(f"{place} reports damaged data ({state}); restore a backup"))
    lost = is_connection_lost(error)
    advice = next((words for begin, words in _ADVICE.items() if state.startswith(begin)), "")
    if not advice:
        advice = "it cannot be reached; check that it runs" if lost else "it does not answer as it should"
    named = f" ({state})" if state else ""
    retry = lost or state.startswith(_PASSING)
    return Lost(Unavailable(f"{place}: {advice}{named}"), retry=retry)


def is_undone(error: BaseException) -> bool:
    """Whether the answer to a COMMIT is certain that nothing was kept. (57P01 may come after the fact.)"""
    return sqlstate(error).startswith(_UNDONE)


def is_connection_lost(error: BaseException) -> bool:
    if isinstance(error, OSError | asyncpg.InterfaceError | InterfaceError):
        return True
    return isinstance(error, DBAPIError) and error.connection_invalidated


def sqlstate(error: BaseException) -> str:
    """Empty when the failure is not the server's word."""
    source = error.orig if isinstance(error, DBAPIError) else error
    return str(getattr(source, "sqlstate", None) or "")
