"""What changed, told to whoever watches. A watcher is a place in the feed, not a queue.

Each commit's lines go into a ring of the newest ones and ring every watcher's bell; a watcher then reads from
its own place: out of the ring, out of storage when it has fallen behind the ring, and when its place is no
longer kept at all it is told to read everything again. So a watcher that does not read costs one bell and
misses nothing, and a commit never waits for one.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import Final

from mezite.errors import Throttled
from mezite.model.change import Change
from mezite.storage.ports import Store

RING: Final = 10_000
BATCH: Final = 500
MOST_SEATS: Final = 16
"""Watches and tails of one identity at a time: each wake of one is a read."""
KEPT: Final = 100_000
"""Lines kept in storage; the janitor trims to this."""


@dataclass(frozen=True, slots=True)
class Reset:
    """The place asked for is no longer kept: read everything again, then go on from `revision`."""

    revision: int


@dataclass(frozen=True, slots=True)
class Here:
    """All there is has been told, up to `revision`."""

    revision: int


Line = Change | Reset | Here


class Feed:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._ring: deque[Change] = deque(maxlen=RING)
        self._bells: set[asyncio.Event] = set()
        self._seats: Counter[str] = Counter()
        store.on_change(self._heard)

    @property
    def watchers(self) -> int:
        return len(self._bells)

    def _heard(self, changes: Sequence[Change]) -> None:
        self._ring.extend(changes)
        for bell in self._bells:
            bell.set()

    async def wakes(self, *, every_s: float | None = None) -> AsyncGenerator[None, None]:
        """Once at first, then after commits (several may be one wake), and after `every_s` without any."""
        bell = asyncio.Event()
        bell.set()
        self._bells.add(bell)
        try:
            while True:
                try:
                    async with asyncio.timeout(every_s):
                        await bell.wait()
                except TimeoutError:
                    pass
                bell.clear()
                yield
        finally:
            self._bells.discard(bell)

    @contextmanager
    def seat(self, who: str) -> Iterator[None]:
        """For one watch or tail of this identity; `Throttled` beyond `MOST_SEATS`."""
        if self._seats[who] >= MOST_SEATS:
            raise Throttled(f"{MOST_SEATS} watches and tails of yours are open; end one first")
        self._seats[who] += 1
        try:
            yield
        finally:
            self._seats[who] -= 1
            if not self._seats[who]:
                del self._seats[who]

    async def watch(self, after: int | None, *, every_s: float = 15.0) -> AsyncGenerator[Line, None]:
        """Every line after `after` (None: from now on), in order, without gaps; `Here` when caught up."""
        async with aclosing(self.batches(after, every_s=every_s)) as batches:
            async for batch in batches:
                match batch:
                    case Here() | Reset():
                        yield batch
                    case _:
                        for change in batch:
                            yield change

    async def batches(
        self, after: int | None, *, every_s: float = 15.0
    ) -> AsyncGenerator[list[Change] | Reset | Here, None]:
        """The same, as many changes at once as there are, `BATCH` at most."""
        place = await self._newest() if after is None else after
        # Closed here and not by the garbage collector: a bell of nobody would ring on.
        async with aclosing(self.wakes(every_s=every_s)) as wakes:
            async for _ in wakes:
                while True:
                    batch = await self._after(place)
                    if isinstance(batch, Reset):
                        place = batch.revision
                        yield batch
                        continue
                    if batch:
                        place = batch[-1].revision
                        yield batch
                    if len(batch) < BATCH:
                        break
                yield Here(place)

    async def _newest(self) -> int:
        return (await self._store.read(lambda tx: tx.changes.span()))[1]

    async def _after(self, place: int) -> list[Change] | Reset:
        ring = self._ring
        # Only a place inside the ring: one beyond it is of other data, or heard of at another hub first.
        if ring and ring[0].revision - 1 <= place <= ring[-1].revision:
            offset = place + 1 - ring[0].revision
            return list(islice(ring, offset, offset + BATCH))
        oldest, newest = await self._store.read(lambda tx: tx.changes.span())
        if place > newest or place + 1 < oldest:
            return Reset(newest)
        return await self._store.read(lambda tx: tx.changes.after(place, limit=BATCH))
