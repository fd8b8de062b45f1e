"""The embedded engine: who may open it, what a full or vanished disk does, and that commits are shared."""

# ruff: noqa: ASYNC240 - a test may look at a file; nobody else runs on its loop

from __future__ import annotations

import asyncio
import os
import sqlite3
import stat
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from mezite.errors import Conflict, Damaged, Unavailable
from mezite.storage import groups, sqlite_writer
from mezite.storage.datadir import DATABASE
from mezite.storage.executor import Lost
from mezite.storage.ports import Writing
from mezite.storage.sqlite import SqliteStore, open_sqlite
from mezite.storage.sqlite_executor import RawExecutor
from tests.support.clock import FakeClock
from tests.support.stores import creation, event, recording, revisions, user


def edit(data_dir: Path, sql: str, *values: object) -> None:
    """What somebody with the file and without Mezite can do."""
    with closing(sqlite3.connect(data_dir / DATABASE, isolation_level=None)) as connection:
        connection.execute(sql, values)


@asynccontextmanager
async def writer_held(store: SqliteStore) -> AsyncIterator[asyncio.Task[None]]:
    """The writer thread is busy with one unit for as long as the block lasts."""
    begun, go_on = threading.Event(), threading.Event()

    def unit(_: Writing) -> None:
        begun.set()
        assert go_on.wait(timeout=30)

    task = asyncio.get_running_loop().create_task(store.write(unit), name="holder")
    assert await asyncio.to_thread(begun.wait, 30)
    try:
        yield task
    finally:
        go_on.set()


async def settle() -> None:
    """Lets every task that can run come to its next wait."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_units_that_wait_together_share_a_commit(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []
    for module in (groups, sqlite_writer):
        monkeypatch.setattr(module, "reach", reached.append)
    async with writer_held(embedded) as holder:
        waiting = [asyncio.get_running_loop().create_task(embedded.write(creation(n))) for n in range(64)]
        await settle()
    await asyncio.gather(holder, *waiting)
    assert reached.count("store.unit-done") == 65
    assert reached.count("store.before-commit") == 2


async def test_a_caller_who_left_in_time_is_never_run(embedded: SqliteStore) -> None:
    async with writer_held(embedded) as holder:
        waiting = [asyncio.get_running_loop().create_task(embedded.write(creation(n))) for n in range(4)]
        await settle()
        waiting[1].cancel()
        waiting[2].cancel()
        await settle()
        assert [task.cancelled() for task in waiting] == [False, True, True, False]
    await asyncio.gather(holder, waiting[0], waiting[3])
    assert [u.id for u in await embedded.read(lambda r: r.users.all())] == ["user_0000", "user_0003"]


async def test_a_unit_that_began_completes_though_its_caller_left(embedded: SqliteStore) -> None:
    async with writer_held(embedded) as holder:
        holder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holder
    await embedded.write(creation(1))
    assert await embedded.read(revisions) == [1]


async def test_callers_beyond_the_bound_wait_to_be_let_in(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with writer_held(embedded) as holder:
        waiting = [asyncio.get_running_loop().create_task(embedded.write(creation(n))) for n in range(1500)]
        await settle()
        assert embedded._writer._waiting.qsize() == groups.MAX_WAITING - 1  # one is with the writer
    await asyncio.gather(holder, *waiting)
    assert await embedded.read(lambda r: r.users.count()) == 1500


async def test_closing_commits_what_waits(data_dir: Path, clock: FakeClock) -> None:
    async with open_sqlite(data_dir, clock) as store:
        waiting = [asyncio.get_running_loop().create_task(store.write(creation(n))) for n in range(20)]
        await settle()
    assert len(await asyncio.gather(*waiting)) == 20
    with pytest.raises(Unavailable, match="closed"):
        await store.write(creation(21))
    with pytest.raises(Unavailable, match="closed"):
        await store.read(revisions)
    async with open_sqlite(data_dir, clock) as store:
        assert await store.read(lambda r: r.users.count()) == 20


async def test_what_is_written_is_there_after_reopening(data_dir: Path, clock: FakeClock) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(creation(1))
        head = await store.read(lambda r: r.audit.head())
    async with open_sqlite(data_dir, clock) as store:
        assert await store.read(lambda r: r.audit.head()) == head
        await store.write(creation(2))
        assert await store.read(revisions) == [1, 2]


async def test_a_second_opener_is_told_who_has_it(
    embedded: SqliteStore, data_dir: Path, clock: FakeClock
) -> None:
    with pytest.raises(Conflict, match=f"{data_dir} is in use by process {os.getpid()}"):
        async with open_sqlite(data_dir, clock):
            raise AssertionError("two owners")
    await embedded.write(creation(1))


async def test_only_the_owner_may_look(embedded: SqliteStore, data_dir: Path) -> None:
    await embedded.write(creation(1))
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir()}
    assert modes.keys() >= {"mezite.db", "mezite.db-wal", "mezite.db-shm", "mezite.lock"}
    assert set(modes.values()) == {0o600}


async def test_a_directory_that_others_may_enter_is_closed(data_dir: Path, clock: FakeClock) -> None:
    data_dir.mkdir(mode=0o755)
    async with open_sqlite(data_dir, clock):
        assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["with space", "per%20cent", "quest?ion", "ha#sh", "ümlaut"])
async def test_any_path_will_do(tmp_path: Path, clock: FakeClock, name: str) -> None:
    async with open_sqlite(tmp_path / name, clock) as store:
        await store.write(creation(1))
        assert await store.read(lambda r: r.users.count()) == 1
    assert (tmp_path / name / DATABASE).exists()


async def test_a_path_that_is_no_directory(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match=str(tmp_path)):
        async with open_sqlite(tmp_path / "file" / "data", clock):
            raise AssertionError("opened")


async def test_a_file_that_is_no_database(data_dir: Path, clock: FakeClock) -> None:
    data_dir.mkdir()
    (data_dir / DATABASE).write_bytes(b"not a database" * 400)
    with pytest.raises(Damaged, match="restore a backup"):
        async with open_sqlite(data_dir, clock):
            raise AssertionError("opened")


async def test_a_database_that_vanished(embedded: SqliteStore, data_dir: Path) -> None:
    await embedded.write(creation(1))
    (data_dir / DATABASE).unlink()
    for ask in (lambda: embedded.write(creation(2)), lambda: embedded.read(revisions)):
        with pytest.raises(Unavailable, match="is gone") as told:
            await ask()
        assert "\n" not in str(told.value)


async def test_a_database_that_was_replaced(embedded: SqliteStore, data_dir: Path, tmp_path: Path) -> None:
    await embedded.backup(str(tmp_path / "copy"))
    (tmp_path / "copy").replace(data_dir / DATABASE)
    for ask in (lambda: embedded.write(creation(2)), lambda: embedded.read(revisions)):
        with pytest.raises(Unavailable, match="was replaced"):
            await ask()


async def test_a_full_disk_refuses_and_keeps_what_was(embedded: SqliteStore) -> None:
    await embedded.write(creation(1))
    writer = embedded._writer
    writer._connection.execute("PRAGMA max_page_count=1")
    fill = recording(*(event(number, details={"x": "y" * 3000}) for number in range(100, 160)))
    with pytest.raises(Unavailable, match="the disk is full"):
        await embedded.write(fill)
    assert await embedded.read(lambda r: len(r.audit.records(after=0, limit=99))) == 1

    writer._connection.execute("PRAGMA max_page_count=1000000")
    await embedded.write(creation(2))
    assert [r.seq for r in await embedded.read(lambda r: r.audit.records(after=0, limit=99))] == [1, 2]
    assert await embedded.read(lambda r: r.audit.misfiled(limit=9)) == []


async def test_a_commit_that_fails_refuses_the_whole_group(
    embedded: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    await embedded.write(creation(1))
    plainly = RawExecutor.plainly

    def failing(self: RawExecutor, sql: str) -> None:
        if sql == "COMMIT":
            raise Lost(Unavailable("the disk does not answer"))
        plainly(self, sql)

    heard: list[object] = []
    embedded.on_change(heard.append)
    with monkeypatch.context() as patch:
        patch.setattr(RawExecutor, "plainly", failing)
        answers = await asyncio.gather(
            *(embedded.write(creation(number)) for number in range(2, 9)), return_exceptions=True
        )
    assert {str(answer) for answer in answers} == {"the disk does not answer"}
    assert heard == []
    await embedded.write(creation(9))
    assert [u.id for u in await embedded.read(lambda r: r.users.all())] == ["user_0001", "user_0009"]
    assert await embedded.read(revisions) == [1, 2]


async def test_no_unit_swallows_a_lost_engine(embedded: SqliteStore) -> None:
    """A unit that catches everything it may catch still does not get its half committed."""

    def unit(writing: Writing) -> None:
        creation(1)(writing)
        embedded._writer._connection.execute("PRAGMA max_page_count=1")
        try:
            recording(*(event(number, details={"x": "y" * 3000}) for number in range(100, 160)))(writing)
        except Exception as error:
            raise AssertionError("caught") from error

    with pytest.raises(Unavailable):
        await embedded.write(unit)
    assert await embedded.read(lambda r: r.users.count()) == 0


async def test_readers_cannot_write(embedded: SqliteStore) -> None:
    with pytest.raises(Unavailable, match="READONLY"):
        await embedded.read(lambda r: r.users.insert(user()))  # type: ignore[attr-defined]
    assert await embedded.read(lambda r: r.users.count()) == 0


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE audit SET user = 'mallory' WHERE seq = 3",
        "UPDATE audit SET type = 'user.login' WHERE seq = 3",
        "UPDATE audit SET node = 'x' WHERE seq = 3",
        "UPDATE audit SET time_us = time_us + 1 WHERE seq = 3",
        "UPDATE audit SET highest_us = highest_us + 1 WHERE seq = 3",
        "UPDATE audit SET id = 'evt_x' WHERE seq = 3",
        "UPDATE audit SET body = 'x' WHERE seq = 3",
        "UPDATE audit SET session_id = 's', request_id = 'r' WHERE seq = 3",
    ],
)
async def test_records_whose_columns_lie_are_found(data_dir: Path, clock: FakeClock, tampering: str) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(recording(*(event(number) for number in range(1, 300))))
    edit(data_dir, tampering)
    async with open_sqlite(data_dir, clock) as store:
        # A body that does not read says nothing of the record after it, any other change may.
        assert (await store.read(lambda r: r.audit.misfiled(limit=99)))[0] == 3
        assert await store.read(lambda r: r.audit.misfiled(limit=1)) == [3]


@pytest.mark.parametrize(
    ("tampering", "words"),
    [
        ("UPDATE users SET body = '{\"secret\": '", "does not read"),
        ("UPDATE users SET body = x'ff'", "does not read"),
        ("UPDATE users SET revision = 7", "different revisions"),
    ],
)
async def test_a_damaged_row_is_named_and_not_shown(
    data_dir: Path, clock: FakeClock, tampering: str, words: str
) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(lambda w: w.users.insert(user()))
    edit(data_dir, tampering)
    async with open_sqlite(data_dir, clock) as store:
        with pytest.raises(Damaged, match=f"users 'user_0001': .*{words}") as told:
            await store.read(lambda r: r.users.all())
    assert "secret" not in str(told.value)


async def test_without_its_head_the_chain_is_not_continued(data_dir: Path, clock: FakeClock) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(creation(1))
    edit(data_dir, "DELETE FROM chain_head")
    async with open_sqlite(data_dir, clock) as store:
        with pytest.raises(Damaged, match="chain_head"):
            await store.write(creation(2))
        assert await store.read(lambda r: r.users.count()) == 1
