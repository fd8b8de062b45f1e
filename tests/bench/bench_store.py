"""The embedded store: audited changes a second with 64 callers, and searches among a million events.

    python tests/bench/bench_store.py [EVENTS]

The peer, in the same run and on the same disk, is the plain way: one SQLAlchemy transaction on aiosqlite per
change, with the same rows, the same hashing and the same durability. Callers of both wait for their commit.
"""

from __future__ import annotations

import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from statistics import median, quantiles

from sqlalchemy import event as on
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from mezite.audit.events import Event, Kind
from mezite.clock import SystemClock
from mezite.model.change import ChangeKind
from mezite.model.user import User
from mezite.storage import sqlite_writer
from mezite.storage.core_executor import CoreExecutor
from mezite.storage.datadir import DATABASE
from mezite.storage.executor import Lost
from mezite.storage.ports import AuditFilter, Store, Writing
from mezite.storage.sql_trail import stored_ends
from mezite.storage.sql_view import SqlWriting
from mezite.storage.sqlite import migrated, open_sqlite
from tests.support.stores import NOON, event, user

EVENTS = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
CALLERS = 64
CHANGES = 6_000
ROUNDS = 5
SEARCHES = 300
CLOCK = SystemClock()

Write = Callable[[Callable[[Writing], User]], Awaitable[User]]


def change(number: int, seen: User) -> Callable[[Writing], User]:
    """What most administrative acts are: compare-and-set of one row, one event, one line of the feed."""

    def unit(writing: Writing) -> User:
        changed = writing.users.replace(replace(seen, created_by=str(number)))
        writing.record(event(number, id=f"evt_{CLOCK.monotonic():.9f}_{number}", time=CLOCK.now()))
        writing.changed(ChangeKind.USER, changed.id)
        return changed

    return unit


async def changes_per_second(write: Write, count: int) -> float:
    numbers = iter(range(count))
    rows = [await write(lambda w, n=n: _first(w, n)) for n in range(CALLERS)]

    async def caller(row: User) -> None:
        for number in numbers:
            row = await write(change(number, row))

    begun = time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for row in rows:
            tasks.create_task(caller(row))
    return count / (time.perf_counter() - begun)


def _first(writing: Writing, number: int) -> User:
    return writing.users.get(user(number).id) or writing.users.insert(user(number))


def naive(database: Path) -> tuple[AsyncEngine, Write]:
    """One transaction per change, one writer at a time, `BEGIN IMMEDIATE`."""
    migrated(database, "bench")
    engine = create_async_engine(f"sqlite+aiosqlite:///{database}")

    @on.listens_for(engine.sync_engine, "connect")
    def _connected(connection: object, _record: object) -> None:
        connection.isolation_level = None  # type: ignore[attr-defined]
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for setting in sqlite_writer._SETTINGS:
            cursor.execute(setting)
        cursor.close()

    @on.listens_for(engine.sync_engine, "begin")
    def _begun(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    turn = asyncio.Lock()

    async def write(unit: Callable[[Writing], User]) -> User:
        async with turn, engine.begin() as connection:

            def run(inner: object) -> User:
                executor = CoreExecutor(inner, Lost)  # type: ignore[arg-type]
                writing = SqlWriting(executor, CLOCK)
                writing.begin(stored_ends(executor))
                answer = unit(writing)
                writing.finish()
                return answer

            return await connection.run_sync(run)

    return engine, write


async def compare_writes(directory: Path) -> None:
    engine, plainly = naive(directory / "naive.db")
    ours: list[float] = []
    theirs: list[float] = []
    async with open_sqlite(directory / "ours", CLOCK) as store:
        for _ in range(ROUNDS):
            ours.append(await changes_per_second(store.write, CHANGES))
            theirs.append(await changes_per_second(plainly, CHANGES // 10))
    await engine.dispose()
    print(f"audited changes/s, {CALLERS} callers, synchronous=FULL; median of {ROUNDS} (least-most)")
    for name, rates in (("store, group commit", ours), ("SQLAlchemy + aiosqlite", theirs)):
        print(f"  {name:28} {median(rates):8.0f}  ({min(rates):.0f}-{max(rates):.0f})")
    print(f"  {'ratio':28} {median(ours) / median(theirs):8.1f}  (target: at least 3000 changes/s)")


KINDS = tuple(Kind)


def story(number: int, chance: random.Random) -> Event:
    """Uneven, as logs are: a robot makes a third of it, some kinds are rare, times step back a little."""
    common = chance.random() < 0.9
    return Event(
        f"evt_{number:012}",
        NOON + timedelta(seconds=number * 3 + chance.uniform(-2, 2)),
        chance.choice(KINDS[:6]) if common else chance.choice(KINDS),
        "robot" if chance.random() < 0.33 else f"user{chance.randrange(500)}",
        node=f"node-{chance.randrange(2000)}" if chance.random() < 0.5 else "",
        session_id=f"s-{chance.randrange(100_000)}" if chance.random() < 0.5 else "",
        request_id=f"req_{chance.randrange(50_000)}" if chance.random() < 0.2 else "",
        client_ip="10.0.0.1",
        reason="rolling out the hotfix",
    )


async def fill(store: Store) -> None:
    chance = random.Random(7)
    for start in range(0, EVENTS, 5_000):
        events = [story(number, chance) for number in range(start, min(start + 5_000, EVENTS))]
        await store.write(lambda w, e=events: [w.record(one) for one in e])


def questions(chance: random.Random) -> dict[str, Callable[[], tuple[AuditFilter, int]]]:
    def moment() -> timedelta:
        return timedelta(seconds=chance.randrange(EVENTS) * 3)

    def someone() -> str:
        return chance.choice(["robot", f"user{chance.randrange(500)}"])

    day = timedelta(days=1)

    def anywhere() -> int:
        return chance.randrange(2, EVENTS)

    return {
        "newest": lambda: (AuditFilter(), 0),
        "page deep inside": lambda: (AuditFilter(), anywhere()),
        "user": lambda: (AuditFilter(user=someone()), 0),
        "user, deep inside": lambda: (AuditFilter(user=someone()), anywhere()),
        "kind, rare or common": lambda: (AuditFilter(types=(chance.choice(KINDS).type,)), 0),
        "user and kind": lambda: (AuditFilter(types=(chance.choice(KINDS).type,), user=someone()), 0),
        "many kinds (user.*)": lambda: (AuditFilter(types=("user.*", "mfa.*")), anywhere()),
        "node": lambda: (AuditFilter(node=f"node-{chance.randrange(2000)}"), 0),
        "user and node": lambda: (AuditFilter(user=someone(), node=f"node-{chance.randrange(2000)}"), 0),
        "session": lambda: (AuditFilter(session_id=f"s-{chance.randrange(100_000)}"), 0),
        "nobody by that name": lambda: (AuditFilter(user="nobody"), 0),
        "since the last day": lambda: (AuditFilter(since=NOON + timedelta(seconds=EVENTS * 3) - day), 0),
        "until long ago": lambda: (AuditFilter(until=NOON + moment()), 0),
        "one day, one user": lambda: (
            AuditFilter(since=(at := NOON + moment()), until=at + day, user=someone()), 0),
        "one day, one rare kind": lambda: (
            AuditFilter(since=(at := NOON + moment()), until=at + day, types=("authority.exported",)), 0),
    }  # fmt: skip


async def search(directory: Path) -> None:
    async with open_sqlite(directory / "log", CLOCK) as store:
        begun = time.perf_counter()
        await fill(store)
        print(f"\n{EVENTS} events recorded and chained in {time.perf_counter() - begun:.0f} s, "
              f"{(directory / 'log' / DATABASE).stat().st_size / 1e6:.0f} MB")  # fmt: skip
        print(f"audit query, 50 records, {SEARCHES} of each, on a read-only connection; ms")
        chance = random.Random(11)
        everything: list[float] = []
        for name, ask in questions(chance).items():
            times: list[float] = []
            for _ in range(SEARCHES):
                which, before = ask()
                begun = time.perf_counter()
                await store.read(lambda r, w=which, b=before: r.audit.query(w, before=b, limit=50))
                times.append((time.perf_counter() - begun) * 1000)
            everything += times
            print(f"  {name:28} p50 {median(times):7.2f}   p99 {p99(times):7.2f}   max {max(times):7.2f}")
        overall = f"p50 {median(everything):7.2f}   p99 {p99(everything):7.2f}"
        print(f"  {'all':28} {overall}   (target: p99 at most 100)")


def p99(times: list[float]) -> float:
    return quantiles(times, n=100)[98]


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="mezite-bench-") as directory:
        await compare_writes(Path(directory))
        await search(Path(directory))


if __name__ == "__main__":
    asyncio.run(main())
