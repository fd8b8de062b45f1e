"""The audit log as people ask for it: listed, followed, exported, verified; and its heads, signed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing
from daemons.hub.feed import Feed
from mezite.audit.chain import Head, Record
from mezite.audit.head_file import Gathered, gather
from mezite.audit.heads import format_head, is_genuine, parse_head
from mezite.audit.verify import Report, Verifier
from mezite.errors import Conflict, TooLarge
from mezite.model.role import Verb
from mezite.storage.ports import AuditFilter, Reading, Writing

log = logging.getLogger(__name__)

BATCH: Final = 1_000
MOST_LISTED: Final = 10_000
MOST_HEADS: Final = 1_000
"""Given with one call; of the hub's own file every line counts."""
LONGEST_LINE: Final = 64 * 1024
"""Of the head file, read at a time."""
LOOK_S: Final = 0.5
"""The feed rings for changes, and not every event is one: a tail also looks by itself."""


async def listed(desk: Desk, caller: Caller, which: AuditFilter, *, before: int, limit: int) -> list[Record]:
    """Newest first. One more than is shown may be asked for, to learn whether there are more."""

    def query(tx: Reading, who: Standing) -> list[Record]:
        who.require("audit", Verb.LIST)
        return tx.audit.query(which, before=before, limit=min(limit, MOST_LISTED + 1))

    return await desk.look(caller, query)


async def followed(
    desk: Desk, feed: Feed, caller: Caller, which: AuditFilter, *, after: int | None
) -> AsyncGenerator[Record, None]:
    """Every matching event after `after` (None: from this moment), oldest first, while the caller stays.

    The caller's rights are asked for again with every batch, so a lock ends a tail too.
    """

    def here(tx: Reading, who: Standing) -> int:
        who.require("audit", Verb.LIST)
        head = tx.audit.head()
        return head.seq if head else 0

    place = await desk.look(caller, here) if after is None else after

    def batch(tx: Reading, who: Standing) -> tuple[list[Record], int]:
        who.require("audit", Verb.LIST)
        head = tx.audit.head()
        return _above(tx, which, place), head.seq if head else 0

    with feed.seat(caller.key):
        async with aclosing(feed.wakes(every_s=LOOK_S)) as wakes:
            async for _ in wakes:
                while True:
                    records, end = await desk.look(caller, batch)
                    for record in records:
                        yield record
                    if len(records) < BATCH:
                        place = max(place, end)
                        break
                    place = records[-1].seq


def _above(tx: Reading, which: AuditFilter, place: int) -> list[Record]:
    """The next matches, oldest first. A query cannot start above nothing: event 1 is asked for by itself."""
    first = tx.audit.query(which, before=2, limit=1) if place == 0 else []
    return [*first, *tx.audit.query(which, after=max(place, 1), limit=BATCH - len(first))]


async def exported(desk: Desk, caller: Caller, *, after: int) -> AsyncGenerator[Record | Head, None]:
    """The raw chain in order, then every signed head from there on."""

    def records(tx: Reading, who: Standing) -> list[Record]:
        who.require("audit", Verb.READ)
        return tx.audit.records(after=place, limit=BATCH)

    place = after
    while rows := await desk.look(caller, records):
        for row in rows:
            yield row
        place = rows[-1].seq

    def heads(tx: Reading, who: Standing) -> list[Head]:
        who.require("audit", Verb.READ)
        return tx.audit.signed_heads(after=place, limit=BATCH)

    place = after
    while marks := await desk.look(caller, heads):
        for mark in marks:
            yield mark
        place = marks[-1].seq


@dataclass(slots=True)
class Heads:
    """Signs the end of the chain, and keeps each signed head outside the database too.

    A log that does not hold the highest head outside is signed no more: a fresh head over it would vouch for
    whoever cut it. Whoever can rewrite the database may reach the file as well, so operators ship it, or the
    log line, elsewhere.
    """

    desk: Desk
    path: Path
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One at a time, so that the lines of the file rise as the heads do."""
    _highest: Head | None = None
    _read: bool = False

    async def sign(self) -> Head | None:
        """As `signed`; a log that must not be signed is said, and none is signed."""
        try:
            return await self.signed()
        except Conflict as refusal:
            log.error("%s", refusal)
            return None

    async def signed(self) -> Head | None:
        """Signs the present end, unless it is signed already; None while the chain is empty."""
        async with self._turn:
            await self._recall()
            head, fresh = await self.desk.store.write(self._sign)
            if head is not None and (self._highest is None or head.seq > self._highest.seq):
                self._highest = head
            if head is not None and fresh:
                log.info("audit head %s", format_head(head))
                await self._keep_outside(format_head(head))
            return head

    def _sign(self, tx: Writing) -> tuple[Head | None, bool]:
        known = self._highest
        if known is not None:
            held = tx.audit.records(after=known.seq - 1, limit=1)
            if not held or (held[0].seq, held[0].hash) != (known.seq, known.hash):
                raise Conflict(
                    f"the audit log does not hold event {known.seq} as a head outside names it, so it is not "
                    "signed; run `mezctl audit verify`"
                )
        end = tx.audit.head()
        if end is None:
            return None, False
        last = tx.audit.signed_heads(after=end.seq - 1, limit=1)
        if last:
            return last[-1], False
        head = self.desk.keyring.sign_head(end, self.desk.clock.now())
        tx.keep_head(head)
        return head, True

    async def _recall(self) -> None:
        """The highest head of ours in the file, once a start."""
        if self._read:
            return
        heads = (await self.outside()).heads
        keys = self.desk.keyring.audit_keys()
        rising = sorted(heads, key=lambda head: head.seq)
        self._highest = next((head for head in reversed(rising) if is_genuine(head, keys)), None)
        self._read = True

    async def _keep_outside(self, line: str) -> None:
        """A full disk must not end the hub: the head is in database and log, and the next one follows."""
        try:
            await asyncio.to_thread(_append, self.path, line)
        except OSError as error:
            log.error("audit head %s could not be kept in %s: %s", line, self.path, error.strerror)

    async def outside(self) -> Gathered:
        """All heads in the file; none when it is not there or cannot be read, which verification says."""
        try:
            return await asyncio.to_thread(_gathered, self.path)
        except FileNotFoundError:
            return Gathered((), None)
        except OSError as error:
            log.error("the audit heads in %s cannot be read: %s", self.path, error.strerror)
            return Gathered((), None)


async def verified(desk: Desk, heads: Heads, caller: Caller, given: Sequence[str]) -> Report:
    """Judges the whole chain by what is stored, by the head file, and by heads somebody kept elsewhere."""
    if len(given) > MOST_HEADS:
        raise TooLarge(f"give at most {MOST_HEADS} heads")
    outside = [parse_head(text) for text in given]
    await desk.look(caller, lambda _tx, who: who.require("audit", Verb.READ))
    kept = await heads.outside()
    # Off the loop: a year of heads is half a minute of signatures.
    verifier = await asyncio.to_thread(Verifier, desk.keyring.audit_keys(), (*kept.heads, *outside))
    while await desk.look(caller, lambda tx, _who: verifier.step(tx.audit, limit=BATCH)):
        pass
    verifier.misfiled(await desk.look(caller, lambda tx, _who: tx.audit.misfiled(limit=BATCH)))
    if kept.fall:
        verifier.fell(kept.fall)
    return await asyncio.to_thread(verifier.report)


async def current_head(desk: Desk, heads: Heads, caller: Caller) -> Head | None:
    """The end of the chain, signed on the spot."""
    await desk.look(caller, lambda _tx, who: who.require("audit", Verb.READ))
    return await heads.signed()


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _gathered(path: Path) -> Gathered:
    with path.open(encoding="ascii", errors="replace") as file:
        return gather(iter(partial(file.readline, LONGEST_LINE), ""))
