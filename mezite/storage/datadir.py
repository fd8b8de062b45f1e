"""The embedded database's directory: who owns it, who may look into it, and whether it is still there.

One process at a time: the database's own locks would let a second hub in between two commits, and each would
believe it knows where the audit chain ends. The lock is the kernel's, so no crash leaves it behind.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mezite.errors import Conflict, Unavailable

DATABASE: Final = "mezite.db"
_LOCK: Final = "mezite.lock"


@dataclass(frozen=True, slots=True)
class DataDir:
    """A directory that is ours alone while it is held."""

    path: Path

    @property
    def database(self) -> Path:
        return self.path / DATABASE

    def identity(self) -> tuple[int, int]:
        """Which file the database is. SQLite goes on writing to one that was deleted and never says so."""
        try:
            found = self.database.stat()
        except OSError as error:
            raise Unavailable(
                f"the database {self.database} is gone ({error.strerror}); restore it and start again"
            ) from None
        return found.st_dev, found.st_ino


@contextmanager
def hold(path: Path) -> Iterator[DataDir]:
    """Makes the directory if need be, closes it to others, and holds it until the end of the block."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise Unavailable(f"the data directory {path} cannot be used: {error.strerror}") from None
    try:
        _lock(lock, path)
        _make_private(path / DATABASE)
        yield DataDir(path)
    finally:
        os.close(lock)


def _lock(lock: int, path: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
        who = f"process {holder}" if holder.isdigit() else "another process"
        raise Conflict(
            f"the data directory {path} is in use by {who}; stop it first, or set another data_dir",
            code="data_in_use",
        ) from None
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)


def _make_private(database: Path) -> None:
    """SQLite gives its log and index the mode of the database, so that is set before SQLite opens it."""
    try:
        os.close(os.open(database, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        database.chmod(0o600)
    except OSError as error:
        raise Unavailable(f"the database {database} cannot be opened: {error.strerror}") from None
