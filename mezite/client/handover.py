"""What becomes of a connection once it is there: `ssh` gets the descriptor itself, or its bytes are carried.

`ssh` with `ProxyUseFdpass yes` gives its ProxyCommand one unix socket as both standard input and output, and
waits there for a descriptor. Two different sockets (as node.js makes its pipes) are a pair of streams.
"""

from __future__ import annotations

import os
import socket
import stat
from contextlib import suppress
from typing import Final

PIECE: Final = 64 * 1024


def wants_descriptor(stdin: int = 0, stdout: int = 1) -> bool:
    """Whether whoever started this process waits for a descriptor."""
    try:
        reading, writing = os.fstat(stdin), os.fstat(stdout)
    except OSError:
        return False
    return stat.S_ISSOCK(writing.st_mode) and (reading.st_dev, reading.st_ino) == (
        writing.st_dev,
        writing.st_ino,
    )


def give(connection: socket.socket, stdout: int = 1) -> None:
    """Passes the descriptor to whoever started this process."""
    with socket.socket(fileno=os.dup(stdout)) as parent:
        socket.send_fds(parent, [b"\0"], [connection.fileno()])


def carry(connection: socket.socket, stdin: int = 0, stdout: int = 1) -> None:
    """Carries bytes both ways until both directions have ended.

    Two threads on blocking descriptors: each waits for its own reader, and nothing is held back in between.
    They are not made non-blocking, since that would be shared with whoever else has them open.
    """
    import threading

    upward = threading.Thread(target=_send, args=(stdin, connection), name="carry up", daemon=True)
    upward.start()
    _receive(connection, stdout)
    upward.join()


def _send(stdin: int, connection: socket.socket) -> None:
    try:
        while piece := os.read(stdin, PIECE):
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return  # the node's side is gone; the other direction finds the end of it


def _receive(connection: socket.socket, stdout: int) -> None:
    try:
        while piece := connection.recv(PIECE):
            view = memoryview(piece)
            while view:
                view = view[os.write(stdout, view) :]
    except OSError:
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)  # nobody reads any more; that ends the other direction too
    os.close(stdout)
