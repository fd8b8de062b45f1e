"""Backups of the embedded data: a directory with database, audit heads and, if asked, the seal key."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from mezite.config import DatabaseDriver, HubSettings
from mezite.errors import Conflict, Exists, Invalid, Unavailable
from mezite.storage import sqlite_files
from mezite.storage.datadir import DATABASE, DataDir

SEAL_KEY = "seal.key"
HEADS = "audit-heads.log"


def take(settings: HubSettings, target: Path, *, with_keys: bool) -> None:
    """Copies the data as of one moment into a new directory; the hub may be running."""
    _embedded(settings)
    if not (settings.data_dir / DATABASE).exists():
        raise Unavailable(f"no database in {settings.data_dir}; set data_dir (or --config) to the hub's")
    try:
        target.mkdir(mode=0o700)
    except FileExistsError:
        raise Exists(f"{target} exists; name a directory that does not") from None
    except OSError as error:
        raise Unavailable(f"{target} cannot be made: {error.strerror}") from None
    try:
        # The heads first: one written after the database was copied would vouch for events it does not have.
        for name in (HEADS, SEAL_KEY) if with_keys else (HEADS,):
            if (source := settings.data_dir / name).exists():
                _copy_private(source, target / name)
        sqlite_files.backup(DataDir(settings.data_dir), target / DATABASE)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)  # made here, a moment ago; half a backup is none
        raise


def bring_back(settings: HubSettings, source: Path, *, force: bool) -> None:
    """Makes a backup the data of a stopped hub. A seal key there stays, unless the backup brings one."""
    _embedded(settings)
    if not (source / DATABASE).is_file():
        raise Invalid(
            f"{source} is no backup: it has no {DATABASE}; name a directory that `mezhub backup` wrote"
        )
    brought, present = source / SEAL_KEY, settings.data_dir / SEAL_KEY
    if brought.exists() and present.exists() and brought.read_bytes() != present.read_bytes() and not force:
        raise Conflict(f"{present} is another key than the backup's; --force replaces it")
    sqlite_files.restore(source / DATABASE, settings.data_dir, force=force)
    _set_aside(settings.data_dir / HEADS)
    for name in (HEADS, SEAL_KEY):
        if (source / name).exists():
            _copy_private(source / name, settings.data_dir / name)


def _embedded(settings: HubSettings) -> None:
    if settings.database.driver is not DatabaseDriver.SQLITE:
        raise Conflict("PostgreSQL has its own tools for this: pg_dump and pg_restore")


def _set_aside(heads: Path) -> None:
    """Heads of the data that was given up vouch for other events. They are evidence, so they are kept."""
    if heads.exists():
        heads.replace(heads.with_name(f"{heads.name}.replaced"))


def _copy_private(source: Path, target: Path) -> None:
    """Whole or not at all, readable by the owner alone from its first byte."""
    part = target.with_name(f"{target.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as copy, source.open("rb") as original:
        shutil.copyfileobj(original, copy)
        copy.flush()
        os.fsync(copy.fileno())
    part.replace(target)
