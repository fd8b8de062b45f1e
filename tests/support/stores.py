"""Nouns, events and units for tests of storage."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mezite.audit.events import Event, Kind
from mezite.model.change import ChangeKind
from mezite.model.user import User
from mezite.storage.ports import Reading, Writing

NOON = datetime(2026, 3, 24, 12, 0, 0, 123456, tzinfo=UTC)


def user(number: int = 1, **fields: Any) -> User:
    plain = User(f"user_{number:04}", f"name{number:04}", ("access",), NOON, "admin")
    return replace(plain, **fields)


def event(number: int = 1, **fields: Any) -> Event:
    plain = Event(f"evt_{number:08}", NOON + timedelta(seconds=number), Kind.USER_CREATED, "admin")
    return replace(plain, **fields)


def creation(number: int) -> Callable[[Writing], User]:
    """A whole audited change: a user, its event, its line in the feed."""

    def unit(writing: Writing) -> User:
        created = writing.users.insert(user(number))
        writing.record(event(number))
        writing.changed(ChangeKind.USER, created.id)
        return created

    return unit


def recording(*events: Event) -> Callable[[Writing], None]:
    def unit(writing: Writing) -> None:
        for one in events:
            writing.record(one)

    return unit


def lines(count: int) -> Callable[[Writing], None]:
    def unit(writing: Writing) -> None:
        for number in range(count):
            writing.changed(ChangeKind.USER, f"user_{number:04}")

    return unit


def revisions(reading: Reading) -> list[int]:
    return [line.revision for line in reading.changes.after(0, limit=100_000)]
