"""Listening sockets, bound before anything is served: what can fail does so at the start, with its key."""

from __future__ import annotations

import errno
import socket

from mezite.config import Address
from mezite.errors import Unavailable


def bind(key: str, address: Address) -> socket.socket:
    """A listening TCP socket; `key` names the setting in the one line that a failure gets."""
    host = address.host or None
    try:
        found = socket.getaddrinfo(host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as error:
        raise Unavailable(f"{key}: {address} is no address of this machine ({error.strerror})") from None
    # Every address means IPv6 with IPv4 mapped into it, where the kernel has IPv6 at all.
    if host is None:
        found.sort(key=lambda entry: entry[0] != socket.AF_INET6)
    failure: OSError | None = None
    for family, kind, protocol, _name, place in found:
        try:
            return _listening(family, kind, protocol, place, dual=host is None)
        except OSError as error:
            failure = error
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                break
    reason = failure.strerror if failure else "no such address"
    hint = "; is another hub running there?" if failure and failure.errno == errno.EADDRINUSE else ""
    raise Unavailable(f"{key}: cannot listen on {address}: {reason}{hint}")


def _listening(family: int, kind: int, protocol: int, place: object, *, dual: bool) -> socket.socket:
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if dual else 1)
        listener.bind(place)  # type: ignore[arg-type]  # as getaddrinfo gave it for this family
        listener.listen(1024)
        listener.setblocking(False)  # noqa: FBT003  # the name says it
    except OSError:
        listener.close()
        raise
    return listener


def port_of(listener: socket.socket) -> int:
    return int(listener.getsockname()[1])
