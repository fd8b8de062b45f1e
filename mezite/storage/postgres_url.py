"""Where the PostgreSQL is, read from a setting, and what may be said of it: no user, no password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from mezite.errors import SettingsError

_DRIVERS: Final = frozenset({"postgres", "postgresql", "postgresql+asyncpg"})
_OPTIONS: Final = {"host": "host", "port": "port", "ssl": "ssl", "sslmode": "ssl"}
"""What may follow the `?`, and what the driver calls it."""
_EXAMPLE: Final = "write it like postgresql://mezite:secret@db.example.com/mezite?sslmode=verify-full"


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """`place` is for people; the URL itself holds the password and is only for the driver."""

    url: URL
    place: str


def parse(text: str) -> Address:
    """The address in a setting; the text itself is not repeated in a complaint."""
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise SettingsError([f"database.url is not an address; {_EXAMPLE}"]) from None
    if url.drivername not in _DRIVERS or not url.database:
        raise SettingsError([f"database.url does not name a PostgreSQL database; {_EXAMPLE}"])
    if unknown := url.query.keys() - _OPTIONS.keys():
        known = ", ".join(sorted(_OPTIONS))
        raise SettingsError(
            [f"database.url has the unknown option {sorted(unknown)[0]!a}; known are {known}"]
        )
    query = {_OPTIONS[name]: value for name, value in url.query.items()}
    host = url.host or query.get("host") or "this machine"
    port = url.port or query.get("port") or 5432
    return Address(
        url.set(drivername="postgresql+asyncpg", query=query),
        f"the PostgreSQL database {url.database!a} at {host}:{port}",
    )
