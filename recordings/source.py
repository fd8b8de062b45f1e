"""Where a recording's bytes are read from: at an offset, never past what is there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol, Self


class Source(Protocol):
    """Random access to a recording that may still be growing."""

    def size(self) -> int: ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to `length` bytes from `offset`; fewer only at the end."""
        ...


class BytesSource:
    """A recording in memory."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def size(self) -> int:
        return len(self._raw)

    def read_at(self, offset: int, length: int) -> bytes:
        return self._raw[offset : offset + length]


class FileSource:
    """A recording in a file. Close it, or use it as a context manager."""

    __slots__ = ("_fd",)

    def __init__(self, path: Path) -> None:
        # O_NONBLOCK: a name that turns out to be a pipe must not hang its reader
        self._fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)

    def size(self) -> int:
        return os.fstat(self._fd).st_size

    def read_at(self, offset: int, length: int) -> bytes:
        pieces = []
        while length > 0:
            piece = os.pread(self._fd, length, offset)
            if not piece:
                break
            pieces.append(piece)
            offset += len(piece)
            length -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
