"""What a hub does by the clock, whether or not anybody asks: nothing here decides, and nothing waits for it.

Rights that end, end by being asked for (`who`, `certs`), never because a sweep ran.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

from daemons.health import Check
from daemons.hub.desk import connections
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.nodes import online_ids
from daemons.hub.desk.trail import Heads
from daemons.hub.feed import KEPT, Feed
from daemons.hub.metrics import Metrics
from daemons.hub.server_tls import ServerTls
from daemons.lifecycle import Start
from mezite.audit.events import Kind
from mezite.errors import MeziteError
from mezite.storage.ports import Reading, Store, Writing

log = logging.getLogger(__name__)

COUNT_S: Final = 10.0
HEAD_S: Final = 60.0
SWEEP_S: Final = 300.0


@asynccontextmanager
async def chores(
    desk: Desk, feed: Feed, heads: Heads, server_tls: ServerTls, metrics: Metrics, start: Start
) -> AsyncIterator[None]:
    """Starts them all; on leaving, the last one is done: the stop is written down and the head signed."""
    metrics.gauge(
        "mezite_feed_watchers", "Open watches of the feed and tails of the log", lambda: feed.watchers
    )
    await desk.store.write(
        lambda tx: tx.record(desk.event(Kind.HUB_STARTED, user="system", resource=desk.hub_id))
    )
    await heads.sign()

    async def renew_tls() -> None:
        server_tls.pair()

    for name, every_s, chore in (
        ("count", COUNT_S, lambda: _count(desk, metrics)),
        ("sign head", HEAD_S, heads.sign),
        ("sweep", SWEEP_S, lambda: _sweep(desk)),
        ("renew tls", SWEEP_S, renew_tls),
    ):
        start(_every(every_s, name, chore), name=f"janitor {name}")
    try:
        yield
    finally:
        await desk.store.write(
            lambda tx: tx.record(desk.event(Kind.HUB_STOPPED, user="system", resource=desk.hub_id))
        )
        await heads.sign()


async def _every(seconds: float, name: str, chore: Callable[[], Awaitable[object]]) -> None:
    """A chore that fails is said and tried again: a database away, or a full disk, must not end the hub."""
    while True:
        try:
            await chore()
        except (MeziteError, OSError) as error:
            log.warning("%s: %s", name, error)
        await asyncio.sleep(seconds)


async def _count(desk: Desk, metrics: Metrics) -> None:
    def query(tx: Reading) -> tuple[int, int]:
        head = tx.audit.head()
        return len(online_ids(tx, desk.clock.now())), head.seq if head else 0

    online, events = await desk.store.read(query)
    metrics.nodes_online.set(online)
    metrics.audit_events.set(events)


async def _sweep(desk: Desk) -> None:
    """Forgets what has ended and can no longer be asked for."""

    def unit(tx: Writing) -> None:
        now = desk.clock.now()
        for enrolment in tx.enrolments.all():
            if enrolment.expires_at <= now:
                tx.enrolments.delete(enrolment)
        for token in tx.access_tokens.all():
            if token.expires_at <= now:
                tx.access_tokens.delete(token)
        connections.sweep(tx, now)
        tx.trim_changes(keep=KEPT)

    await desk.store.write(unit)


def database_answers(store: Store) -> Check:
    async def check() -> None:
        await store.read(lambda tx: tx.hub_pulses.count())

    return check
