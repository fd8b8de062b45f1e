"""The old protocol of scp (`scp -O`), as its sender speaks it: which files, how long, whether whole.

Sans-I/O. Records are lines (`C0644 5 name`, `D0755 0 name`, `E`, `T…`, or a complaint that begins with byte 1
or 2); behind a `C` come that many bytes and a zero. What does not fit that is not followed any further.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

MAX_LINE: Final = 8_192
MAX_DEPTH: Final = 256

_RECORD: Final = re.compile(rb"([CD])[0-7]{4} ([0-9]{1,19}) ([^/\n]+)")


@dataclass(frozen=True, slots=True)
class Sent:
    """One file; `path` is below where the copy began."""

    path: str
    bytes: int
    ok: bool


class ScpRecords:
    def __init__(self) -> None:
        self._line = bytearray()
        self._below: list[str] = []
        self._name = ""
        self._size = self._left = 0
        self._is_in_file = False
        self.is_lost = False
        """What was sent could not be followed; nothing more is told."""

    def feed(self, data: bytes) -> list[Sent]:
        """The files that end in this piece."""
        found: list[Sent] = []
        at = 0
        while at < len(data) and not self.is_lost:
            if self._left:
                taken = min(self._left, len(data) - at)
                self._left -= taken
                at += taken
            elif self._is_in_file:
                found.append(Sent(self._path(self._name), self._size, data[at] == 0))
                self._is_in_file = False
                # A complaint instead of the zero goes on to the end of its line.
                at += data[at] == 0
            else:
                at = self._read_line(data, at)
        return found

    def rest(self) -> list[Sent]:
        """The file that was cut off, if one was."""
        if not self._is_in_file or self.is_lost:
            return []
        self._is_in_file = False
        return [Sent(self._path(self._name), self._size - self._left, ok=False)]

    def _read_line(self, data: bytes, at: int) -> int:
        if not self._line and data[at] == 0:
            return at + 1
        end = data.find(b"\n", at)
        self._line += data[at : end if end >= 0 else len(data)]
        if len(self._line) > MAX_LINE:
            self.is_lost = True
        elif end >= 0:
            self._follow(bytes(self._line))
            self._line.clear()
        return end + 1 if end >= 0 else len(data)

    def _follow(self, line: bytes) -> None:
        if line == b"E" and self._below:
            self._below.pop()
        elif (record := _RECORD.fullmatch(line)) is not None:
            name = record[3].decode("utf-8", "replace")
            if record[1] == b"D":
                self._below.append(name)
                self.is_lost = len(self._below) > MAX_DEPTH
            else:
                self._name, self._size = name, int(record[2])
                self._left, self._is_in_file = self._size, True
        elif line[:1] not in (b"T", b"\x01", b"\x02"):
            self.is_lost = True

    def _path(self, name: str) -> str:
        return "/".join((*self._below, name))
