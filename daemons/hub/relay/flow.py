"""One direction of a pair: what one socket says is what the other hears, and its end is the other's end.

Sockets do not block and are watched edge-triggered, once, for good: a flow therefore always goes on until
the kernel says "not now", and a quarter of a stall is not two system calls to be told of its end. What is
small is copied, what comes in bulk is spliced. A sink that does not read stops its source: held are at most
one pipe, or one copy of `COPY_BYTES`, and beyond that only what the kernel's own buffers hold.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from typing import Final

from daemons.hub.relay.pipes import SIZE, Pipe, Pipes
from daemons.hub.relay.states import Event, Flowing, flowed

COPY_BYTES: Final = 16 * 1024
TURN_BYTES: Final = 1024 * 1024
"""What one flow may move before the others have their turn."""
_SPLICE: Final = 0x1 | 0x2  # SPLICE_F_MOVE | SPLICE_F_NONBLOCK: the `os` of Python 3.11 has no names for them
_WAIT: Final = (BlockingIOError, InterruptedError)


class Flow:
    __slots__ = (
        "_bulk",
        "_ending_soon",
        "_pipe",
        "_pipes",
        "_rest",
        "_scratch",
        "_sink",
        "_source",
        "broken",
        "moved",
        "source_failed",
        "state",
    )

    def __init__(
        self, source: socket.socket, sink: socket.socket, pipes: Pipes, scratch: memoryview, first: bytes
    ) -> None:
        """`scratch` holds `COPY_BYTES` and may serve any number of flows of one thread."""
        self._source, self._sink = source, sink
        self._pipes, self._scratch = pipes, scratch
        self._pipe: Pipe | None = None
        self._rest = first
        self._bulk = False
        self._ending_soon = False
        self.state = Flowing.MOVING
        self.moved = 0
        """Bytes the sink's kernel has taken."""
        self.broken = self.source_failed = False

    def source_says_it_ends(self) -> None:
        """The end is not told twice: from here on a short read does not mean that there is no more."""
        self._ending_soon = True

    @property
    def is_stuck(self) -> bool:
        """Bytes are held because the sink takes none; nothing is gained by looking at the source."""
        return bool(self._rest) or self._pipe is not None

    def pump(self) -> bool:
        """Moves what can be moved; true when it stopped only because others have to have their turn."""
        limit = self.moved + TURN_BYTES
        while self.state is not Flowing.OVER:
            if self.state is Flowing.DISCARDING:
                return self._discard()
            try:
                delivered = self._deliver()
            except OSError:
                self.sink_lost()
                continue
            if not delivered:
                return False
            if self.state is Flowing.ENDING:
                self._finish()
            elif self.moved >= limit:
                return True
            elif not self._fetch():
                self._let_go_of_pipe()
                return False
        return False

    def sink_lost(self) -> None:
        self.broken = True
        self._step(Event.SINK_LOST)
        self._forget()

    def stop(self) -> None:
        if self.state is not Flowing.OVER:
            self._step(Event.STOPPED)
        self._forget()

    def _step(self, event: Event) -> None:
        self.state = flowed(self.state, event)

    def _deliver(self) -> bool:
        """Whether nothing is held any more."""
        try:
            while self._rest:
                sent = self._sink.send(self._rest)
                self._rest = self._rest[sent:]
                self.moved += sent
            while self._pipe is not None and self._pipe.held:
                self._splice_out(self._pipe)
        except _WAIT:
            return False
        return True

    def _splice_out(self, pipe: Pipe) -> None:
        try:
            sent = os.splice(pipe.reader, self._sink.fileno(), pipe.held, flags=_SPLICE)
        except OSError as error:
            if isinstance(error, _WAIT) or not self._pipes.refused(error):
                raise
            self._rest = os.read(pipe.reader, pipe.held)
            pipe.held = 0
            self._deliver()
            return
        pipe.held -= sent
        self.moved += sent

    def _fetch(self) -> bool:
        """Takes some bytes from the source, which nothing holds; whether there may be more after them."""
        try:
            if self._bulk:
                return self._splice_in()
            return self._copy()
        except _WAIT:
            self._bulk = False
            return False
        except OSError:
            self.broken = self.source_failed = True
            self._step(Event.SOURCE_ENDED)
            return True

    def _copy(self) -> bool:
        length = self._source.recv_into(self._scratch, COPY_BYTES)
        if not length:
            self._step(Event.SOURCE_ENDED)
            return True
        self._bulk = length == COPY_BYTES
        self._send(self._scratch[:length])
        return self._bulk or self._ending_soon or bool(self._rest)

    def _send(self, data: memoryview) -> None:
        """Straight from the scratch buffer; only what the sink does not take at once is kept."""
        try:
            sent = self._sink.send(data)
        except OSError:
            sent = 0  # Whatever it is, delivering the rest meets it again.
        self.moved += sent
        self._rest = bytes(data[sent:])

    def _splice_in(self) -> bool:
        pipe = self._pipe or self._pipes.take()
        if pipe is None:
            return self._copy()
        self._pipe = pipe
        try:
            length = os.splice(self._source.fileno(), pipe.writer, SIZE, flags=_SPLICE)
        except OSError as error:
            if isinstance(error, _WAIT) or not self._pipes.refused(error):
                raise
            self._let_go_of_pipe()
            return self._copy()
        if not length:
            self._step(Event.SOURCE_ENDED)
        pipe.held = length
        return True

    def _discard(self) -> bool:
        try:
            for _ in range(TURN_BYTES // COPY_BYTES):
                if not self._source.recv_into(self._scratch, COPY_BYTES):
                    self._step(Event.SOURCE_ENDED)
                    return False
        except _WAIT:
            return False
        except OSError:
            self._step(Event.SOURCE_ENDED)
            return False
        return True

    def _finish(self) -> None:
        with suppress(OSError):
            self._sink.shutdown(socket.SHUT_WR)
        self._step(Event.DELIVERED)
        self._forget()

    def _forget(self) -> None:
        self._rest = b""
        self._let_go_of_pipe()

    def _let_go_of_pipe(self) -> None:
        if self._pipe is not None:
            self._pipes.give_back(self._pipe)
            self._pipe = None
