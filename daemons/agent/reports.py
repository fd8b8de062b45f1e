"""What this node has to tell, kept on disk until the hub has heard it.

Reports are numbered without gaps and never twice, also across restarts. Each is one line of the spool,
written before it is sent, and sent again on every line to the hub until it is heard: told at least once, in
order. When all is heard the spool is one line again, which says the next number.

Bounds: `WINDOW` reports are under way at once. A spool over `MAX_BYTES` is full: a node that can no longer
tell what happens opens no session.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from mezite.api.tunnel.orders import Fact, Report, Told
from mezite.clock import Clock, to_us
from mezite.errors import Damaged

WINDOW: Final = 256
MAX_BYTES: Final = 16 * 1024 * 1024
MAX_TEXT: Final = 4_096
NAME: Final = "reports"


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
        self._load()
        self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    @property
    def is_full(self) -> bool:
        return self._bytes >= MAX_BYTES

    def tell(
        self, kind: Told, connection_id: str, *, session_id: str = "", login: str = "", **facts: Fact
    ) -> None:
        report = Report(
            number=self._next,
            time_us=to_us(self._clock.now()),
            connection_id=connection_id,
            kind=kind,
            session_id=session_id,
            login=login,
            facts={name: _bounded(fact) for name, fact in facts.items()},
        )
        self._next += 1
        self._write(msgspec.json.encode(report))
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

    def _write(self, line: bytes) -> None:
        os.write(self._file, line + b"\n")
        self._bytes += len(line) + 1

    def _begin_again(self) -> None:
        """In one rename: a crash leaves the old spool or the short one, and either knows the next number."""
        beside = self._path.with_name(f".{NAME}.fresh")
        beside.unlink(missing_ok=True)
        fresh = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        os.write(fresh, msgspec.json.encode(_Head(self._next)) + b"\n")
        beside.replace(self._path)
        os.close(self._file)
        self._file, self._bytes = fresh, 0

    def _load(self) -> None:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return
        torn = lines.pop()
        try:
            for line in lines:
                if line.startswith(b'{"next"'):
                    self._next = msgspec.json.decode(line, type=_Head).next
                else:
                    self._unheard.append(msgspec.json.decode(line, type=Report))
                    self._next = self._unheard[-1].number + 1
        except msgspec.DecodeError:
            raise Damaged(f"{self._path}: it is not what this agent wrote there; move it away") from None
        self._bytes = sum(map(len, lines))
        if torn:
            # A crash in the middle of a line: it was never said, so its number is free.
            os.truncate(self._path, self._bytes + len(lines))


def _bounded(fact: Fact) -> Fact:
    return fact if not isinstance(fact, str) else fact.encode("utf-8", "replace").decode()[:MAX_TEXT]
