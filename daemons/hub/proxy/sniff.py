"""Which way in somebody takes at port 3023, told by the first bytes. Pure."""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

ENOUGH: Final = 4
"""Bytes that settle it."""
_TLS_HANDSHAKE: Final = b"\x16\x03"
_SSH: Final = b"SSH-"


class Greeting(Enum):
    TLS = auto()
    SSH = auto()
    NEITHER = auto()


def greeting(first: bytes) -> Greeting:
    """`first` is what had come, up to `ENOUGH` bytes, when it was time to decide.

    Nothing at all is SSH: there are clients that wait for the server's banner, and none of TLS does.
    """
    if not first or first[:ENOUGH] == _SSH:
        return Greeting.SSH
    return Greeting.TLS if first.startswith(_TLS_HANDSHAKE) else Greeting.NEITHER
