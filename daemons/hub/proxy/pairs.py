"""What the proxy asks of whoever moves the bytes of its connections. `relays` does, in other processes."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Collection
from contextlib import AbstractAsyncContextManager
from typing import Protocol

Told = Callable[[str, int, int, str], Awaitable[None]]
"""Hears of every end, perhaps twice: a connection's id, the bytes to the node and to the client, and why."""


class Pairs(Protocol):
    """Pairs of sockets by connection id."""

    async def take(
        self,
        connection_id: str,
        client: socket.socket,
        agent: socket.socket,
        client_first: bytes,
        agent_first: bytes,
    ) -> None:
        """Joins the two, beginning with what each has said already. The caller closes its own sockets."""
        ...

    async def cut(self, connection_id: str) -> None:
        """Ends it at once; one that is not there is no error."""
        ...

    def pairs(self) -> Collection[str]:
        """Those joined at this moment, also by a hub before this one."""
        ...


OpenPairs = Callable[[Told], AbstractAsyncContextManager[Pairs]]
