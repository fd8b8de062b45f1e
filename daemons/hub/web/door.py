"""The way in to 3080, from the TCP connection to its end: who is in, how many of one address, for how long.

Fairness begins before TLS does, where a stranger's connection is cheapest for him and already costs us a
descriptor. The rule is `HalfOpen`'s, held for the whole life of a connection: whoever opens many drops its
own oldest, and everybody else gets in. uvicorn only ever has connections that this door let through.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from daemons import logs
from daemons.hub import peers
from daemons.hub.proxy.half_open import HalfOpen
from daemons.hub.web.limits import Impatient
from daemons.lifecycle import Start

log = logging.getLogger(__name__)

CONNECTIONS: Final = 1_000
PER_ADDRESS: Final = 200
HANDSHAKE_S: Final = 10.0
GOODBYE_S: Final = 5.0
ACCEPT_AGAIN_S: Final = 1.0
"""Also how often a failure to accept is written down, at most."""


@dataclass(frozen=True, slots=True)
class Limits:
    connections: int = CONNECTIONS
    per_address: int = PER_ADDRESS
    handshake_s: float = HANDSHAKE_S

    @classmethod
    def affordable(cls) -> Limits:
        """A quarter of what this process may open at most: database, nodes and sessions need the rest."""
        soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        return cls(connections=min(CONNECTIONS, soft // 4))


@dataclass(eq=False, slots=True)
class _Guest:
    """One connection, as long as it lasts."""

    host: str
    socket: socket.socket
    task: asyncio.Task[object] | None = None

    def abort(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Door:
    def __init__(
        self, protocol: Callable[[], Impatient], context: ssl.SSLContext, limits: Limits, start: Start
    ) -> None:
        self._protocol = protocol
        self._context = context
        self._limits = limits
        self._start = start
        self._guests = HalfOpen(overall=limits.connections, per_address=limits.per_address)

    async def accept(self, listener: socket.socket) -> None:
        listener.setblocking(False)  # noqa: FBT003  the name says it
        loop = asyncio.get_running_loop()
        while True:
            try:
                sock, address = await loop.sock_accept(listener)
            except OSError as error:
                # Out of descriptors, most likely: those who are here leave in time, and give theirs back.
                log.warning("cannot accept: %s", error.strerror)
                await asyncio.sleep(ACCEPT_AGAIN_S)
                continue
            guest = _Guest(peers.plain(address[0]), sock)
            guest.task = self._start(self._host(guest), name=f"web {guest.host}")
            # Not in the task: one that is cancelled before its first step runs nothing of its own.
            guest.task.add_done_callback(partial(self._gone, guest))
            self._guests.enter(guest, guest.host)

    def _gone(self, guest: _Guest, _task: object) -> None:
        self._guests.leave(guest, guest.host)
        guest.socket.close()

    async def _host(self, guest: _Guest) -> None:
        transport: asyncio.Transport | None = None
        try:
            with logs.context(client=guest.host):
                transport, protocol = await asyncio.get_running_loop().connect_accepted_socket(
                    self._protocol,
                    guest.socket,
                    ssl=self._context,
                    ssl_handshake_timeout=self._limits.handshake_s,
                    ssl_shutdown_timeout=GOODBYE_S,
                )
                await protocol.over.wait()
        except OSError as error:
            log.debug("lost on the way in: %s", error)
        except Exception:
            # One connection must not take all others, and the hub, with it. The log has the whole story.
            log.exception("a connection was ended by a fault of ours")
        finally:
            if transport is not None:
                transport.abort()
