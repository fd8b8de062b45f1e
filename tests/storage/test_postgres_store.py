"""PostgreSQL: several hubs on one database, lost connections, lost answers, a server that comes and goes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import pytest_asyncio

from mezite.errors import CallerError, Conflict, SettingsError, Stale, Unavailable
from mezite.model.change import Change
from mezite.model.user import User
from mezite.storage import groups, postgres_writer
from mezite.storage.ports import Store, Writing
from mezite.storage.postgres import open_postgres
from tests.storage.test_sqlite_files import chain_holds
from tests.support.clock import FakeClock
from tests.support.postgres import Cluster
from tests.support.severed import Cut, severable
from tests.support.stores import NOON, creation, lines, revisions, user

pytestmark = pytest.mark.slow


@pytest_asyncio.fixture
async def database(postgres: Cluster) -> str:
    return await postgres.fresh_database()


@pytest_asyncio.fixture
async def hubs(postgres: Cluster, database: str) -> AsyncIterator[list[Store]]:
    async with AsyncExitStack() as stack:
        opening = [open_postgres(postgres.url(database), FakeClock(NOON)) for _ in range(3)]
        yield [await stack.enter_async_context(one) for one in opening]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - what is waited for comes from another process
            await asyncio.sleep(0.005)


async def test_the_units_of_all_hubs_are_serial(hubs: list[Store]) -> None:
    """Each decides by what it counted; were two at once, more than ten would get in."""

    def unit(writing: Writing, number: int) -> bool:
        if writing.users.count() >= 10:
            return False
        creation(number)(writing)
        return True

    answers = await asyncio.gather(*(hubs[n % 3].write(lambda w, n=n: unit(w, n)) for n in range(90)))
    assert sum(answers) == 10
    assert await hubs[0].read(chain_holds)


async def test_one_chain_and_one_feed_for_all_hubs(hubs: list[Store]) -> None:
    await asyncio.gather(*(hubs[n % 3].write(creation(n)) for n in range(120)))
    for hub in hubs:
        assert await hub.read(revisions) == list(range(1, 121))
        assert await hub.read(chain_holds)
        assert await hub.read(lambda r: r.audit.misfiled(limit=9)) == []


async def test_of_all_hubs_one_wins_a_row(hubs: list[Store]) -> None:
    seen = await hubs[0].write(lambda w: w.users.insert(user()))
    answers = await asyncio.gather(
        *(
            hubs[n % 3].write(lambda w, n=n: w.users.replace(replace(seen, created_by=str(n))))
            for n in range(64)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, User) for answer in answers) == 1
    assert sum(isinstance(answer, Stale) for answer in answers) == 63


async def test_every_hub_hears_every_line_once_in_order(hubs: list[Store]) -> None:
    heard: list[list[Change]] = [[] for _ in hubs]
    for hub, list_ in zip(hubs, heard, strict=True):
        hub.on_change(list_.extend)
    await asyncio.gather(*(hubs[n % 3].write(lines(n % 4)) for n in range(100)))
    await until(lambda: all(len(list_) >= 150 for list_ in heard))
    for list_ in heard:
        assert [line.revision for line in list_] == list(range(1, 151))


async def test_a_hub_that_comes_later_is_not_told_the_past(
    postgres: Cluster, database: str, hubs: list[Store]
) -> None:
    await hubs[0].write(lines(5))
    async with open_postgres(postgres.url(database), FakeClock(NOON)) as late:
        heard: list[Change] = []
        late.on_change(heard.extend)
        await hubs[0].write(lines(1))
        await until(lambda: bool(heard))
        assert [line.revision for line in heard] == [6]


async def test_units_that_wait_together_share_a_commit(
    hubs: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []
    for module in (groups, postgres_writer):
        monkeypatch.setattr(module, "reach", reached.append)
    await asyncio.gather(*(hubs[0].write(creation(n)) for n in range(96)))
    assert reached.count("store.unit-done") == 96
    assert reached.count("store.before-commit") <= 4


@pytest.mark.parametrize(
    "cuts",
    [
        ["before-commit"],
        ["after-commit"],
        ["before-commit", "after-commit"],
        ["after-commit", "before-commit", "after-commit"],
        ["after-commit", "after-commit", "after-commit"],
    ],
    ids="+".join,
)
async def test_a_group_whose_connection_is_cut_takes_effect_once(
    postgres: Cluster, database: str, cuts: list[Cut]
) -> None:
    async with severable(postgres) as line:
        async with open_postgres(postgres.url(database, socket_dir=line.directory), FakeClock(NOON)) as store:
            heard: list[Change] = []
            store.on_change(heard.extend)
            line.cuts, line.commits = list(cuts), 0
            for number in range(1, 7):
                assert (await store.write(creation(number))).id == f"user_{number:04}"
            assert line.cuts == []
            # The fate of a cut commit is asked for, not assumed: what took effect is not sent again.
            assert line.commits == 6 + cuts.count("before-commit")
            assert await store.read(revisions) == [1, 2, 3, 4, 5, 6]
            assert await store.read(lambda r: r.users.count()) == 6
            assert await store.read(chain_holds)
            await until(lambda: [told.revision for told in heard] == [1, 2, 3, 4, 5, 6])


async def test_an_answer_lost_for_good_is_not_made_up(
    postgres: Cluster, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_writer, "PAUSES_S", (0.0,))
    async with severable(postgres) as line:
        async with open_postgres(postgres.url(database, socket_dir=line.directory), FakeClock(NOON)) as store:
            line.cuts = ["after-commit"]
            with pytest.raises(Unavailable, match="see whether it took effect") as told:
                await store.write(creation(1))
            assert told.value.code == "outcome_unknown"
            await store.write(creation(2))
            assert await store.read(chain_holds)


async def test_what_other_hubs_did_meanwhile_does_not_hide_the_fate_of_a_group(
    postgres: Cluster, database: str, hubs: list[Store]
) -> None:
    """A unit that leaves no trace of its own in the chain, and another hub that writes in between."""
    async with severable(postgres) as line:
        async with open_postgres(postgres.url(database, socket_dir=line.directory), FakeClock(NOON)) as store:
            seen = await store.write(lambda w: w.users.insert(user(500)))
            line.cuts = ["after-commit"]

            async def others() -> None:
                for number in range(20):
                    await hubs[1].write(creation(number))

            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(others())
                mine = tasks.create_task(store.write(lambda w: w.users.replace(seen)))
            # Run twice, the second would have been Stale.
            assert mine.result().revision == 2


async def test_a_server_that_restarts_is_waited_for(postgres: Cluster, hubs: list[Store]) -> None:
    heard: list[Change] = []
    hubs[1].on_change(heard.extend)
    await hubs[0].write(creation(1))
    await hubs[0].read(revisions)
    await asyncio.to_thread(postgres.stop, "fast")
    waiting = asyncio.get_running_loop().create_task(hubs[0].write(creation(2)))
    with pytest.raises(Unavailable, match="cannot be reached"):
        await hubs[0].read(revisions)
    await asyncio.to_thread(postgres.start)
    assert (await waiting).id == "user_0002"
    for hub in hubs:
        assert await hub.read(revisions) == [1, 2]
    await hubs[2].write(creation(3))
    await until(lambda: [line.revision for line in heard] == [1, 2, 3])


async def test_a_server_that_stays_away_is_one_clear_line(
    postgres: Cluster, database: str, hubs: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_writer, "PAUSES_S", (0.0, 0.01))
    await hubs[0].write(creation(1))
    await asyncio.to_thread(postgres.stop, "immediate")
    try:
        for ask in (lambda: hubs[0].write(creation(2)), lambda: hubs[0].read(revisions)):
            with pytest.raises(Unavailable) as told:
                await ask()
            assert str(told.value).startswith(
                f"the PostgreSQL database '{database}' at {postgres.directory}:"
            )
            assert "\n" not in str(told.value)
    finally:
        await asyncio.to_thread(postgres.start)
    await hubs[0].write(creation(2))
    assert await hubs[0].read(chain_holds)


async def test_a_database_that_was_dropped(
    postgres: Cluster, database: str, hubs: list[Store], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_writer, "PAUSES_S", (0.0, 0.01))
    await postgres.execute(f"DROP DATABASE {database} WITH (FORCE)")
    with pytest.raises(Unavailable, match="create it"):
        await hubs[0].write(creation(1))
    with pytest.raises(Unavailable, match="create it"):
        await hubs[0].read(revisions)


async def test_a_frozen_hub_is_told_apart_from_a_slow_one(
    postgres: Cluster, database: str, hubs: list[Store]
) -> None:
    """Somebody holds the lock that makes units serial; when he lets go, the waiting hubs go on."""
    other = await postgres.connect(database)
    try:
        holding = other.transaction()
        await holding.start()
        await other.execute("SELECT * FROM chain_head FOR UPDATE")
        waiting = [
            asyncio.get_running_loop().create_task(hub.write(creation(n))) for n, hub in enumerate(hubs)
        ]
        await asyncio.wait(waiting, timeout=0.2)
        assert not any(task.done() for task in waiting)
        assert await hubs[0].read(revisions) == []  # readers do not wait
        await holding.rollback()
        await asyncio.gather(*waiting)
    finally:
        await other.close()
    assert await hubs[0].read(revisions) == [1, 2, 3]


async def test_hubs_that_start_together_make_the_tables_once(postgres: Cluster) -> None:
    url = postgres.url(await postgres.empty_database())

    async def start(number: int) -> None:
        async with open_postgres(url, FakeClock(NOON)) as store:
            await store.write(creation(number))

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(start(number))
    async with open_postgres(url, FakeClock(NOON)) as store:
        assert await store.read(revisions) == [1, 2, 3, 4]


async def test_closing_commits_what_waits(postgres: Cluster, database: str) -> None:
    async with open_postgres(postgres.url(database), FakeClock(NOON)) as store:
        waiting = [asyncio.get_running_loop().create_task(store.write(creation(n))) for n in range(100)]
        await asyncio.sleep(0)
    assert len(await asyncio.gather(*waiting)) == 100
    with pytest.raises(Unavailable, match="closed"):
        await store.write(creation(200))
    with pytest.raises(Unavailable, match="closed"):
        await store.read(revisions)


async def test_cancelled_it_still_commits_what_began(postgres: Cluster, database: str) -> None:
    waiting: list[asyncio.Task[User]] = []

    async def hub() -> None:
        async with open_postgres(postgres.url(database), FakeClock(NOON)) as store:
            waiting.extend(
                asyncio.get_running_loop().create_task(store.write(creation(n))) for n in range(20)
            )
            await asyncio.Event().wait()

    running = asyncio.get_running_loop().create_task(hub())
    await until(lambda: bool(waiting))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert len(await asyncio.gather(*waiting)) == 20


async def test_what_the_block_raises_leaves_it_as_it_is(postgres: Cluster, database: str) -> None:
    with pytest.raises(Conflict, match="mine"):
        async with open_postgres(postgres.url(database), FakeClock(NOON)):
            raise Conflict("mine")


async def test_readers_cannot_write(hubs: list[Store]) -> None:
    with pytest.raises(Unavailable):
        await hubs[0].read(lambda r: r.users.insert(user()))  # type: ignore[attr-defined]
    assert await hubs[0].read(lambda r: r.users.count()) == 0


async def test_a_backup_is_left_to_its_own_tools(hubs: list[Store]) -> None:
    with pytest.raises(CallerError, match="pg_dump"):
        await hubs[0].backup("/tmp/never")


async def test_nobody_at_the_address(clock: FakeClock) -> None:
    url = "postgresql://mezite:hunter2@/mezite?host=/nonexistent"
    with pytest.raises(Unavailable, match="cannot be reached") as told:
        async with open_postgres(url, clock):
            raise AssertionError("opened")
    assert "hunter2" not in repr(told.value)


async def test_no_such_database(postgres: Cluster, clock: FakeClock) -> None:
    with pytest.raises(Unavailable, match="no such database"):
        async with open_postgres(postgres.url("nowhere"), clock):
            raise AssertionError("opened")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hunter2",
        "mysql://u:hunter2@h/db",
        "postgresql://u:hunter2@h/",
        "postgresql://u:hunter2@h:port/db",
        "postgresql://u:hunter2@h/db?hunter=2",
        "postgresql://u:hunter2@h/db?sslmode=require&password=x",
    ],
)
async def test_an_address_that_is_none(clock: FakeClock, url: str) -> None:
    with pytest.raises(SettingsError, match=r"database\.url") as told:
        async with open_postgres(url, clock):
            raise AssertionError("opened")
    assert "hunter2" not in str(told.value)
