"""Backup and restore of the embedded database."""

# ruff: noqa: ASYNC240 - a test may look at a file; nobody else runs on its loop

from __future__ import annotations

import asyncio
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from mezite.audit.chain import GENESIS, link
from mezite.errors import Conflict, Exists, Invalid, Unavailable
from mezite.storage.datadir import DATABASE
from mezite.storage.ports import Reading
from mezite.storage.sqlite import SqliteStore, open_sqlite
from mezite.storage.sqlite_files import restore
from tests.support.clock import FakeClock
from tests.support.stores import creation


def chain_holds(reading: Reading) -> bool:
    digest = GENESIS
    for seq, record in enumerate(reading.audit.records(after=0, limit=100_000), 1):
        if record != link(digest, seq, record.body):
            return False
        digest = record.hash
    head = reading.audit.head()
    return head is not None and head.hash == digest


async def test_a_backup_of_a_busy_database_is_of_one_moment(
    embedded: SqliteStore, tmp_path: Path, clock: FakeClock
) -> None:
    async def write(first: int) -> None:
        for number in range(first, first + 50):
            await embedded.write(creation(number))

    target = tmp_path / "backup.db"
    await write(0)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(write(100))
        tasks.create_task(embedded.backup(str(target)))
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["backup.db", "data"]

    restore(target, tmp_path / "other")
    async with open_sqlite(tmp_path / "other", clock) as copy:
        count = await copy.read(lambda r: r.users.count())
        assert 50 <= count <= 100
        assert await copy.read(lambda r: r.changes.span()) == (1, count)
        assert await copy.read(chain_holds)
        await copy.write(creation(999))
        assert await copy.read(chain_holds)


async def test_a_backup_never_overwrites(embedded: SqliteStore, tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("precious")
    with pytest.raises(Exists, match="precious exists"):
        await embedded.backup(str(target))
    assert target.read_text() == "precious"
    assert not (tmp_path / "precious.part").exists()


async def test_a_backup_to_nowhere(embedded: SqliteStore, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="cannot be written: No such file"):
        await embedded.backup(str(tmp_path / "no" / "where"))


async def test_a_restore_needs_a_free_directory(
    embedded: SqliteStore, data_dir: Path, tmp_path: Path
) -> None:
    await embedded.write(creation(1))
    await embedded.backup(str(tmp_path / "backup"))
    with pytest.raises(Conflict, match="in use by process"):
        restore(tmp_path / "backup", data_dir, force=True)
    await embedded.write(creation(2))


async def test_a_restore_does_not_give_up_data_unasked(
    data_dir: Path, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(creation(1))
        await store.backup(str(tmp_path / "backup"))
        await store.write(creation(2))
    with pytest.raises(Conflict, match="--force"):
        restore(tmp_path / "backup", data_dir)
    async with open_sqlite(data_dir, clock) as store:
        assert await store.read(lambda r: r.users.count()) == 2

    restore(tmp_path / "backup", data_dir, force=True)
    async with open_sqlite(data_dir, clock) as store:
        assert await store.read(lambda r: r.users.count()) == 1
        assert await store.read(chain_holds)


async def test_a_log_left_by_the_old_database_does_not_touch_the_new(
    data_dir: Path, tmp_path: Path, clock: FakeClock
) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(creation(1))
        await store.backup(str(tmp_path / "backup"))
        await store.write(creation(2))
        left = {suffix: (data_dir / f"{DATABASE}{suffix}").read_bytes() for suffix in ("", "-wal")}
    for suffix, content in left.items():  # as a kill would have left it
        (data_dir / f"{DATABASE}{suffix}").write_bytes(content)
    restore(tmp_path / "backup", data_dir, force=True)
    async with open_sqlite(data_dir, clock) as store:
        assert [u.id for u in await store.read(lambda r: r.users.all())] == ["user_0001"]


async def test_a_damaged_database_can_be_given_up(data_dir: Path, tmp_path: Path, clock: FakeClock) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(creation(1))
        await store.backup(str(tmp_path / "backup"))
    (data_dir / DATABASE).write_bytes(b"rubbish" * 4000)
    restore(tmp_path / "backup", data_dir, force=True)
    async with open_sqlite(data_dir, clock) as store:
        assert await store.read(chain_holds)


def foreign(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE holiday_photos (a)")


def cut(path: Path) -> None:
    foreign(path)
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize(
    "make",
    [lambda path: None, lambda path: path.write_text("hello"), lambda path: path.touch(), foreign, cut],
    ids=["missing", "text", "empty", "foreign", "cut"],
)
async def test_what_is_no_backup_is_refused(
    data_dir: Path, tmp_path: Path, clock: FakeClock, make: object
) -> None:
    async with open_sqlite(data_dir, clock) as store:
        await store.write(creation(1))
    assert callable(make)
    make(tmp_path / "source")
    with pytest.raises(Invalid, match="source is"):
        restore(tmp_path / "source", data_dir, force=True)
    async with open_sqlite(data_dir, clock) as store:
        assert await store.read(lambda r: r.users.count()) == 1
