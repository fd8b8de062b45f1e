"""One relay as its hub knows it: what it carries, and what it was asked and has not answered.

1. It is given pairs only after it has said which it carries; from then on both know the same.
2. Whatever was handed over and not answered is cut, at once or when the relay is found again: whoever handed
   it over was told that it failed.
3. An end is told on before the relay hears that it was heard, so it may be told twice, and never not at all.
4. A relay that does not answer is asked again; it is given up when nobody is behind its socket.
5. A cut is no request: a relay that does not carry it out is killed, and all it carries is lost with it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from uuid import UUID

from daemons.hub.proxy.relay_line import RelayLine
from daemons.hub.relay import wire
from daemons.hub.relay.wire import (
    Cut,
    Drain,
    Ended,
    Heard,
    List,
    Message,
    Pairs,
    Ready,
    Refusal,
    Refused,
    Take,
    Taken,
)
from daemons.lifecycle import crew
from mezite.errors import MeziteError, Unavailable

log = logging.getLogger(__name__)

ANSWER_S: Final = 10.0
ASK_AGAIN_S: Final = 1.0
ENDS_MAX: Final = 256
"""Ends that were read and not yet told on. While so many wait the relay is not read, and keeps the others."""
ANY_RELEASE: Final = ""
"""Of a relay that somebody else starts, and replaces when it is time."""
LOST: Final = "lost with its relay"

Told = Callable[[str, int, int, str], Awaitable[None]]
"""A connection's id, the bytes delivered to the agent and to the client, and why it is over."""


@dataclass(slots=True, eq=False)
class Carrier:
    path: Path
    release: str
    told: Told
    changed: Callable[[], None]
    """Called when it begins or ceases to take pairs."""
    settled: asyncio.Event = field(default_factory=asyncio.Event)
    """What it carries is known, or that it will not be known."""
    pid: int = 0
    is_taking: bool = False
    is_ours: bool = False
    """Started by a hub, and of no use without one."""
    _has_complained: bool = False
    _line: RelayLine | None = None
    _process: int | None = None
    # Each event is set when the pair is over.
    _carried: dict[bytes, asyncio.Event] = field(default_factory=dict)
    _asked: dict[bytes, asyncio.Future[bool]] = field(default_factory=dict)
    # What it must cut as soon as it has said what it carries.
    _unwanted: set[bytes] = field(default_factory=set)

    @property
    def load(self) -> int:
        return len(self._carried) + len(self._asked)

    @property
    def carried(self) -> frozenset[str]:
        return frozenset(map(connection_id, self._carried))

    def carries(self, pair: bytes) -> bool:
        return pair in self._carried

    async def take(self, order: Take, client: socket.socket, agent: socket.socket) -> bool:
        """Whether it took the pair. Raises when that is not known; then nobody else may be asked."""
        line = self._line
        if line is None:
            return False
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._asked[order.pair] = answer
        try:
            async with asyncio.timeout(ANSWER_S):
                await line.send(order, (client, agent))
                return await answer
        except TimeoutError:
            # It may be stopped for good; it is given nothing more before it has greeted again.
            self._unwanted.add(order.pair)
            self._take_no_more()
            line.break_off()
            raise Unavailable("the relay does not answer; try again", code="relay_lost") from None
        except BaseException:
            self._take_back(order.pair, line)
            raise
        finally:
            del self._asked[order.pair]

    def _take_back(self, pair: bytes, line: RelayLine) -> None:
        try:
            if line.send_at_once(Cut(pair)):
                return
        except Unavailable:
            pass
        self._unwanted.add(pair)
        line.break_off()

    async def cut(self, pair: bytes) -> None:
        """Returns when no byte of it moves any more: rule 5."""
        over = self._carried[pair]
        # Without a line now, or should it break, it is cut when the relay is found again.
        self._unwanted.add(pair)
        if not await self._is_over(over, Cut(pair)):
            self._kill()
            if not await self._is_over(over):
                raise Unavailable("the relay did not cut the connection", code="relay_lost")
        self._unwanted.discard(pair)

    async def _is_over(self, over: asyncio.Event, order: Cut | None = None) -> bool:
        """In time; an order is given first if there is a line to give it on."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ANSWER_S):
                if order is not None and self._line is not None:
                    with suppress(Unavailable):
                        await self._line.send(order)
                await over.wait()
        return over.is_set()

    def _kill(self) -> None:
        log.error("relay %s does not cut a connection that must end: killing it", self.path.stem)
        if self._process is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, signal.SIGKILL)

    def _know(self, process: int) -> None:
        """Holds on to the process itself: its number may be another's by the time it must be killed."""
        self._forget_process()
        self.pid = process
        with suppress(ProcessLookupError):
            self._process = os.pidfd_open(process)

    def _forget_process(self) -> None:
        if self._process is not None:
            os.close(self._process)
            self._process = None

    async def drain(self, *, at_once: bool) -> None:
        self._take_no_more()
        if self._line is not None:
            with suppress(Unavailable):
                await self._line.send(Drain(at_once))

    async def keep(self) -> None:
        """Until nobody is behind the socket. What it carried then is lost."""
        try:
            while (line := self._connected()) is not None:
                try:
                    spoke = await self._spoken_with(line)
                finally:
                    line.close()
                if not spoke:
                    await asyncio.sleep(ASK_AGAIN_S)
            await self._lose(frozenset(self._carried))
        finally:
            self._forget_process()
            self.settled.set()

    def _connected(self) -> RelayLine | None:
        try:
            return RelayLine.open(self.path)
        except OSError:
            return None

    async def _spoken_with(self, line: RelayLine) -> bool:
        """Whether there was a conversation, which is then over."""
        try:
            ready = await line.greet()
        except (MeziteError, TimeoutError):
            return self._complain("it does not answer; asking again")
        if ready.protocol != wire.PROTOCOL:
            return self._complain(f"it speaks protocol {ready.protocol}, and is left alone")
        self._know(ready.pid)
        self.is_ours, self._has_complained = ready.release != ANY_RELEASE, False
        ends: asyncio.Queue[Ended] = asyncio.Queue(ENDS_MAX)
        async with crew() as start:
            start(self._tell_on(line, ends), name=f"ends of relay {self.path.stem}")
            try:
                await self._converse(line, ready, ends)
            except MeziteError as error:
                log.info("relay %s: %s", self.path.stem, error)
            self._line = None
            self._take_no_more()
            self._fail_asked()
            await ends.join()
        return True

    def _complain(self, of: str) -> bool:
        """Once, however often it is asked again."""
        if not self._has_complained:
            log.warning("relay %s: %s", self.path.stem, of)
        self._has_complained = True
        self.settled.set()
        return False

    async def _converse(self, line: RelayLine, ready: Ready, ends: asyncio.Queue[Ended]) -> None:
        await self._compare(line, ends)
        self._line = line
        if not ready.draining and ready.release not in (ANY_RELEASE, self.release):
            log.info("relay %s is of release %r: it ends with its pairs", self.path.stem, ready.release)
            await line.send(Drain(at_once=False))
        else:
            self.is_taking = not ready.draining
        self.settled.set()
        self.changed()
        while True:
            await self._hear(await line.receive(), ends)

    async def _compare(self, line: RelayLine, ends: asyncio.Queue[Ended]) -> None:
        """Asks what it carries, page by page; what it no longer knows of is lost."""
        listed: set[bytes] = set()
        asked: List | None = List()
        while asked is not None:
            await line.send(asked)
            asked = None
            while not isinstance(message := await line.receive(), Pairs):
                await self._hear(message, ends)
                if isinstance(message, Ended):
                    listed.discard(message.pair)
            listed |= {entry.pair for entry in message.entries}
            if message.more and message.entries:
                asked = List(message.entries[-1].pair)
        await self._lose(self._carried.keys() - listed)
        for pair in listed:
            self._carried.setdefault(pair, asyncio.Event())
        for pair in self._unwanted & listed:
            await line.send(Cut(pair))
        self._unwanted.clear()

    async def _hear(self, message: Message, ends: asyncio.Queue[Ended]) -> None:
        match message:
            case Taken(pair):
                self._carried.setdefault(pair, asyncio.Event())
                self._answer(pair, taken=True)
            case Refused(pair, why):
                log.warning("relay %s did not take a pair: %s", self.path.stem, why.words)
                self._answer(pair, taken=False)
                if why is Refusal.DRAINING:
                    self._take_no_more()
            case Ended(pair):
                self._forget(pair)
                await ends.put(message)
            case _:
                raise wire.Malformed("a relay says what only a hub says")

    def _take_no_more(self) -> None:
        self.is_taking = False
        self.changed()

    def _answer(self, pair: bytes, *, taken: bool) -> None:
        if (asked := self._asked.get(pair)) is not None and not asked.done():
            asked.set_result(taken)

    def _fail_asked(self) -> None:
        for asked in self._asked.values():
            if not asked.done():
                asked.set_exception(Unavailable("the relay is gone; try again", code="relay_lost"))

    def _forget(self, pair: bytes) -> None:
        if (over := self._carried.pop(pair, None)) is not None:
            over.set()

    async def _tell_on(self, line: RelayLine, ends: asyncio.Queue[Ended]) -> None:
        while True:
            ended = await ends.get()
            try:
                await self.told(connection_id(ended.pair), ended.up, ended.down, ended.end.words)
                await line.send(Heard(ended.pair))
            except MeziteError as error:
                # The relay keeps it, and tells of it again on the next connection.
                log.warning("the end of a connection was not taken note of: %s", error)
            finally:
                ends.task_done()

    async def _lose(self, pairs: frozenset[bytes] | set[bytes]) -> None:
        for pair in pairs:
            self._forget(pair)
            try:
                await self.told(connection_id(pair), 0, 0, LOST)
            except MeziteError as error:
                log.warning("the loss of a connection was not taken note of: %s", error)


def connection_id(pair: bytes) -> str:
    return str(UUID(bytes=pair))


def pair_id(connection: str) -> bytes:
    return UUID(connection).bytes
