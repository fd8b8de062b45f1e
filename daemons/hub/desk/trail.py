"""The audit log as people ask for it: listed, followed, exported, verified; and its heads, signed."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing
from daemons.hub.feed import Feed
from mezite.audit.chain import Head, Record
from mezite.audit.heads import MAX_HEAD_CHARS, format_head, parse_head
from mezite.audit.verify import Report, Verifier
from mezite.errors import Invalid, TooLarge
from mezite.model.role import Verb
from mezite.storage.ports import AuditFilter, Reading, Writing

log = logging.getLogger(__name__)

BATCH: Final = 1_000
MOST_LISTED: Final = 10_000
MOST_HEADS: Final = 1_000
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

    The file is appended to and never read back by the hub but to verify: whoever can rewrite the database may
    reach the file as well, so operators ship it, or the log line, elsewhere.
    """

    desk: Desk
    path: Path

    async def sign(self) -> Head | None:
        """Signs the present end, unless it is signed already; None while the chain is empty."""

        def unit(tx: Writing) -> tuple[Head | None, bool]:
            end = tx.audit.head()
            if end is None:
                return None, False
            last = tx.audit.signed_heads(after=end.seq - 1, limit=1)
            if last:
                return last[-1], False
            head = self.desk.keyring.sign_head(end, self.desk.clock.now())
            tx.keep_head(head)
            return head, True

        head, fresh = await self.desk.store.write(unit)
        if head is not None and fresh:
            log.info("audit head %s", format_head(head))
            await self._keep_outside(format_head(head))
        return head

    async def _keep_outside(self, line: str) -> None:
        """A full disk must not end the hub: the head is in database and log, and the next one follows."""
        try:
            await asyncio.to_thread(_append, self.path, line)
        except OSError as error:
            log.error("audit head %s could not be kept in %s: %s", line, self.path, error.strerror)

    async def outside(self) -> list[Head]:
        """The heads in the file, newest last. A line that does not read is passed over."""
        lines = await asyncio.to_thread(_last_lines, self.path)
        return [head for line in lines if (head := _readable(line)) is not None]


async def verified(desk: Desk, heads: Heads, caller: Caller, given: Sequence[str]) -> Report:
    """Judges the whole chain by what is stored, by the head file, and by heads somebody kept elsewhere."""
    if len(given) > MOST_HEADS:
        raise TooLarge(f"give at most {MOST_HEADS} heads")
    outside = [parse_head(text) for text in given]
    await desk.look(caller, lambda _tx, who: who.require("audit", Verb.READ))
    verifier = Verifier(desk.keyring.audit_keys(), [*await heads.outside(), *outside])
    while await desk.look(caller, lambda tx, _who: verifier.step(tx.audit, limit=BATCH)):
        pass
    verifier.misfiled(await desk.look(caller, lambda tx, _who: tx.audit.misfiled(limit=BATCH)))
    return await asyncio.to_thread(verifier.report)


async def current_head(desk: Desk, heads: Heads, caller: Caller) -> Head | None:
    """The end of the chain, signed on the spot."""
    await desk.look(caller, lambda _tx, who: who.require("audit", Verb.READ))
    return await heads.sign()


def _append(path: Path, line: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    try:
        os.write(descriptor, line.encode() + b"\n")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _last_lines(path: Path) -> list[str]:
    """The newest heads; older ones vouch for less and are not needed to find a cut."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - MOST_HEADS * MAX_HEAD_CHARS))
        return file.read().decode("ascii", "replace").splitlines()[-MOST_HEADS:]


def _readable(line: str) -> Head | None:
    try:
        return parse_head(line)
    except Invalid:
        return None
