"""One hub's connection to one relay: messages and descriptors out, messages in. When and why is `relays`'s.

asyncio has no transport for SOCK_SEQPACKET, so this waits on the socket itself. Nothing is queued: whoever
sends waits until the relay's end has room, whoever is slow to read makes the relay wait.
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from daemons.hub.relay import wire
from daemons.hub.relay.door import short
from daemons.hub.relay.wire import Hello, Message, Ready
from mezite.errors import Denied, Unavailable

GREETING_S: Final = 5.0
IN_FLIGHT_S: Final = 0.01
_CREDENTIALS: Final = struct.Struct("3i")


class RelayLine:
    def __init__(self, peer: socket.socket) -> None:
        self._peer = peer
        self._turn = asyncio.Lock()

    @classmethod
    def open(cls, path: Path) -> Self:
        """Connected, to a process of this user; an `OSError` when nobody is there."""
        peer = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            peer.settimeout(0)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * wire.LARGEST)
            directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                # A unix socket connects at once or not at all.
                peer.connect(short(directory, path.name))
            finally:
                os.close(directory)
            _pid, uid, _gid = _CREDENTIALS.unpack(
                peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
            )
            if uid != os.geteuid():
                raise Denied(f"behind {path} is a process of user {uid}, which gets no connection of ours")
        except BaseException:
            peer.close()
            raise
        return cls(peer)

    async def greet(self) -> Ready:
        async with asyncio.timeout(GREETING_S):
            await self.send(Hello(wire.PROTOCOL))
            return _only(await self.receive(), Ready)

    async def send(self, message: Message, sockets: Sequence[socket.socket] = ()) -> None:
        packet, descriptors = wire.encode(message), [each.fileno() for each in sockets]
        async with self._turn:
            while not self._sent(packet, descriptors):
                await self._writable()

    def send_at_once(self, message: Message) -> bool:
        """For whoever may not wait: whether it left."""
        return not self._turn.locked() and self._sent(wire.encode(message), [])

    def _sent(self, packet: bytes, descriptors: list[int]) -> bool:
        try:
            socket.send_fds(self._peer, [packet], descriptors)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.ETOOMANYREFS:
                return False
            raise Unavailable("the relay is gone", code="relay_lost") from None
        return True

    async def _writable(self) -> None:
        loop = asyncio.get_running_loop()
        free = asyncio.Event()
        loop.add_writer(self._peer, free.set)
        try:
            await free.wait()
            # Descriptors in flight have a limit of their own, which says nothing when there is room again.
            await asyncio.sleep(IN_FLIGHT_S)
        finally:
            loop.remove_writer(self._peer)

    async def receive(self) -> Message:
        """The next message; `Unavailable` when there will be none."""
        try:
            packet = await asyncio.get_running_loop().sock_recv(self._peer, wire.LARGEST)
        except OSError:
            packet = b""
        if not packet:
            raise Unavailable("the relay is gone", code="relay_lost")
        return wire.decode(packet)

    def break_off(self) -> None:
        """Whoever receives hears that it is over."""
        with suppress(OSError):
            self._peer.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(ValueError):
            asyncio.get_running_loop().remove_reader(self._peer)
        self._peer.close()


def _only(message: Message, kind: type[Ready]) -> Ready:
    if not isinstance(message, kind):
        raise wire.Malformed("a relay did not answer the greeting with what it is")
    return message
