"""The audit trail on every engine: the chain in commit order, filters, pages, and rows that are misfiled."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from mezite.audit.body import decode
from mezite.audit.chain import GENESIS, Head, Record, link
from mezite.audit.events import Event, Kind
from mezite.errors import TooLarge
from mezite.storage.ports import AuditFilter, Store
from tests.support.stores import NOON, creation, event, recording

SECOND = timedelta(seconds=1)


def seqs(records: list[Record]) -> list[int]:
    return [record.seq for record in records]


async def search(
    store: Store, which: AuditFilter, *, before: int = 0, after: int = 0, limit: int = 100
) -> list[int]:
    return seqs(await store.read(lambda r: r.audit.query(which, before=before, after=after, limit=limit)))


async def test_an_empty_trail_has_no_head(store: Store) -> None:
    assert await store.read(lambda r: r.audit.head()) is None
    assert await store.read(lambda r: r.audit.records(after=0, limit=9)) == []
    assert await search(store, AuditFilter(types=("user.*",), since=NOON, until=NOON + SECOND)) == []


async def test_records_are_chained_in_commit_order(store: Store) -> None:
    await asyncio.gather(*(store.write(creation(number)) for number in range(1, 80)))
    await store.write(recording(event(100), event(101)))
    records = await store.read(lambda r: r.audit.records(after=0, limit=1000))

    digest, links = GENESIS, []
    for seq, record in enumerate(records, 1):
        links.append(link(digest, seq, record.body))
        digest = links[-1].hash
    assert records == links
    assert [decode(record.body) for record in records[-2:]] == [event(100), event(101)]
    assert await store.read(lambda r: r.audit.head()) == Head(81, digest, event(101).time)
    assert seqs(await store.read(lambda r: r.audit.records(after=79, limit=1))) == [80]


async def test_signed_heads_are_kept(store: Store) -> None:
    await store.write(creation(1))
    head = await store.read(lambda r: r.audit.head())
    assert head is not None
    first = replace(head, key_id="ca_1", signature=b"one")
    other = replace(head, key_id="ca_2", signature=b"two")
    later = Head(5, b"\xff" * 32, NOON, "ca_1", b"three")
    for one in (first, other, later):
        await store.write(lambda w, h=one: w.keep_head(h))
    # What was signed first stands.
    await store.write(lambda w: w.keep_head(replace(first, signature=b"again")))
    assert await store.read(lambda r: r.audit.signed_heads(limit=9)) == [first, other, later]
    assert await store.read(lambda r: r.audit.signed_heads(after=1, limit=9)) == [later]
    assert await store.read(lambda r: r.audit.signed_heads(limit=1)) == [first]


STORY = (
    event(1, kind=Kind.USER_LOGIN, user="alice"),
    event(2, kind=Kind.USER_LOGIN_FAILED, user="bob"),
    event(3, kind=Kind.SESSION_START, user="alice", node="web-1", session_id="s-1"),
    event(4, kind=Kind.ROLE_CREATED, user="admin"),
    event(5, kind=Kind.SESSION_START, user="bob", node="db-1", session_id="s-2", request_id="req_1"),
    event(6, kind=Kind.USER_LOGOUT, user="alice"),
    event(7, kind=Kind.LOCK_CREATED, user="admin", request_id="req_1"),
)


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        (AuditFilter(), [7, 6, 5, 4, 3, 2, 1]),
        (AuditFilter(types=("user.login",)), [1]),
        (AuditFilter(types=("user.login*",)), [2, 1]),
        (AuditFilter(types=("user.*", "lock.created")), [7, 6, 2, 1]),
        (AuditFilter(types=("user.*", "user.login", "*.created")), [6, 2, 1]),
        (AuditFilter(types=("*",), user="bob"), [5, 2]),
        (AuditFilter(types=("nothing.like.it",)), []),
        (AuditFilter(types=("zzz*",)), []),
        (AuditFilter(user="alice"), [6, 3, 1]),
        (AuditFilter(user="alice", types=("session.*",)), [3]),
        (AuditFilter(node="db-1"), [5]),
        (AuditFilter(session_id="s-1"), [3]),
        (AuditFilter(request_id="req_1"), [7, 5]),
        (AuditFilter(request_id="req_1", user="admin"), [7]),
        (AuditFilter(user="alice", node="db-1"), []),
        (AuditFilter(since=event(3).time), [7, 6, 5, 4, 3]),
        (AuditFilter(until=event(3).time), [2, 1]),
        (AuditFilter(since=event(3).time, until=event(5).time), [4, 3]),
        (AuditFilter(since=event(9).time), []),
        (AuditFilter(until=NOON), []),
        (AuditFilter(user="alice", since=event(2).time, until=event(6).time), [3]),
        (AuditFilter(user="Alice"), []),
        (AuditFilter(user="ali%"), []),
    ],
    ids=str,
)
async def test_filters(store: Store, which: AuditFilter, expected: list[int]) -> None:
    await store.write(recording(*STORY))
    assert await search(store, which) == expected
    assert await search(store, which, after=1) == sorted(set(expected) - {1})
    assert await search(store, which, limit=1) == expected[:1]
    assert await search(store, which, before=5) == [seq for seq in expected if seq < 5]


async def test_pages_cover_everything_once_in_both_directions(store: Store) -> None:
    kinds = (Kind.USER_CREATED, Kind.USER_DELETED, Kind.ROLE_CREATED, Kind.LOCK_CREATED)
    await store.write(recording(*(event(number, kind=kinds[number % 4]) for number in range(1, 91))))
    which = AuditFilter(types=("user.*", "lock.*"))
    expected = [number for number in range(1, 91) if number % 4 != 2]

    newest: list[int] = []
    while page := await search(store, which, before=newest[-1] if newest else 0, limit=7):
        newest += page
    assert newest == expected[::-1]

    oldest = [1]
    while page := await search(store, which, after=oldest[-1], limit=7):
        oldest += page
    assert oldest == expected


@pytest.mark.parametrize("seed", range(6))
async def test_times_that_do_not_rise_are_found_all_the_same(store: Store, seed: int) -> None:
    """Clocks differ and nodes report late: a search by time must not take numbers for times."""
    chance = random.Random(seed)
    spread = chance.choice([1, 20, 10_000])
    times = [NOON + SECOND * (number + chance.randint(-spread, spread)) for number in range(1, 60)]
    await store.write(recording(*(event(n, time=time, user=f"u{n % 3}") for n, time in enumerate(times, 1))))

    def expected(which: AuditFilter) -> list[int]:
        def holds(number: int, time: datetime) -> bool:
            return (
                (which.since is None or time >= which.since)
                and (which.until is None or time < which.until)
                and which.user in ("", f"u{number % 3}")
            )

        return [n for n in range(59, 0, -1) if holds(n, times[n - 1])]

    for _ in range(12):
        first, last = sorted(chance.sample(times, 2))
        user = chance.choice(["", "u1"])
        for which in (
            AuditFilter(since=first, user=user),
            AuditFilter(until=first, user=user),
            AuditFilter(since=first, until=last, user=user),
        ):
            assert await search(store, which) == expected(which), which


@pytest.mark.parametrize("text", ["nul\0byte", "\ud800", "x" * 5000, "☃" * 300, "\x1b[2J"])
async def test_any_text_is_recorded_and_found(store: Store, text: str) -> None:
    """What an outsider typed as a name is evidence: no engine may refuse it, or file it out of reach."""
    await store.write(recording(event(1, user=text, node=text, session_id=text, request_id=text, id=text)))
    for which in (
        AuditFilter(user=text),
        AuditFilter(node=text, session_id=text),
        AuditFilter(request_id=text, types=("user.created",)),
    ):
        assert await search(store, which) == [1]
    assert await store.read(lambda r: r.audit.misfiled(limit=9)) == []


async def test_an_event_too_large_to_keep_whole_is_filed_as_it_is_kept(store: Store) -> None:
    huge = {f"field-{number}": "x" * 4000 for number in range(40)}
    await store.write(recording(event(1, user="y" * 300, details=huge)))
    assert await store.read(lambda r: r.audit.misfiled(limit=9)) == []


async def test_nothing_is_misfiled(store: Store) -> None:
    def some(number: int) -> Event:
        return event(number, time=NOON + SECOND * (number % 7), user=f"u{number}", node="n")

    for start in range(0, 600, 200):
        await store.write(recording(*(some(number) for number in range(start, start + 200))))
    assert await store.read(lambda r: r.audit.misfiled(limit=9)) == []


async def test_too_many_patterns_are_refused(store: Store) -> None:
    with pytest.raises(TooLarge):
        await search(store, AuditFilter(types=tuple(f"type.{number}" for number in range(65))))


async def test_searching_inside_a_unit_sees_what_it_recorded(store: Store) -> None:
    await store.write(creation(1))
    late = event(2, time=NOON - timedelta(days=1))
    which = AuditFilter(until=NOON)
    found: Callable[..., list[int]] = lambda w: (w.record(late), seqs(w.audit.query(which, limit=9)))[1]  # noqa: E731
    assert await store.write(found) == [2]
