"""Where the chain and the feed end, and what the next link looks like as a row. Pure; all engines file alike.

An event's own time does not always rise with its number: hubs' clocks differ, nodes report late. So that a
span of time is still found by number, without sorting a million rows, each record also keeps the highest
time up to it, and the end of the chain keeps the widest lag of any event behind that mark. Then

    time >= T   implies   highest >= T                    (the first such number begins the search)
    time <  T   implies   highest <  T + widest lag       (the first number beyond ends it)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mezite.audit import body as bodies
from mezite.audit.chain import GENESIS, Head, Record, link
from mezite.audit.events import Event
from mezite.clock import from_us, to_us
from mezite.errors import Damaged
from mezite.storage.shelves import indexable


@dataclass(frozen=True, slots=True)
class Ends:
    seq: int = 0
    hash: bytes = GENESIS
    time_us: int = 0
    highest_us: int = 0
    widest_lag_us: int = 0
    feed: int = 0
    """The newest revision of the feed, though its line may be trimmed."""

    def head(self) -> Head | None:
        return Head(self.seq, self.hash, from_us(self.time_us)) if self.seq else None


COLUMNS: Final = ("id", "time_us", "type", "code", "user", "node", "session_id", "request_id")
"""What a record is found by, in the order of `columns_of`."""


@dataclass(frozen=True, slots=True)
class Filed:
    """A record as a row: the link, what it is found by, and the highest time so far."""

    record: Record
    columns: tuple[str | int, ...]
    highest_us: int


def columns_of(body: str) -> tuple[str | int, ...]:
    """What the body says its columns are."""
    event = bodies.decode(body)
    texts = (event.type, event.code, event.user, event.node, event.session_id, event.request_id)
    return (indexable(event.id), to_us(event.time), *map(indexable, texts))


def file(ends: Ends, event: Event) -> tuple[Filed, Ends]:
    """The row that `event` becomes at this end of the chain, and the end after it."""
    body = bodies.encode(event)
    record = link(ends.hash, ends.seq + 1, body)
    # From the body, which may have been cut to size, so that columns and body can never differ.
    columns = columns_of(body)
    time_us = to_us(event.time)
    highest_us = max(ends.highest_us, time_us)
    after = Ends(
        seq=record.seq,
        hash=record.hash,
        time_us=time_us,
        highest_us=highest_us,
        widest_lag_us=max(ends.widest_lag_us, highest_us - time_us),
        feed=ends.feed,
    )
    return Filed(record, columns, highest_us), after


def is_misfiled(body: str, columns: tuple[str | int, ...], highest_us: int, highest_before_us: int) -> bool:
    """Whether a search by these columns would miss the record, or find it where it does not belong."""
    try:
        told = columns_of(body)
    except Damaged:
        return True
    return told != columns or highest_us != max(highest_before_us, int(told[1]))
