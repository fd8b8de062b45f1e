"""Addresses of PostgreSQL: every way people write them, and nothing of the secret in what is said."""

from __future__ import annotations

import pytest

from mezite.storage.postgres_url import parse


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("postgresql://u:hunter2@db.example.com/mezite", "at db.example.com:5432"),
        ("postgres://u:hunter2@db.example.com:6000/mezite?sslmode=verify-full", "at db.example.com:6000"),
        ("postgresql+asyncpg://u:hunter2@/mezite?host=/run/pg&port=6001", "at /run/pg:6001"),
        ("postgresql:///mezite", "at this machine:5432"),
    ],
)
def test_places(text: str, place: str) -> None:
    address = parse(text)
    assert address.place == f"the PostgreSQL database 'mezite' {place}"
    assert address.url.drivername == "postgresql+asyncpg"
    assert "hunter2" not in repr(address)
    assert "hunter2" not in str(address)


def test_sslmode_is_what_the_driver_calls_ssl() -> None:
    assert parse("postgresql://u@h/db?sslmode=require").url.query == {"ssl": "require"}
