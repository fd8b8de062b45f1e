"""Forwards of TCP: to where a client's `-L` and `-D` lead, and from where its `-R` listens.

Each is asked of the hub, which decides and writes down; without its yes the client sees `administratively
prohibited`. A name is asked for before it is resolved, so that nobody learns through this node which names
there are; it is resolved once, and the address that is judged is the one that is dialled. A `-R` listens on
loopback whatever was asked. Unix sockets, agents and X11 would have to be opened as the login user, which
this node cannot do: they are refused.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Callable
from typing import Final, Protocol

import asyncssh
from asyncssh.forward import SSHForwarder

from mezite.api.tunnel.orders import Answer

RESOLVE_S: Final = 10.0
CONNECT_S: Final = 20.0
MAX_ADDRESSES: Final = 3
"""How many addresses of one name are tried, each asked for."""
LOOPBACK: Final = "127.0.0.1"
_LOWEST_FOR_ALL: Final = 1_024


class Judge(Protocol):
    async def may_forward(self, what: str, host: str, address: str, port: int) -> Answer: ...


class TouchingForwarder(SSHForwarder):
    """Tells that something moves, so that a connection with only forwards is idle when they are."""

    def __init__(self, touched: Callable[[], None], peer: SSHForwarder | None = None) -> None:
        super().__init__(peer)
        self._touched = touched

    def data_received(self, data: bytes, datatype: int | None = None) -> None:
        self._touched()
        super().data_received(data, datatype)


async def direct(judge: Judge, touched: Callable[[], None], host: str, port: int) -> SSHForwarder:
    """A connection to there, for a channel; raises what the client is told."""
    if not _is_address(host):
        await _asked(judge, host, "", port)
    why = "the name leads nowhere"
    for address in await _addresses(host, port):
        await _asked(judge, host, address, port)
        try:
            async with asyncio.timeout(CONNECT_S):
                _, peer = await asyncio.get_running_loop().create_connection(
                    lambda: TouchingForwarder(touched), address, port
                )
        except (OSError, TimeoutError) as error:
            why = (isinstance(error, OSError) and error.strerror) or "no answer"
            continue
        return TouchingForwarder(touched, peer)
    raise asyncssh.ChannelOpenError(asyncssh.OPEN_CONNECT_FAILED, why)


async def _asked(judge: Judge, host: str, address: str, port: int) -> None:
    answer = await judge.may_forward("direct", host, address, port)
    if not answer.allowed:
        raise prohibited(answer.message)


async def remote(
    judge: Judge,
    touched: Callable[[], None],
    transport: asyncssh.SSHServerConnection,
    host: str,
    port: int,
    *,
    is_root: bool,
) -> asyncssh.SSHListener | bool:
    """A listener on loopback for the client's `-R`; False refuses it.

    It lives long, and rights may be withdrawn: each connection to it is asked for like the listener itself.
    """
    if 0 < port < _LOWEST_FOR_ALL and not is_root:
        return False

    async def is_allowed() -> bool:
        return (await judge.may_forward("remote", host, LOOPBACK, port)).allowed

    async def accepted(_host: str, _port: int) -> bool:
        touched()
        return await is_allowed()

    if not await is_allowed():
        return False
    return await transport.forward_local_port(LOOPBACK, port, host, port, accepted)


def prohibited(message: str) -> asyncssh.ChannelOpenError:
    return asyncssh.ChannelOpenError(
        asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, message or "forwarding is not allowed here"
    )


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


async def _addresses(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(RESOLVE_S):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, TimeoutError, UnicodeError):
        raise asyncssh.ChannelOpenError(
            asyncssh.OPEN_CONNECT_FAILED, "this node cannot resolve the name"
        ) from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))[:MAX_ADDRESSES]
