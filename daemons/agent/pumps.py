"""Bytes between a descriptor and a channel, with flow control both ways and bounded memory.

An `Outflow` reads what a program says, and stops reading while whoever takes it is full. An `Inflow` writes
what a client says, and tells when it is full itself. Neither closes its descriptor. The last byte a program
wrote is read before the flow is over: its end is the descriptor's end, or, where something that was left
running holds the descriptor open, that nothing more is there after the program ended.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Final

READ_BYTES: Final = 64 * 1024
MAX_WAITING: Final = 128 * 1024
"""Input a program has not taken; beyond it the client is told to wait."""


class Outflow:
    def __init__(self, descriptor: int, taken: Callable[[bytes], None], over: Callable[[], None]) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._taken = taken
        self._over = over
        self._loop = asyncio.get_running_loop()
        self._is_paused = self._is_last = self._is_over = self._is_listening = False
        self._listen()

    def pause(self) -> None:
        self._is_paused = True
        self._deafen()

    def resume(self) -> None:
        self._is_paused = False
        if self._is_over:
            return
        self._listen()
        if self._is_last:
            self._loop.call_soon(self._read_rest)

    def finish(self) -> None:
        """The program has ended: what is there is all that comes."""
        self._is_last = True
        if not self._is_paused:
            self._read_rest()

    def stop(self) -> None:
        """Reads no more, and tells nobody."""
        self._is_over = True
        self._deafen()

    def _read_rest(self) -> None:
        while not (self._is_paused or self._is_over):
            self._read()

    def _read(self) -> None:
        if self._is_over:
            return
        try:
            data = os.read(self._descriptor, READ_BYTES)
        except BlockingIOError:
            if self._is_last:
                self._end()
            return
        except OSError:
            # A terminal whose last program has gone says EIO where a pipe says nothing.
            data = b""
        if data:
            self._taken(data)
        else:
            self._end()

    def _end(self) -> None:
        self.stop()
        self._over()

    def _listen(self) -> None:
        if not self._is_listening:
            self._is_listening = True
            self._loop.add_reader(self._descriptor, self._read)

    def _deafen(self) -> None:
        if self._is_listening:
            self._is_listening = False
            self._loop.remove_reader(self._descriptor)


class Inflow:
    """`wait` and `go` are what the sender is told; `drained` is called once all is written after `end`."""

    def __init__(
        self,
        descriptor: int,
        *,
        wait: Callable[[], None],
        go: Callable[[], None],
        drained: Callable[[], None] = lambda: None,
    ) -> None:
        os.set_blocking(descriptor, False)
        self._descriptor = descriptor
        self._wait, self._go, self._drained = wait, go, drained
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._is_full = self._is_ending = self._is_over = self._is_writing = False

    def write(self, data: bytes) -> None:
        """Takes all of it. What a program that reads no more is sent is dropped, as a closed pipe does."""
        if self._is_over or self._is_ending:
            return
        self._waiting += data
        if self._is_writing:
            self._tell()
        else:
            self._push()

    def end(self) -> None:
        """Nothing more comes."""
        self._is_ending = True
        if not self._waiting:
            self._finish()

    def stop(self) -> None:
        self._is_over = True
        self._waiting.clear()
        self._rest()

    def _push(self) -> None:
        try:
            while self._waiting:
                written = os.write(self._descriptor, self._waiting[:READ_BYTES])
                del self._waiting[:written]
        except BlockingIOError:
            pass
        except OSError:
            self._waiting.clear()
            self._is_ending = True
        if self._waiting:
            self._work()
        else:
            self._rest()
            if self._is_ending:
                self._finish()
        self._tell()

    def _tell(self) -> None:
        is_full = len(self._waiting) > MAX_WAITING
        if is_full and not self._is_full:
            self._is_full = True
            self._wait()
        elif self._is_full and not self._waiting:
            self._is_full = False
            self._go()

    def _finish(self) -> None:
        if not self._is_over:
            self.stop()
            self._drained()

    def _work(self) -> None:
        if not self._is_writing:
            self._is_writing = True
            self._loop.add_writer(self._descriptor, self._push)

    def _rest(self) -> None:
        if self._is_writing:
            self._is_writing = False
            self._loop.remove_writer(self._descriptor)
