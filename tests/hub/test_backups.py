"""Backups: whole or absent, without the key unless asked, and with heads that vouch for what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemons.hub import backups
from daemons.hub.desk import trail
from daemons.hub.desk.trail import Heads
from mezite.config import DatabaseDriver, DatabaseSettings, HubSettings
from mezite.errors import Conflict, Exists, Invalid, MeziteError, Unavailable
from mezite.storage import sqlite_files
from mezite.storage.datadir import DATABASE, DataDir
from mezite.storage.sqlite import open_sqlite
from tests.support.clock import FakeClock
from tests.support.desk import Office, open_office


@pytest.fixture
def settings(tmp_path: Path) -> HubSettings:
    return HubSettings(data_dir=tmp_path / "data")


async def fill(settings: HubSettings, *names: str) -> None:
    """A hub's data: users, their events, and a head signed after them."""
    clock = FakeClock()
    async with open_sqlite(settings.data_dir, clock) as store, open_office(clock, store) as office:
        await add(office, settings, *names)
    (settings.data_dir / "seal.key").write_bytes(b"k" * 32)


async def add(office: Office, settings: HubSettings, *names: str) -> None:
    for name in names:
        await office.user(name, password=None)
    await Heads(office.desk, settings.data_dir / "audit-heads.log").sign()


async def state(settings: HubSettings) -> tuple[list[str], bool]:
    """(user names, whether the log is sound)."""
    clock = FakeClock()
    async with open_sqlite(settings.data_dir, clock) as store, open_office(clock, store) as office:
        heads = Heads(office.desk, settings.data_dir / "audit-heads.log")
        names = sorted(user.name for user in await store.read(lambda tx: tx.users.all()))
        return names, (await trail.verified(office.desk, heads, office.local, ())).sound


def private(directory: Path) -> bool:
    return all(path.stat().st_mode & 0o077 == 0 for path in (directory, *directory.iterdir()))


async def test_there_and_back(settings: HubSettings, tmp_path: Path) -> None:
    await fill(settings, "alice", "bob")
    backups.take(settings, tmp_path / "backup", with_keys=False)
    assert sorted(path.name for path in (tmp_path / "backup").iterdir()) == ["audit-heads.log", DATABASE]
    assert private(tmp_path / "backup")
    other = HubSettings(data_dir=tmp_path / "other")
    backups.bring_back(other, tmp_path / "backup", force=False)
    assert private(other.data_dir)
    assert await state(other) == (["alice", "bob"], True)


async def test_a_backup_of_a_running_hub(settings: HubSettings, tmp_path: Path) -> None:
    clock = FakeClock()
    async with open_sqlite(settings.data_dir, clock) as store, open_office(clock, store) as office:
        await add(office, settings, "alice")
        backups.take(settings, tmp_path / "backup", with_keys=False)
        await add(office, settings, "bob")
        with pytest.raises(Conflict, match="in use"):
            backups.bring_back(settings, tmp_path / "backup", force=True)
    other = HubSettings(data_dir=tmp_path / "other")
    backups.bring_back(other, tmp_path / "backup", force=False)
    assert await state(other) == (["alice"], True)
    assert (await state(settings))[0] == ["alice", "bob"]


async def test_heads_signed_while_the_database_is_copied_are_not_in_the_backup(
    settings: HubSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the restored log would look as if its end had been cut off."""
    await fill(settings, "alice")
    heads = settings.data_dir / "audit-heads.log"
    before = heads.read_text()

    def slowly(data: DataDir, target: Path) -> None:
        copy(data, target)
        heads.write_text(before + before.replace(":", ":9", 1))

    copy = sqlite_files.backup
    monkeypatch.setattr(sqlite_files, "backup", slowly)
    backups.take(settings, tmp_path / "backup", with_keys=False)
    assert (tmp_path / "backup" / "audit-heads.log").read_text() == before


async def test_the_key_comes_along_only_when_asked_and_replaces_another_only_by_force(
    settings: HubSettings, tmp_path: Path
) -> None:
    await fill(settings, "alice")
    backups.take(settings, tmp_path / "backup", with_keys=True)
    other = HubSettings(data_dir=tmp_path / "other")
    backups.bring_back(other, tmp_path / "backup", force=False)
    assert (other.data_dir / "seal.key").read_bytes() == b"k" * 32
    (other.data_dir / "seal.key").write_bytes(b"o" * 32)
    with pytest.raises(Conflict, match="another key"):
        backups.bring_back(other, tmp_path / "backup", force=False)
    assert (other.data_dir / "seal.key").read_bytes() == b"o" * 32
    backups.bring_back(other, tmp_path / "backup", force=True)
    assert (other.data_dir / "seal.key").read_bytes() == b"k" * 32


async def test_data_that_is_there_is_given_up_only_by_force_and_its_heads_are_kept(
    settings: HubSettings, tmp_path: Path
) -> None:
    await fill(settings, "alice")
    backups.take(settings, tmp_path / "backup", with_keys=False)
    await fill(HubSettings(data_dir=tmp_path / "other"), "carol", "dave")
    other = HubSettings(data_dir=tmp_path / "other")
    evidence = (other.data_dir / "audit-heads.log").read_text()
    with pytest.raises(Conflict, match="--force"):
        backups.bring_back(other, tmp_path / "backup", force=False)
    assert (await state(other))[0] == ["carol", "dave"]
    backups.bring_back(other, tmp_path / "backup", force=True)
    assert await state(other) == (["alice"], True)
    assert (other.data_dir / "audit-heads.log.replaced").read_text() == evidence


async def test_what_cannot_be_backed_up(settings: HubSettings, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no database"):
        backups.take(settings, tmp_path / "backup", with_keys=False)
    await fill(settings, "alice")
    (tmp_path / "there").mkdir()
    with pytest.raises(Exists):
        backups.take(settings, tmp_path / "there", with_keys=False)
    with pytest.raises(Unavailable, match="cannot be made"):
        backups.take(settings, tmp_path / "no" / "such" / "place", with_keys=False)
    postgres = HubSettings(data_dir=settings.data_dir, database=DatabaseSettings(DatabaseDriver.POSTGRES))
    with pytest.raises(Conflict, match="pg_dump"):
        backups.take(postgres, tmp_path / "backup", with_keys=False)
    assert not (tmp_path / "backup").exists()


async def test_a_backup_that_fails_leaves_nothing_that_looks_like_one(
    settings: HubSettings, tmp_path: Path
) -> None:
    await fill(settings, "alice")
    (settings.data_dir / DATABASE).write_bytes(b"no database at all" * 1_000)
    with pytest.raises(MeziteError):
        backups.take(settings, tmp_path / "backup", with_keys=True)
    assert not (tmp_path / "backup").exists()


@pytest.mark.parametrize(
    "content", [None, b"", b"SQLite format 3\0 not really"], ids=["absent", "empty", "broken"]
)
async def test_what_is_no_backup(settings: HubSettings, tmp_path: Path, content: bytes | None) -> None:
    await fill(settings, "alice")
    source = tmp_path / "backup"
    source.mkdir()
    if content is not None:
        (source / DATABASE).write_bytes(content)
    for force in (False, True):
        with pytest.raises(Invalid):
            backups.bring_back(settings, source, force=force)
    assert await state(settings) == (["alice"], True)
