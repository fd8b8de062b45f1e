"""Backups of the embedded database, and their way back. Both are whole files or nothing, at every instant."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from mezite.errors import Conflict, Exists, Invalid, Unavailable
from mezite.storage.datadir import DataDir, hold
from mezite.storage.sqlite_faults import told


def read_only(database: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(database))}?mode=ro", uri=True)


def backup(data: DataDir, target: Path) -> None:
    """Copies the running database as of one moment to `target`, which must not exist. Writers do not wait."""
    try:
        with _whole(target) as part, closing(read_only(data.database)) as source:
            _copy(source, part)
            if target.exists():
                raise Exists(f"{target} exists; name a file that does not")
    except sqlite3.Error as error:
        raise told(error, data.path) from None


def restore(source: Path, data_dir: Path, *, force: bool = False) -> None:
    """Makes `source` the database of a directory that no hub uses; `force` gives up the one that is there."""
    _examine(source)
    with hold(data_dir) as data:
        if data.database.stat().st_size and not force:
            raise Conflict(f"{data.path} holds a database already; --force gives it up for the backup")
        try:
            with _whole(data.database) as part, closing(read_only(source)) as connection:
                _copy(connection, part)
                _set_aside_log(data.database)
        except sqlite3.Error as error:
            raise told(error, data.path) from None


def _copy(source: sqlite3.Connection, part: Path) -> None:
    with closing(sqlite3.connect(part)) as copy:
        source.backup(copy)
        # One file, whatever the source was: a log beside it would be forgotten when it is moved.
        copy.execute("PRAGMA journal_mode=DELETE")


def _examine(source: Path) -> None:
    if not source.is_file():
        raise Invalid(f"{source} is not there; name a file that `mezhub backup` wrote")
    try:
        with closing(read_only(source)) as connection:
            sound = connection.execute("PRAGMA integrity_check(1)").fetchone() == ("ok",)
            ours = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'chain_head'").fetchone()
    except sqlite3.DatabaseError:
        sound = ours = False
    if not (sound and ours):
        raise Invalid(f"{source} is no sound backup of a Mezite database; nothing was changed")


def _set_aside_log(database: Path) -> None:
    """A log left by the old database would be taken for the new one's, and damage it."""
    with suppress(sqlite3.DatabaseError), closing(sqlite3.connect(database)) as old:
        old.execute(
            "PRAGMA journal_mode=DELETE"
        )  # moves the log into the old file, which stays whole until replaced
    for suffix in ("-wal", "-shm"):
        Path(f"{database}{suffix}").unlink(missing_ok=True)


@contextmanager
def _whole(target: Path) -> Iterator[Path]:
    """A file beside `target`, seen by its owner alone, that takes its name when the block ends well."""
    part = target.with_name(f"{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        try:
            yield part
            _sync(part)
            part.replace(target)
            _sync(target.parent)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise Unavailable(f"{target} cannot be written: {error.strerror}") from None


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
