"""When a chunk is full: events gathered until there are enough bytes, or the first has waited long enough.

Pure: every time is given. The age limit is half of the promise that a killed process loses at most its last
second; the other half is the spool's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from recordings.events import Event, Marker, Output

CHUNK_BYTES: Final = 64 * 1024
"""Output in one chunk. A seek replays at most this much into a screen, so it bounds the time of a jump."""
CHUNK_AGE_US: Final = 400_000
CHUNK_EVENTS: Final = 4096
_EVENT_COST: Final = 16


@dataclass(frozen=True, slots=True)
class Limits:
    """How much, and how long, a batch may hold."""

    size: int = CHUNK_BYTES
    age_us: int = CHUNK_AGE_US
    events: int = CHUNK_EVENTS


class Batch:
    """Events waiting to become a chunk."""

    __slots__ = ("_events", "_limits", "_size")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._events: list[Event] = []
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._events)

    @property
    def is_full(self) -> bool:
        return self._size >= self._limits.size or len(self._events) >= self._limits.events

    @property
    def due_at_us(self) -> int | None:
        """When the first event will have waited long enough; None when there is none."""
        return self._events[0].at_us + self._limits.age_us if self._events else None

    def add(self, event: Event) -> None:
        self._events.append(event)
        self._size += cost_of(event)

    def take(self) -> list[Event]:
        """Everything gathered, in order; the batch is empty afterwards."""
        taken, self._events, self._size = self._events, [], 0
        return taken


def cost_of(event: Event) -> int:
    """About how many bytes an event occupies in memory and in a chunk."""
    match event:
        case Output(data=data):
            return _EVENT_COST + len(data)
        case Marker(text=text):
            return _EVENT_COST + len(text)
        case _:
            return _EVENT_COST
