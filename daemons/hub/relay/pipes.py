"""The pipes that bytes are spliced through: few, and lent only while bytes move in bulk.

The kernel counts an ordinary user's pipes (`pipe-user-pages-soft`, 64 MiB by default, shared with whatever
else the user runs) and gives ever smaller ones past that, so a pipe for each direction of two thousand pairs
is not to be had. Whoever gets none copies instead. A pipe comes back empty or not at all.
"""

from __future__ import annotations

import errno
import fcntl
import os
from contextlib import suppress
from typing import Final

SIZE: Final = 256 * 1024
MOST: Final = 64
"""16 MiB in all, a quarter of what an ordinary user may have."""
SPARE: Final = 8
_NEVER_AGAIN: Final = (errno.EINVAL, errno.ENOSYS, errno.EPERM, errno.EACCES)


class Pipe:
    __slots__ = ("held", "reader", "writer")

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.held = 0
        with suppress(PermissionError):  # Past the user's share it stays as it came: slower, and right.
            fcntl.fcntl(self.writer, fcntl.F_SETPIPE_SZ, SIZE)

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


class Pipes:
    def __init__(self, *, most: int = MOST) -> None:
        self._most = most
        self._spare: list[Pipe] = []
        self._lent = 0

    @property
    def lent(self) -> int:
        return self._lent

    def take(self) -> Pipe | None:
        """An empty pipe, or none: then copy."""
        if self._spare:
            self._lent += 1
            return self._spare.pop()
        if self._lent >= self._most:
            return None
        try:
            pipe = Pipe()
        except OSError:
            return None
        self._lent += 1
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        self._lent -= 1
        if pipe.held or len(self._spare) >= min(SPARE, self._most):
            pipe.close()
        else:
            self._spare.append(pipe)

    def refused(self, error: OSError) -> bool:
        """Whether splicing as such is not to be had here; then nobody gets a pipe again."""
        if error.errno not in _NEVER_AGAIN:
            return False
        self._most = 0
        self.close()
        return True

    def close(self) -> None:
        while self._spare:
            self._spare.pop().close()
