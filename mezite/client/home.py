"""Where client state lives, and how a file of it is written: whole or not at all, readable by its owner only.

Everything is under `~/.mezite` (`MEZITE_HOME` says otherwise). What the files mean is in `profile`.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from mezite.errors import CallerError

MAX_FILE_BYTES: Final = 256 * 1024
"""No file of ours comes near; a larger one is not ours and is not read into memory."""


def home(environ: Mapping[str, str] = os.environ) -> Path:
    """The directory of the client's state; it need not exist yet."""
    if chosen := environ.get("MEZITE_HOME"):
        return Path(chosen).absolute()
    try:
        return Path.home() / ".mezite"
    except RuntimeError:
        raise CallerError("there is no home directory; set MEZITE_HOME", code="no_home") from None


def prepare(directory: Path) -> None:
    """Makes `directory` (0700) or refuses it: state that others may write is state that others may forge."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        check_owner(directory)
    except OSError as error:
        raise CallerError(f"cannot use {directory}: {error.strerror}", code="home_unusable") from None


def check_owner(path: Path) -> None:
    """Raises unless `path` is this OS user's own and nobody else may write it."""
    facts = path.stat()
    if facts.st_uid != os.geteuid():
        raise CallerError(f"{path} belongs to another OS user; set MEZITE_HOME to a directory of yours")
    if facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise CallerError(f"{path} can be written by others; run: chmod go-w {path}")


def read(path: Path) -> str:
    """The text of a small file; raises OSError or ValueError (too large, not UTF-8)."""
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise ValueError("too large")
    return content.decode()


def write(path: Path, text: str) -> None:
    """Replaces `path` in one step: whoever reads sees the old text or the new, also after a power cut."""
    beside = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        write_fresh(beside, text)
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def write_fresh(path: Path, text: str) -> None:
    """Creates `path` (0600), which must not exist, and forces it to disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(text.encode())
        file.flush()
        os.fsync(file.fileno())


def sync_directory(path: Path) -> None:
    """Forces the names in a directory to disk; a rename is not durable before that."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """Holds off other writers of the same client state; readers need no lock."""
    prepare(directory)
    descriptor = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
