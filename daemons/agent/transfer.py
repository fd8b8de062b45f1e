"""Files on their way, seen in passing: each one an event, and each held against the rule for copying.

For sftp, which scp speaks too unless told otherwise, the packets of both directions are followed: a file
that may not be opened is refused in the server's stead, the others are told of when they are closed, with the
bytes that really went. What the server confirmed counts, not what was asked. The old scp is followed by its
records; a run of rsync is one event.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from daemons.agent.copying import Copy, Direction, allows
from daemons.agent.scp_records import ScpRecords, Sent
from daemons.agent.sftp_packets import (
    END_OF_FILE,
    OK,
    PERMISSION_DENIED,
    Fields,
    Flag,
    Kind,
    Packets,
    status,
)
from mezite.errors import Invalid
from mezite.model.role import FileCopy

MAX_PENDING: Final = 4_096
"""Requests without an answer and open files, together; a client of good will has a hundred."""
MAX_PATH: Final = 4_096

_CHANGES: Final = frozenset(
    (Kind.SETSTAT, Kind.FSETSTAT, Kind.REMOVE, Kind.MKDIR, Kind.RMDIR, Kind.RENAME, Kind.SYMLINK)
)
_HARMLESS: Final = frozenset(
    (
        b"statvfs@openssh.com",
        b"fstatvfs@openssh.com",
        b"fsync@openssh.com",
        b"limits@openssh.com",
        b"expand-path@openssh.com",
        b"home-directory",
        b"users-groups-by-id@openssh.com",
    )
)
"""Extended requests that change nothing; others count as changes, also those still to come."""


@dataclass(frozen=True, slots=True)
class Transfer:
    path: str
    direction: Direction
    bytes: int
    ok: bool


Told = Callable[[Transfer], None]


@dataclass(slots=True)
class _File:
    path: str
    is_read: bool
    is_written: bool
    read: int = 0
    written: int = 0
    ok: bool = True


class RunSieve:
    """One run of a program that copies in one direction: everything passes, and the bytes are counted."""

    def __init__(self, direction: Direction, path: str, told: Told) -> None:
        self._direction, self._path, self._told = direction, path, told
        self._bytes = 0
        self._is_over = False

    def from_client(self, data: bytes) -> tuple[bytes, bytes]:
        if self._direction is Direction.UPLOAD:
            self._bytes += len(data)
        return data, b""

    def from_program(self, data: bytes) -> bytes:
        if self._direction is Direction.DOWNLOAD:
            self._bytes += len(data)
        return data

    def over(self, *, ok: bool) -> None:
        if not self._is_over:
            self._is_over = True
            self._told(Transfer(self._path[:MAX_PATH], self._direction, self._bytes, ok))


class ScpSieve(RunSieve):
    """The old scp: each file an event, as far as it can be followed; what cannot is one event for the run."""

    def __init__(self, copy: Copy, told: Told) -> None:
        assert copy.direction is not None, "scp tells its own"
        super().__init__(copy.direction, copy.path, told)
        self._records = ScpRecords()
        self._is_into = copy.is_into

    def from_client(self, data: bytes) -> tuple[bytes, bytes]:
        if self._direction is Direction.UPLOAD:
            self._follow(self._records.feed(data))
        return super().from_client(data)

    def from_program(self, data: bytes) -> bytes:
        if self._direction is Direction.DOWNLOAD:
            self._follow(self._records.feed(data))
        return super().from_program(data)

    def over(self, *, ok: bool) -> None:
        self._follow(self._records.rest())
        if self._records.is_lost:
            super().over(ok=False)

    def _follow(self, files: list[Sent]) -> None:
        for file in files:
            self._told(Transfer(self._place(file.path)[:MAX_PATH], self._direction, file.bytes, file.ok))

    def _place(self, below: str) -> str:
        if self._direction is Direction.DOWNLOAD:
            return posixpath.join(posixpath.dirname(self._path.rstrip("/")), below)
        # A single file may go to a name or into a directory; only scp itself looks which.
        return posixpath.join(self._path, below) if self._is_into or "/" in below else self._path


class SftpSieve:
    """`rule` is asked at each file, so that a change of rights holds from there on."""

    def __init__(self, rule: Callable[[], FileCopy], told: Told) -> None:
        self._rule, self._told = rule, told
        self._client, self._program = Packets(), Packets()
        self._opening: dict[int, _File] = {}
        self._closing: dict[int, bytes] = {}
        self._moving: dict[int, tuple[bytes, int]] = {}
        """Reads (0) and writes (their bytes) without an answer."""
        self._open: dict[bytes, _File] = {}

    def from_client(self, data: bytes) -> tuple[bytes, bytes]:
        passed: list[bytes] = []
        answers: list[bytes] = []
        for packet in self._client.feed(data):
            answer = self._asked(packet)
            (answers if answer else passed).append(answer or packet)
        return b"".join(passed), b"".join(answers)

    def from_program(self, data: bytes) -> bytes:
        packets = self._program.feed(data)
        for packet in packets:
            self._answered(packet)
        return b"".join(packets)

    def over(self, *, ok: bool) -> None:
        """Files still open were cut off, however the program ended."""
        for file in (*self._open.values(), *self._opening.values()):
            file.ok = False
            self._tell(file)
        self._open.clear()
        self._opening.clear()

    def _asked(self, packet: bytes) -> bytes:
        """Follows a request; the answer when it is refused here."""
        fields = Fields(packet)
        if fields.kind == Kind.INIT:
            return b""
        request = fields.number()
        if len(self._opening) + len(self._closing) + len(self._moving) + len(self._open) >= MAX_PENDING:
            raise Invalid("too many requests or open files at once", code="bad_sftp")
        match fields.kind:
            case Kind.OPEN:
                return self._asked_open(request, fields)
            case Kind.CLOSE:
                self._closing[request] = fields.string()
            case Kind.READ:
                self._moving[request] = (fields.string(), 0)
            case Kind.WRITE:
                handle = fields.string()
                fields.skip(8)
                self._moving[request] = (handle, fields.length())
            case kind if kind in _CHANGES:
                return self._refused_unless_upload(request)
            case Kind.EXTENDED if fields.string() not in _HARMLESS:
                return self._refused_unless_upload(request)
        return b""

    def _asked_open(self, request: int, fields: Fields) -> bytes:
        path = fields.string().decode("utf-8", "replace")[:MAX_PATH]
        flags = fields.number()
        file = _File(path, bool(flags & Flag.READ), bool(flags & ~int(Flag.READ)))
        rule = self._rule()
        wanted = [
            direction
            for direction, is_wanted in (
                (Direction.UPLOAD, file.is_written),
                (Direction.DOWNLOAD, file.is_read or not file.is_written),
            )
            if is_wanted
        ]
        if all(allows(rule, direction) for direction in wanted):
            self._opening[request] = file
            return b""
        file.ok = False
        self._tell(file)
        return _denied(request)

    def _refused_unless_upload(self, request: int) -> bytes:
        return b"" if allows(self._rule(), Direction.UPLOAD) else _denied(request)

    def _answered(self, packet: bytes) -> None:
        fields = Fields(packet)
        if fields.kind not in (Kind.STATUS, Kind.HANDLE, Kind.DATA):
            return
        request = fields.number()
        code = fields.number() if fields.kind == Kind.STATUS else OK
        if (opening := self._opening.pop(request, None)) is not None:
            if fields.kind == Kind.HANDLE:
                self._open[fields.string()] = opening
            else:
                opening.ok = False
                self._tell(opening)
        elif (moving := self._moving.pop(request, None)) is not None:
            self._moved(*moving, code, fields.length() if fields.kind == Kind.DATA else 0)
        elif (closing := self._closing.pop(request, None)) is not None:
            file = self._open.pop(closing, None)
            if file is not None:
                file.ok = file.ok and code == OK
                self._tell(file)

    def _moved(self, handle: bytes, written: int, code: int, read: int) -> None:
        file = self._open.get(handle)
        if file is None:
            return
        if code == OK:
            file.read += read
            file.written += written
        elif code != END_OF_FILE:
            file.ok = False

    def _tell(self, file: _File) -> None:
        if file.is_written:
            self._told(Transfer(file.path, Direction.UPLOAD, file.written, file.ok))
        if file.read or not file.is_written:
            self._told(Transfer(file.path, Direction.DOWNLOAD, file.read, file.ok))


def _denied(request: int) -> bytes:
    return status(request, PERMISSION_DENIED, "not allowed here by your roles")
