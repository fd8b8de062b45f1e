"""Packets of SFTP (version 3, as OpenSSH speaks it): bytes in, whole packets out, and the fields we look at.

Bytes only; nobody here owns a channel. A length that OpenSSH itself would refuse is refused before a byte of
it is kept, and a reader that refused something stays refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag
from typing import Final

from mezite.errors import Invalid

MAX_PACKET: Final = 256 * 1024
MAX_STRING: Final = 64 * 1024


class Kind(IntEnum):
    INIT = 1
    OPEN = 3
    CLOSE = 4
    READ = 5
    WRITE = 6
    SETSTAT = 9
    FSETSTAT = 10
    REMOVE = 13
    MKDIR = 14
    RMDIR = 15
    RENAME = 18
    SYMLINK = 20
    STATUS = 101
    HANDLE = 102
    DATA = 103
    EXTENDED = 200


class Flag(IntFlag):
    READ = 0x01
    WRITE = 0x02
    APPEND = 0x04
    CREATE = 0x08
    TRUNCATE = 0x10


OK: Final = 0
END_OF_FILE: Final = 1
PERMISSION_DENIED: Final = 3


class Packets:
    """A stream taken apart. A packet keeps its length in front, so that passing it on is one join."""

    def __init__(self) -> None:
        self._pending = bytearray()
        self._broken = False

    def feed(self, data: bytes) -> list[bytes]:
        if self._broken:
            raise _nonsense()
        self._pending += data
        packets: list[bytes] = []
        start = 0
        while len(self._pending) - start >= 4:
            length = int.from_bytes(self._pending[start : start + 4], "big")
            if not 1 <= length <= MAX_PACKET:
                self._broken = True
                self._pending.clear()
                raise _nonsense()
            end = start + 4 + length
            if len(self._pending) < end:
                break
            packets.append(bytes(self._pending[start:end]))
            start = end
        del self._pending[:start]
        return packets


@dataclass(slots=True)
class Fields:
    """Reads the fields of one packet in order; `Invalid` when one is cut short."""

    packet: bytes
    at: int = 5

    @property
    def kind(self) -> int:
        return self.packet[4]

    def number(self) -> int:
        return int.from_bytes(self._take(4), "big")

    def skip(self, size: int) -> None:
        self._take(size)

    def length(self) -> int:
        """Of a string whose contents are passed over."""
        size = self.number()
        self._check(size)
        self.at += size
        return size

    def string(self) -> bytes:
        size = self.number()
        if size > MAX_STRING:
            raise _nonsense()
        return self._take(size)

    def _take(self, size: int) -> bytes:
        self._check(size)
        self.at += size
        return self.packet[self.at - size : self.at]

    def _check(self, size: int) -> None:
        if self.at + size > len(self.packet):
            raise _nonsense()


def status(request: int, code: int, message: str) -> bytes:
    """An answer, as a server would give it."""
    text = message.encode()
    body = bytes([Kind.STATUS]) + _u32(request) + _u32(code) + _u32(len(text)) + text + _u32(0)
    return _u32(len(body)) + body


def _u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _nonsense() -> Invalid:
    return Invalid("what was sent is not SFTP", code="bad_sftp")
