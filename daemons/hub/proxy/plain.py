"""Plain SSH on 3023, as far as it is answered: with one sentence that says how to come in.

RFC 4253 allows a disconnect message in the clear before any key exchange, and clients print what it says.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress
from typing import Final

SENTENCE: Final = "this port takes `msh ssh NODE`, and ssh itself with what `msh config` prints"
_BANNER: Final = b"SSH-2.0-mezite\r\n"
_DISCONNECT: Final = 1
_BY_APPLICATION: Final = 11
_BLOCK: Final = 8
_LEAST_PADDING: Final = 4
_PATIENCE_S: Final = 2.0


def farewell(text: str) -> bytes:
    """A server's first and last bytes: its banner, and a disconnect message with this text."""
    said = text.encode()
    payload = struct.pack(f">BII{len(said)}sI", _DISCONNECT, _BY_APPLICATION, len(said), said, 0)
    padding = _BLOCK - (5 + len(payload)) % _BLOCK
    if padding < _LEAST_PADDING:
        padding += _BLOCK
    packet = struct.pack(">IB", 1 + len(payload) + padding, padding) + payload + bytes(padding)
    return _BANNER + packet


async def refuse(sock: socket.socket) -> None:
    """Says so, and lets the client leave first: what it has sent unread would undo what it was told."""
    loop = asyncio.get_running_loop()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            await loop.sock_sendall(sock, farewell(SENTENCE))
            sock.shutdown(socket.SHUT_WR)
            while await loop.sock_recv(sock, 4_096):
                pass
