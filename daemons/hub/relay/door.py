"""The unix socket of a relay, and the hubs that are connected to it.

1. Only its own user is let in: the kernel says who the peer is (SO_PEERCRED).
2. Whoever says what is no message, or is not the first to be said, or comes with descriptors where none
   belong, is hung up on; every descriptor that came is closed.
3. A message whose descriptors did not all arrive (MSG_CTRUNC: there was no room for them here) hands nothing
   over.
4. A hub that does not read what it is told is hung up on; it hears of every end again when it comes back.

What the messages do is `Orders`'s.
"""

from __future__ import annotations

import os
import socket
import struct
from array import array
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from daemons.hub.relay import watch, wire
from daemons.hub.relay.watch import Watch
from daemons.hub.relay.wire import (
    Cut,
    Drain,
    Ended,
    Heard,
    Hello,
    List,
    Message,
    Ready,
    Refusal,
    Refused,
    Take,
)

HUBS_MAX: Final = 8
"""One is usual; two while one hub takes over from another."""
UNSENT_MAX: Final = 8_192
_CREDENTIALS: Final = struct.Struct("3i")
_TWO_DESCRIPTORS: Final = socket.CMSG_SPACE(2 * array("i").itemsize)


class Orders(Protocol):
    """What a hub may ask of a relay."""

    def ready(self) -> Ready: ...
    def unheard(self) -> Iterator[Ended]: ...
    def take(self, order: Take, client: socket.socket, agent: socket.socket) -> Message: ...
    def cut(self, pair_id: bytes) -> None: ...
    def heard(self, pair_id: bytes) -> None: ...
    def page(self, after: bytes) -> wire.Pairs: ...
    def drain(self, *, at_once: bool) -> None: ...


class Door:
    def __init__(
        self, listener: socket.socket, watching: Watch, orders: Orders, say: Callable[[str], None]
    ) -> None:
        listener.settimeout(0)
        self._listener, self._watch, self._orders, self._say = listener, watching, orders, say
        self._hubs: list[_Hub] = []
        self._inbox = memoryview(bytearray(wire.LARGEST))
        watching.add(listener.fileno(), watch.IN, self._somebody_comes)

    def __len__(self) -> int:
        return len(self._hubs)

    def tell(self, ended: Ended) -> None:
        for hub in tuple(self._hubs):
            if hub.greeted:
                hub.send(ended)

    def close(self) -> None:
        for hub in tuple(self._hubs):
            hub.hang_up()
        self._watch.drop(self._listener.fileno())
        self._listener.close()

    def _somebody_comes(self, _mask: int) -> None:
        try:
            peer, _ = self._listener.accept()
        except OSError:
            return  # Gone again, or no descriptor to be had: whoever waits is served when there is one.
        uid = _uid(peer)
        if uid != os.geteuid() or len(self._hubs) >= HUBS_MAX:
            self._say(f"turned away a process of user {uid}")
            peer.close()
            return
        self._hubs.append(_Hub(peer, self._watch, self._inbox, self._orders, self._leave))

    def _leave(self, hub: _Hub, why: str) -> None:
        self._hubs.remove(hub)
        if why:
            self._say(f"hung up on a hub: {why}")


class _Hub:
    """One connection of a hub."""

    def __init__(
        self,
        peer: socket.socket,
        watching: Watch,
        inbox: memoryview,
        orders: Orders,
        left: Callable[[_Hub, str], None],
    ) -> None:
        peer.settimeout(0)
        self._peer, self._watch, self._inbox, self._orders, self._left = peer, watching, inbox, orders, left
        self._unsent: deque[bytes] = deque()  # At most UNSENT_MAX; past that it is hung up on.
        self._open = True
        self.greeted = False
        watching.add(peer.fileno(), watch.IN, self._event)

    def send(self, message: Message) -> None:
        if not self._open:
            return
        self._unsent.append(wire.encode(message))
        if len(self._unsent) == 1:
            self._flush()
        elif len(self._unsent) > UNSENT_MAX:
            self.hang_up("it does not read what it is told")

    def hang_up(self, why: str = "") -> None:
        if self._open:
            self._open = False
            self._watch.drop(self._peer.fileno())
            self._peer.close()
            self._left(self, why)

    def _event(self, mask: int) -> None:
        if mask & watch.OUT:
            self._flush()
        if self._open and mask & (watch.IN | watch.END):
            self._receive()

    def _flush(self) -> None:
        try:
            while self._unsent:
                self._peer.send(self._unsent[0])
                self._unsent.popleft()
        except BlockingIOError:
            self._watch.change(self._peer.fileno(), watch.IN | watch.OUT)
        except OSError:
            self.hang_up()
        else:
            self._watch.change(self._peer.fileno(), watch.IN)

    def _receive(self) -> None:
        """One packet; the next is for the next round, so that a talkative hub stops no pair."""
        try:
            length, ancillary, flags, _ = self._peer.recvmsg_into(
                [self._inbox], _TWO_DESCRIPTORS, socket.MSG_CMSG_CLOEXEC
            )
        except BlockingIOError:
            return
        except OSError:
            length, ancillary, flags = 0, [], 0
        with _descriptors(ancillary) as descriptors:
            if not length:
                self.hang_up()
            elif flags & socket.MSG_TRUNC:
                self.hang_up("it said more at once than any message is long")
            else:
                self._obey(bytes(self._inbox[:length]), descriptors, whole=not flags & socket.MSG_CTRUNC)

    def _obey(self, packet: bytes, descriptors: list[int], *, whole: bool) -> None:
        try:
            message = wire.decode(packet)
        except wire.Malformed as error:
            self.hang_up(str(error))
            return
        if isinstance(message, Hello) == self.greeted:
            self.hang_up("it does not say hello first, and once")
        elif isinstance(message, Take):
            self.send(self._take(message, descriptors, whole=whole))
        elif descriptors or not whole:
            self.hang_up("it hands over what it was not asked for")
        else:
            self._do(message)

    def _do(self, message: Message) -> None:
        match message:
            case Hello(protocol):
                self._greet(protocol)
            case Cut(pair_id):
                self._orders.cut(pair_id)
            case Heard(pair_id):
                self._orders.heard(pair_id)
            case List(after):
                self.send(self._orders.page(after))
            case Drain(at_once):
                self._orders.drain(at_once=at_once)
            case _:
                self.hang_up("it says what a relay says")

    def _greet(self, protocol: int) -> None:
        self.greeted = True
        self.send(self._orders.ready())
        if protocol != wire.PROTOCOL:
            self.hang_up(f"it speaks protocol {protocol}, this is {wire.PROTOCOL}")
            return
        for ended in self._orders.unheard():
            self.send(ended)

    def _take(self, order: Take, descriptors: list[int], *, whole: bool) -> Message:
        ends = _stream_sockets(descriptors) if whole and len(descriptors) == 2 else []
        if len(ends) == 2:
            return self._orders.take(order, *ends)
        for end in ends:
            end.close()
        _close(descriptors)
        return Refused(order.pair, Refusal.DESCRIPTORS)


def _stream_sockets(descriptors: list[int]) -> list[socket.socket]:
    """Takes those that are such from the list, up to the first that is not."""
    ends: list[socket.socket] = []
    while descriptors:
        try:
            end = socket.socket(fileno=descriptors[0])
        except OSError:
            break  # No socket at all.
        if end.type != socket.SOCK_STREAM:
            end.detach()
            break
        del descriptors[0]
        ends.append(end)
    return ends


@contextmanager
def _descriptors(ancillary: Sequence[tuple[int, int, Any]]) -> Iterator[list[int]]:
    """Those that came along. Whatever nobody took from the list is closed."""
    descriptors: list[int] = []
    for level, kind, data in ancillary:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            numbers = array("i")
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
            descriptors.extend(numbers)
    try:
        yield descriptors
    finally:
        _close(descriptors)


def _close(descriptors: list[int]) -> None:
    while descriptors:
        os.close(descriptors.pop())


def _uid(peer: socket.socket) -> int:
    _pid, uid, _gid = _CREDENTIALS.unpack(
        peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    )
    return int(uid)


def short(directory: int, name: str) -> str:
    """A path of a socket in an open directory that fits `sun_path`, however deep the directory lies."""
    return str(Path("/proc/self/fd", str(directory), name))
