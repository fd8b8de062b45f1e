"""Units: whole or not at all, one after the other, told when true; and what a caller who leaves costs."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest

from mezite.errors import Exists, Invalid, Stale
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.model.user import User
from mezite.storage.ports import Reading, Store, Writing
from tests.support.stores import NOON, creation, event, lines, revisions, user


def everything(reading: Reading) -> tuple[object, ...]:
    return (
        reading.users.all(),
        reading.audit.records(after=0, limit=1000),
        reading.audit.head(),
        reading.changes.after(0, limit=1000),
        reading.changes.span(),
        reading.audit.signed_heads(limit=1000),
    )


async def test_a_unit_returns_what_it_returns(store: Store) -> None:
    assert await store.write(lambda _: "answer") == "answer"
    assert await store.write(lambda _: None) is None


async def test_a_unit_sees_its_own_changes(store: Store) -> None:
    def unit(writing: Writing) -> None:
        created = creation(1)(writing)
        assert writing.users.get(created.id) == created
        head = writing.audit.head()
        assert head is not None
        assert [record.seq for record in writing.audit.records(after=0, limit=9)] == [head.seq] == [1]
        assert revisions(writing) == [1]
        assert writing.changes.span() == (1, 1)

    await store.write(unit)


async def test_a_raising_unit_leaves_nothing(store: Store) -> None:
    await store.write(creation(1))
    before = await store.read(everything)
    heard: list[Change] = []
    store.on_change(heard.extend)

    def unit(writing: Writing) -> None:
        creation(2)(writing)
        first = writing.users.get("user_0001")
        assert first is not None
        writing.users.delete(first)
        writing.trim_changes(keep=0)
        head = writing.audit.head()
        assert head is not None
        writing.keep_head(replace(head, key_id="k", signature=b"s"))
        raise ZeroDivisionError("on purpose")

    with pytest.raises(ZeroDivisionError, match="on purpose"):
        await store.write(unit)
    assert await store.read(everything) == before
    assert heard == []


async def test_a_raising_unit_takes_nobody_with_it(store: Store) -> None:
    """Of units that wait together, and so may share a commit, each third fails."""

    def unit(writing: Writing, number: int) -> User:
        created = creation(number)(writing)
        if number % 3 == 0:
            raise Invalid("every third")
        return created

    answers = await asyncio.gather(
        *(store.write(lambda w, n=n: unit(w, n)) for n in range(60)), return_exceptions=True
    )
    good = [answer for answer in answers if isinstance(answer, User)]
    assert [isinstance(answer, Invalid) for answer in answers] == [n % 3 == 0 for n in range(60)]
    assert await store.read(lambda r: r.users.all()) == good
    assert await store.read(revisions) == list(range(1, 41))
    assert len(await store.read(lambda r: r.audit.records(after=0, limit=100))) == 40


async def test_even_a_unit_that_ends_the_world_ends_alone(store: Store) -> None:
    def unit(writing: Writing) -> None:
        creation(1)(writing)
        raise StopIteration

    with pytest.raises((RuntimeError, StopIteration)):
        await store.write(unit)
    await store.write(creation(2))
    assert [u.id for u in await store.read(lambda r: r.users.all())] == ["user_0002"]


async def test_of_64_changes_to_one_row_one_wins(store: Store) -> None:
    """Each reads, then writes what it read: all but one have seen an older row by then."""
    await store.write(lambda w: w.users.insert(user()))
    seen = await asyncio.gather(*(store.read(lambda r: r.users.get("user_0001")) for _ in range(64)))
    answers = await asyncio.gather(
        *(
            store.write(lambda w, u=u, n=n: w.users.replace(replace(u, created_by=f"task {n}")))
            for n, u in enumerate(seen)
            if u is not None
        ),
        return_exceptions=True,
    )
    winners = [answer for answer in answers if isinstance(answer, User)]
    assert sorted(type(answer).__name__ for answer in answers) == ["Stale"] * 63 + ["User"]
    assert await store.read(lambda r: r.users.get("user_0001")) == winners[0]


async def test_tasks_that_try_again_all_count(store: Store) -> None:
    await store.write(lambda w: w.users.insert(user()))

    async def add(name: str) -> None:
        while True:
            seen = await store.read(lambda r: r.users.get("user_0001"))
            assert seen is not None
            try:
                await store.write(lambda w, s=seen: w.users.replace(replace(s, roles=(*s.roles, name))))
            except Stale:
                continue
            return

    async with asyncio.TaskGroup() as tasks:
        for number in range(24):
            tasks.create_task(add(f"role-{number}"))
    last = await store.read(lambda r: r.users.get("user_0001"))
    assert last is not None
    assert set(last.roles) == {"access", *(f"role-{number}" for number in range(24))}
    assert last.revision == 25


async def test_what_a_unit_reads_holds_when_it_writes(store: Store) -> None:
    """At most ten users, decided by counting: not one more, however many ask at once."""

    def unit(writing: Writing, number: int) -> bool:
        if writing.users.count() >= 10:
            return False
        writing.users.insert(user(number))
        return True

    answers = await asyncio.gather(*(store.write(lambda w, n=n: unit(w, n)) for n in range(64)))
    assert sum(answers) == 10
    assert await store.read(lambda r: r.users.count()) == 10


async def test_units_run_in_the_order_of_their_callers(store: Store) -> None:
    await asyncio.gather(*(store.write(creation(number)) for number in range(100)))
    keys = [line.key for line in await store.read(lambda r: r.changes.after(0, limit=200))]
    assert keys == [f"user_{number:04}" for number in range(100)]


async def test_a_read_never_sees_half_a_unit(store: Store) -> None:
    """Two rows that are always changed together; reads run all the while."""

    def pair(writing: Writing, number: int) -> None:
        for noun in writing.users.all():
            writing.users.replace(replace(noun, created_by=str(number)))

    await store.write(lambda w: [w.users.insert(user(n)) for n in (1, 2)])
    done = asyncio.Event()

    async def watch() -> int:
        looks = 0
        while not done.is_set():
            assert len({u.created_by for u in await store.read(lambda r: r.users.all())}) == 1
            looks += 1
        return looks

    async with asyncio.TaskGroup() as tasks:
        watcher = tasks.create_task(watch())
        for number in range(50):
            await store.write(lambda w, n=number: pair(w, n))
        done.set()
    assert watcher.result() > 0


async def test_a_read_after_a_write_sees_it(store: Store) -> None:
    for number in range(20):
        created = await store.write(creation(number))
        assert await store.read(lambda r, c=created: r.users.get(c.id)) == created


async def test_what_a_reader_raises_reaches_the_caller(store: Store) -> None:
    def query(reading: Reading) -> None:
        reading.users.all()
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        await store.read(query)
    await store.write(creation(1))


async def test_the_feed_counts_without_gaps(store: Store) -> None:
    assert await store.read(lambda r: r.changes.span()) == (0, 0)
    await asyncio.gather(*(store.write(lines(number % 4)) for number in range(40)))
    assert await store.read(revisions) == list(range(1, 61))
    assert await store.read(lambda r: r.changes.span()) == (1, 60)
    some = await store.read(lambda r: r.changes.after(57, limit=2))
    assert [line.revision for line in some] == [58, 59]
    assert some[0] == Change(58, ChangeKind.USER, "user_0000", ChangeOp.PUT, NOON)


async def test_a_trimmed_feed_counts_on(store: Store) -> None:
    await store.write(lines(10))
    await store.write(lambda w: w.trim_changes(keep=3))
    assert await store.read(lambda r: r.changes.span()) == (8, 10)
    await store.write(lambda w: w.trim_changes(keep=0))
    assert await store.read(lambda r: r.changes.span()) == (11, 10)
    await store.write(lambda w: w.changed(ChangeKind.LOCK, "lock_1", ChangeOp.DELETE))
    assert await store.read(lambda r: r.changes.after(0, limit=9)) == [
        Change(11, ChangeKind.LOCK, "lock_1", ChangeOp.DELETE, NOON)
    ]
    await store.write(lambda w: w.trim_changes(keep=100))
    assert await store.read(lambda r: r.changes.span()) == (11, 11)


async def test_listeners_hear_each_line_once_in_order_when_it_is_true(store: Store) -> None:
    heard: list[int] = []
    reads: list[asyncio.Task[list[int]]] = []

    def listen(told: Sequence[Change]) -> None:
        heard.extend(line.revision for line in told)
        reads.append(asyncio.get_running_loop().create_task(store.read(revisions), name="look"))

    store.on_change(listen)
    await asyncio.gather(*(store.write(lines(number % 3)) for number in range(30)))
    assert heard == list(range(1, 31))
    # Whoever hears of a line and looks at once, finds it.
    assert all(await asyncio.gather(*reads))


async def test_a_listener_that_raises_stops_nobody(store: Store) -> None:
    reported: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context["exception"]))

    def broken(_: Sequence[Change]) -> None:
        raise ValueError("deaf")

    heard: list[Change] = []
    store.on_change(broken)
    store.on_change(heard.extend)
    await store.write(lines(2))
    assert len(heard) == 2
    assert [str(error) for error in reported] == ["deaf"]


async def test_nothing_changed_is_not_told(store: Store) -> None:
    heard: list[Sequence[Change]] = []
    store.on_change(heard.append)
    await store.write(lambda w: w.users.insert(user()))
    await store.write(lambda w: w.trim_changes(keep=1))
    assert heard == []


async def test_a_caller_who_leaves_costs_a_whole_unit_or_none(store: Store) -> None:
    tasks = [asyncio.ensure_future(store.write(creation(number))) for number in range(200)]  # noqa: TID251
    for number, task in enumerate(tasks):
        if number % 2:
            await asyncio.sleep(0)
            task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    users = {u.id for u in await store.read(lambda r: r.users.all())}
    acknowledged = {answer.id for answer in answers if isinstance(answer, User)}
    assert acknowledged <= users
    assert all(isinstance(answer, User | asyncio.CancelledError) for answer in answers)
    assert {f"user_{number:04}" for number in range(0, 200, 2)} <= acknowledged
    # Each that ran at all ran whole, and the count goes on without gaps.
    assert {line.key for line in await store.read(lambda r: r.changes.after(0, limit=999))} == users
    assert len(await store.read(lambda r: r.audit.records(after=0, limit=999))) == len(users)
    assert await store.read(revisions) == list(range(1, len(users) + 1))


async def test_the_same_event_is_recorded_once(store: Store) -> None:
    await store.write(creation(1))
    with pytest.raises(Exists):
        await store.write(lambda w: (w.users.insert(user(2)), w.record(event(1))))
    assert await store.read(lambda r: r.users.count()) == 1
