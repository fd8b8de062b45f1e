"""A pair: two connected sockets, client and agent, and the two flows between them."""

from __future__ import annotations

import socket
import struct
from contextlib import suppress
from typing import Final

from daemons.hub.relay.flow import Flow
from daemons.hub.relay.pipes import Pipes
from daemons.hub.relay.states import Flowing
from daemons.hub.relay.wire import End, Ended, Entry

_RESET: Final = struct.pack("ii", 1, 0)
_KEEPALIVE: Final = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 120),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 30),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 8),
)
"""An end whose machine is gone is noticed within six minutes; one that is off the net for five stays."""


class Pair:
    """`up` goes from client to agent, `down` the other way."""

    __slots__ = ("agent", "client", "down", "id", "up")

    def __init__(
        self,
        pair_id: bytes,
        client: socket.socket,
        agent: socket.socket,
        pipes: Pipes,
        scratch: memoryview,
        *,
        client_first: bytes,
        agent_first: bytes,
    ) -> None:
        self.id = pair_id
        self.client, self.agent = client, agent
        for end in (client, agent):
            _prepare(end)
        self.up = Flow(client, agent, pipes, scratch, client_first)
        self.down = Flow(agent, client, pipes, scratch, agent_first)

    @property
    def is_over(self) -> bool:
        return self.up.state is Flowing.OVER and self.down.state is Flowing.OVER

    @property
    def is_broken(self) -> bool:
        return self.up.broken or self.down.broken

    @property
    def is_lingering(self) -> bool:
        """All that could be delivered is; what is left is to let one end stop speaking."""
        states = {self.up.state, self.down.state}
        return Flowing.DISCARDING in states and states <= {Flowing.DISCARDING, Flowing.OVER}

    def settle(self) -> Flow | None:
        """A flow whose source failed is the end of the other, whose sink that is; which one has changed."""
        for flow, back in ((self.up, self.down), (self.down, self.up)):
            if flow.source_failed and back.state in (Flowing.MOVING, Flowing.ENDING):
                back.sink_lost()
                return back
        return None

    def stop(self, *, reset: bool) -> None:
        """Closes both sockets. A reset also throws away what the kernel still had to send."""
        self.up.stop()
        self.down.stop()
        for end in (self.client, self.agent):
            if reset:
                with suppress(OSError):
                    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            end.close()

    def ended(self, why: End) -> Ended:
        return Ended(self.id, self.up.moved, self.down.moved, why)

    def entry(self) -> Entry:
        return Entry(self.id, self.up.moved, self.down.moved)


def _prepare(end: socket.socket) -> None:
    end.settimeout(0)
    if end.family == socket.AF_UNIX:
        return
    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for level, option, value in _KEEPALIVE:
        end.setsockopt(level, option, value)
