"""A clock that a test sets. Both of its times move together, and only when told."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

START = datetime(2026, 3, 24, 10, 0, tzinfo=UTC)


class FakeClock:
    """Satisfies `mezite.clock.Clock`."""

    def __init__(self, start: datetime = START) -> None:
        self._now = start
        self._monotonic = 1_000.0

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._monotonic

    def advance(self, by: timedelta) -> None:
        """Time passes."""
        assert by >= timedelta(), "time passes forwards; somebody setting the clock is `set_wall`"
        self._now += by
        self._monotonic += by.total_seconds()

    def set_wall(self, now: datetime) -> None:
        """Somebody sets the wall clock, in either direction; the monotonic one does not notice."""
        self._now = now
