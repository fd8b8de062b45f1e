"""What this node has to tell, kept on disk until the hub has heard it.

Reports are numbered without gaps and never twice, also across restarts. Each is one line of the spool,
written before it is sent, and sent again on every line to the hub until it is heard: told at least once, in
order. When all is heard the spool is one line again, which says the next number.

Bounds: `WINDOW` reports are under way at once. A spool over `MAX_BYTES`, or on a disk that takes no more, is
full: a node that can no longer tell what happens opens no session. What goes on meanwhile is lost beyond
`ROOM_FOR_ENDS`, which ends of sessions may still fill; how much was lost is told with the next report. A
report that is not on disk has no number, and is never sent: its number would come again after a crash.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from mezite.api.tunnel.orders import Fact, Report, Told
from mezite.clock import Clock, to_us
from mezite.errors import Damaged

log = logging.getLogger(__name__)

WINDOW: Final = 256
MAX_BYTES: Final = 16 * 1024 * 1024
ROOM_FOR_ENDS: Final = 1024 * 1024
"""Beyond `MAX_BYTES`, for the ends of what was open when it was reached."""
MAX_TEXT: Final = 4_096
NAME: Final = "reports"
_ENDS: Final = frozenset((Told.SESSION_END, Told.CONNECTION_END))
_NUMBER: Final = re.compile(rb'"number":([0-9]{1,15})')


class _Head(msgspec.Struct, frozen=True):
    next: int


class Reports:
    """Opens the spool in this directory, or makes one."""

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._path = directory / NAME
        self._clock = clock
        self._send: Callable[[Report], object] | None = None
        self._unheard: deque[Report] = deque()
        self._sent = 0
        """How many of those unheard are under way."""
        self._next = 1
        self._bytes = 0
        """Of the spool, as it is on disk."""
        self._lost = 0
        self._is_failing = False
        """The disk took no more when it was last tried."""
        self._load()
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    @property
    def is_full(self) -> bool:
        return self._is_failing or self._bytes >= MAX_BYTES

    def tell(
        self, kind: Told, connection_id: str, *, session_id: str = "", login: str = "", **facts: Fact
    ) -> None:
        """Never raises: whoever tells is ending something, and has to go on with that."""
        if self._lost and kind is not Told.CONNECTION_END:
            facts["lost"] = self._lost
        report = Report(
            number=self._next,
            time_us=to_us(self._clock.now()),
            connection_id=connection_id,
            kind=kind,
            session_id=session_id,
            login=login,
            facts={name: _bounded(fact) for name, fact in facts.items()},
        )
        line = msgspec.json.encode(report) + b"\n"
        if not self._has_room(kind) or not self._write(line):
            if not self._lost:
                log.error("what happens here can no longer be told; no session is opened until it can")
            self._lost += 1
            return
        if "lost" in facts:
            log.warning("%d reports were lost", self._lost)
            self._lost = 0
        self._next += 1
        self._unheard.append(report)
        self._push()

    def line_is(self, send: Callable[[Report], object] | None) -> None:
        """A line came, or went; on a fresh one everything unheard is told again."""
        self._send = send
        self._sent = 0
        self._push()

    def heard(self, number: int) -> None:
        """Up to this number, which must have been said."""
        while self._unheard and self._sent and self._unheard[0].number <= number:
            self._unheard.popleft()
            self._sent -= 1
        if not self._unheard:
            self._begin_again()
        self._push()

    def close(self) -> None:
        os.close(self._file)

    def _push(self) -> None:
        while self._send is not None and self._sent < min(WINDOW, len(self._unheard)):
            report = self._unheard[self._sent]
            self._sent += 1
            self._send(report)

    def _has_room(self, kind: Told) -> bool:
        return self._bytes < MAX_BYTES + (ROOM_FOR_ENDS if kind in _ENDS else 0)

    def _write(self, line: bytes) -> bool:
        """A line is there as a whole or not at all: half of one would spoil the next."""
        try:
            _write_all(self._file, line)
        except OSError:
            self._is_failing = True
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, self._bytes)
            return False
        self._is_failing = False
        self._bytes += len(line)
        return True

    def _begin_again(self) -> None:
        """In one rename: a crash leaves the old spool or the short one, and either knows the next number.

        A disk that is full leaves the old one, which is told again after a restart, and not taken twice.
        """
        beside = self._path.with_name(f".{NAME}.fresh")
        head = msgspec.json.encode(_Head(self._next)) + b"\n"
        try:
            beside.unlink(missing_ok=True)
            fresh = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError:
            return
        try:
            _write_all(fresh, head)
            beside.replace(self._path)
        except OSError:
            os.close(fresh)
            return
        os.close(self._file)
        self._file, self._bytes, self._is_failing = fresh, len(head), False

    def _load(self) -> None:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        torn = lines.pop()
        good = [self._loaded(line) for line in lines]
        if lines and not any(good):
            raise Damaged(f"{self._path}: it is not what this agent wrote there; move it away")
        self._bytes = sum(map(len, lines)) + len(lines)
        if torn:
            # A crash in the middle of a line: it was never said, so its number is free.
            os.truncate(self._path, self._bytes)

    def _loaded(self, line: bytes) -> bool:
        """A line that is none is passed over with the numbers in it, which may have been said."""
        try:
            if line.startswith(b'{"next"'):
                self._next = msgspec.json.decode(line, type=_Head).next
            else:
                self._unheard.append(msgspec.json.decode(line, type=Report))
                self._next = self._unheard[-1].number + 1
        except msgspec.DecodeError:
            log.error("%s: a line in it is damaged and was passed over", self._path)
            numbers = [int(number) for number in _NUMBER.findall(line)]
            self._next = max([self._next, *numbers]) + 1
            return False
        return True


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]


def _bounded(fact: Fact) -> Fact:
    return fact if not isinstance(fact, str) else fact.encode("utf-8", "replace").decode()[:MAX_TEXT]
