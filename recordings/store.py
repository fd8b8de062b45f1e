"""Where finished recordings are kept. A Protocol, and the directory that keeps it.

An upload is a file that grows by acknowledged pieces: each names the offset it stands at, and one sent again
after a lost answer changes nothing. It becomes a recording in one step (`finish`), never to be written again.

    ab/ID.mzr           a recording; `ab` are the first two characters of its id
    incoming/ID.mzr     an upload
    ab/ID.gone          a tombstone: what was here, who removed it and when
    ab/ID.wraps         the content key wrapped for keys that came after the recording
    quarantine/         what does not verify, with its reason beside it: it blocks nothing

What an id may name, and who may ask, is decided by callers; here an id cannot leave its directory.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from recordings.errors import (
    DiskFull,
    MalformedInput,
    RecordingFinished,
    RecordingRemoved,
    UnknownRecording,
    UploadConflict,
)
from recordings.fields import Fields, b64
from recordings.frames import MAX_WRAPS
from recordings.header import WrappedKey
from recordings.source import FileSource, Source
from recordings.spool import sync_directory

_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{2,127}")
_COMPARE_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What stands where a recording was."""

    id: str
    removed_at_us: int
    removed_by: str
    reason: str
    size: int
    sha256: str


class RecordingStore(Protocol):
    """Every store keeps these promises; one suite of tests holds them to it."""

    def received(self, recording: str) -> int:
        """How many bytes of an upload were acknowledged; 0 for one that has not begun."""
        ...

    def append(self, recording: str, offset: int, data: bytes) -> int:
        """Keeps `data` at `offset` durably and says how many bytes there are."""
        ...

    def finish(self, recording: str) -> None: ...

    def open(self, recording: str) -> Source: ...

    def ids(self) -> Iterator[str]: ...

    def remove(self, recording: str, *, by: str, reason: str, at_us: int) -> Tombstone: ...

    def tombstone(self, recording: str) -> Tombstone | None: ...

    def quarantine(self, recording: str, reason: str) -> None: ...


class DirectoryStore:
    """Recordings as files under one directory, mode 0700."""

    def __init__(self, root: Path) -> None:
        self._root = root
        for directory in (root, self._incoming, self._aside):
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    @property
    def _incoming(self) -> Path:
        return self._root / "incoming"

    @property
    def _aside(self) -> Path:
        return self._root / "quarantine"

    def _path(self, recording: str, suffix: str = ".mzr") -> Path:
        check_id(recording)
        return self._root / recording[:2].lower() / f"{recording}{suffix}"

    def received(self, recording: str) -> int:
        self._refuse_what_is_done(recording)
        try:
            return (self._incoming / f"{recording}.mzr").stat().st_size
        except FileNotFoundError:
            return 0

    def _refuse_what_is_done(self, recording: str) -> None:
        if self._path(recording).exists():
            raise RecordingFinished(f"recording {recording} is complete")
        if self._path(recording, ".gone").exists():
            raise RecordingRemoved(f"recording {recording} was removed")

    def append(self, recording: str, offset: int, data: bytes) -> int:
        have = self.received(recording)
        if offset > have:
            raise UploadConflict(f"{have} bytes are here: send from there, not from {offset}")
        fd = os.open(self._incoming / f"{recording}.mzr", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            known = data[: have - offset]
            if os.pread(fd, len(known), offset) != known:
                raise UploadConflict(f"the bytes at {offset} are not those that were acknowledged")
            _write_all(fd, data[have - offset :], have)
            os.fdatasync(fd)
        finally:
            os.close(fd)
        return max(have, offset + len(data))

    def finish(self, recording: str) -> None:
        self._refuse_what_is_done(recording)
        source, target = self._incoming / f"{recording}.mzr", self._path(recording)
        if not source.exists():
            raise UnknownRecording(f"no upload of recording {recording}")
        self._room_for(target)
        os.rename(source, target)
        sync_directory(target.parent)
        sync_directory(self._incoming)

    def _room_for(self, target: Path) -> None:
        if not target.parent.is_dir():
            target.parent.mkdir(mode=0o700, exist_ok=True)
            sync_directory(self._root)

    def open(self, recording: str) -> FileSource:
        """A finished recording, or an upload as far as it came."""
        for path in (self._path(recording), self._incoming / f"{recording}.mzr"):
            try:
                return FileSource(path)
            except FileNotFoundError:
                continue
        if self._path(recording, ".gone").exists():
            raise RecordingRemoved(f"recording {recording} was removed")
        raise UnknownRecording(f"no recording {recording}")

    def ids(self) -> Iterator[str]:
        """Finished recordings, in order of their ids."""
        for directory in sorted(self._root.iterdir()):
            if len(directory.name) == 2:
                yield from sorted(path.stem for path in directory.glob("*.mzr"))

    def remove(self, recording: str, *, by: str, reason: str, at_us: int) -> Tombstone:
        """Puts a tombstone in a recording's place; the tombstone is durable before the recording goes."""
        with self.open(recording) as source:
            stone = Tombstone(recording, at_us, by, reason, source.size(), _digest(source))
        fields = {name: getattr(stone, name) for name in Tombstone.__slots__}
        target = self._path(recording, ".gone")
        self._room_for(target)
        _write_new(target, json.dumps(fields, sort_keys=True).encode() + b"\n")
        for path in (
            self._path(recording),
            self._path(recording, ".wraps"),
            self._incoming / f"{recording}.mzr",
        ):
            path.unlink(missing_ok=True)
        sync_directory(target.parent)
        return stone

    def tombstone(self, recording: str) -> Tombstone | None:
        try:
            raw = self._path(recording, ".gone").read_bytes()
        except FileNotFoundError:
            return None
        return Tombstone(**json.loads(raw))

    def quarantine(self, recording: str, reason: str) -> None:
        """Sets a recording or an upload aside."""
        for path in (self._path(recording), self._incoming / f"{recording}.mzr"):
            if path.exists():
                (self._aside / f"{recording}.reason").write_text(reason + "\n", encoding="utf-8")
                os.rename(path, self._aside / path.name)
                sync_directory(self._aside)
                return
        raise UnknownRecording(f"no recording {recording}")

    def add_wraps(self, recording: str, wraps: Sequence[WrappedKey]) -> None:
        """Keeps further wraps of the content key beside a recording, in place of those kept before."""
        entries = [
            {"key_id": wrap.key_id, "ephemeral": b64(wrap.ephemeral), "sealed": b64(wrap.sealed)}
            for wrap in wraps
        ]
        _write_new(self._path(recording, ".wraps"), json.dumps({"keys": entries}).encode())

    def wraps(self, recording: str) -> tuple[WrappedKey, ...]:
        """The wraps kept beside a recording."""
        try:
            raw = self._path(recording, ".wraps").read_bytes()
        except FileNotFoundError:
            return ()
        entries = [Fields(entry, 0) for entry in Fields(raw, 0).items("keys", MAX_WRAPS)]
        return tuple(
            WrappedKey(
                entry.hex_text("key_id", 8), entry.base64("ephemeral", (32,)), entry.base64("sealed", (48,))
            )
            for entry in entries
        )


def check_id(recording: str) -> None:
    """Raises unless this can name a recording, and nothing outside its directory."""
    if not _ID.fullmatch(recording):
        raise MalformedInput("a recording id has 3 to 128 letters, digits, '-' or '_'")


def _write_all(fd: int, data: bytes, offset: int) -> None:
    left, at = memoryview(data), offset
    try:
        while left:
            written = os.pwrite(fd, left, at)
            left, at = left[written:], at + written
    except OSError as problem:
        os.ftruncate(fd, offset)
        raise DiskFull(f"the recording store cannot be written: {problem.strerror}") from problem


def _write_new(path: Path, raw: bytes) -> None:
    """A small file, whole or not at all."""
    beside = path.with_name(path.name + ".new")
    fd = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, raw)
        os.fsync(fd)
    finally:
        os.close(fd)
    os.rename(beside, path)
    sync_directory(path.parent)


def _digest(source: Source) -> str:
    digest, offset = hashlib.sha256(), 0
    while piece := source.read_at(offset, _COMPARE_BYTES):
        digest.update(piece)
        offset += len(piece)
    return digest.hexdigest()
