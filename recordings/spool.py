"""Recordings on the node's disk: written here first, and kept until somebody has acknowledged them.

    ID.mzr.part     being written, or left by a writer that died (an orphan): no process holds its lock
    ID.mzr          finished, waiting to be fetched
    quarantine/     what does not hold together, set aside with its reason so that it blocks nothing

A record is appended whole or not at all: after a failed write the file is cut back to its last whole record.
Appends reach the disk when `sync` is called, which the recorder does at most half a second after a write.
Nothing here knows a key: an orphan can be given its end record, never another chunk.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from recordings import scan
from recordings.chain import Ending, Signer
from recordings.errors import DamagedRecording, DiskFull, Fault, MalformedInput, RecordingLost, SpoolBusy
from recordings.frames import encode_trailer
from recordings.source import FileSource, Source

FINISHED: Final = ".mzr"
GROWING: Final = ".mzr.part"
QUARANTINE: Final = "quarantine"
MAX_TORN: Final = 4 * 1024 * 1024

_NAME = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,127}")
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class SpoolFile:
    """A recording that is being written; a sink for a recorder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._fd = os.open(path, flags, 0o600)
        self._whole = 0
        fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)

    @property
    def path(self) -> Path:
        return self._path

    def write(self, record: bytes) -> None:
        left = memoryview(record)
        try:
            while left:
                left = left[os.write(self._fd, left) :]
        except OSError as problem:
            self._cut_back()
            raise _loss(problem) from problem
        self._whole += len(record)

    def _cut_back(self) -> None:
        # A torn record would have to be cut off by whoever appends the end record.
        with contextlib.suppress(OSError):
            os.ftruncate(self._fd, self._whole)

    def sync(self) -> None:
        try:
            os.fdatasync(self._fd)
        except OSError as problem:
            raise _loss(problem) from problem

    def finish(self) -> None:
        """Gives the file its finished name, durably."""
        os.fsync(self._fd)
        finished = finished_path(self._path)
        os.rename(self._path, finished)
        sync_directory(finished.parent)
        os.close(self._fd)

    def abandon(self) -> None:
        """Lets go of the file as it is: an orphan."""
        os.close(self._fd)


def _loss(problem: OSError) -> RecordingLost:
    if problem.errno in _FULL:
        return DiskFull("the disk that holds the recordings is full; free some space and start a new session")
    return RecordingLost(f"the recording cannot be written: {problem.strerror}")


def finished_path(growing: Path) -> Path:
    """The name a growing file gets when it is finished."""
    return growing.with_name(growing.name.removesuffix(GROWING) + FINISHED)


def sync_directory(path: Path) -> None:
    """Makes what was created, renamed or removed in a directory durable."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class Spool:
    """A directory of recordings, mode 0700."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def create(self, name: str) -> SpoolFile:
        """A growing file for a new recording, named by its session."""
        if not _NAME.fullmatch(name):
            raise MalformedInput("a recording's name holds only letters, digits, '-' and '_', at most 128")
        try:
            with self._guarded():
                return SpoolFile(self._directory / f"{name}{GROWING}")
        except FileExistsError:
            raise SpoolBusy(f"{name} is being recorded already") from None
        except OSError as problem:
            raise _loss(problem) from problem

    def finished(self) -> list[Path]:
        """Finished recordings, oldest first."""
        return sorted(self._directory.glob(f"*{FINISHED}"), key=lambda path: path.stat().st_mtime_ns)

    def orphans(self) -> list[Path]:
        """Growing files that no process writes any more."""
        with self._guarded():
            return [path for path in sorted(self._directory.glob(f"*{GROWING}")) if not _is_locked(path)]

    @contextlib.contextmanager
    def _guarded(self) -> Iterator[None]:
        # Between its creation and its lock a growing file looks like an orphan: nobody looks in between.
        fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)

    def finish_orphan(self, path: Path, ending: Ending, signer: Signer | None) -> Path | None:
        """Gives an orphan its end record and its finished name; None when it had to go to quarantine.

        A torn last record is cut off: it is the moment the writer died in. Any other damage is evidence and
        is not touched. The end record is signed by `signer`; what its word is worth is the verifier's to say.
        """
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            _lock(fd, path)
            with FileSource(path) as source:
                whole, rest = _completion(source, ending, signer)
            os.ftruncate(fd, whole)
            if os.pwrite(fd, rest, whole) != len(rest):
                raise DiskFull("the disk that holds the recordings is full; the orphan stays as it is")
            os.fsync(fd)
            os.rename(path, finished_path(path))
        except DamagedRecording as damage:
            self.quarantine(path, str(damage))
            return None
        except OSError as problem:
            raise _loss(problem) from problem
        finally:
            os.close(fd)
        sync_directory(self._directory)
        return finished_path(path)

    def quarantine(self, path: Path, reason: str) -> Path:
        """Sets a file aside, its reason beside it."""
        aside = self._directory / QUARANTINE
        aside.mkdir(mode=0o700, exist_ok=True)
        target = aside / path.name
        target.with_name(target.name + ".reason").write_text(reason + "\n", encoding="utf-8")
        os.rename(path, target)
        sync_directory(self._directory)
        return target

    def remove(self, path: Path) -> None:
        """Forgets a recording that somebody else acknowledged."""
        path.unlink(missing_ok=True)


def _completion(source: Source, ending: Ending, signer: Signer | None) -> tuple[int, bytes]:
    """Up to where an orphan is to be kept, and what is to follow. Raises for one that is more than torn."""
    walked = scan.walk(source)
    at = walked.whole_bytes
    if walked.chain.end is not None:
        # its writer died between the end record and the new name; the trailer may be torn
        end = scan.read_record(source, at, source.size())
        if walked.stopped_by is not None and walked.stopped_by.fault is not Fault.TRUNCATED:
            raise walked.stopped_by
        return end.end, encode_trailer(end.size)
    if walked.stopped_by is not None and not _is_torn(source, walked.stopped_by):
        raise walked.stopped_by
    return at, walked.chain.close(ending, signer)


def _is_torn(source: Source, damage: DamagedRecording) -> bool:
    """Whether the file ends inside a record, or in the zeros a power cut leaves where bytes never came."""
    try:
        scan.read_record(source, damage.offset, source.size())
    except DamagedRecording as torn:
        if torn.fault is Fault.TRUNCATED:
            return True
        tail = source.read_at(damage.offset, MAX_TORN + 1)
        return len(tail) <= MAX_TORN and not tail.strip(b"\0")
    return False


def _is_locked(path: Path) -> bool:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return True  # finished or removed meanwhile: nothing to be had
    try:
        _lock(fd, path)
    except SpoolBusy:
        return True
    finally:
        os.close(fd)
    return False


def _lock(fd: int, path: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise SpoolBusy(f"{path.name} is being written by another process") from None
