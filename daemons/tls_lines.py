"""TLS over a plain asyncio transport, small enough for ten thousand idle connections.

asyncio's own TLS keeps two buffers of 256 KiB per connection. Here OpenSSL works on two memory BIOs that stay
as small as what went through them, and all connections of one listener read into one shared inbox: its bytes
are handed to OpenSSL before the loop can read for anybody else.

What lives here: handshake, plaintext in, plaintext out, an orderly end, and the way back to plain TCP where
both ends agreed on it. What the bytes mean does not, nor how long one waits for them. Bounds: a peer that
sends faster than it is read is paused at `MAX_UNREAD`; one that does not read what it is sent is cut off at
`MAX_UNSENT`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, cast

from mezite.errors import NotLoggedIn, Unavailable

INBOX_BYTES: Final = 64 * 1024
MAX_UNREAD: Final = 64 * 1024
MAX_UNSENT: Final = 256 * 1024
CLOSING_S: Final = 5.0
"""How long a peer may take to read the last of what was sent before the connection is dropped."""
_RECORD: Final = 16 * 1024

_CERTIFICATE_ALERTS: Final = (
    "CERTIFICATE_REQUIRED",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
    "BAD_CERTIFICATE",
    "UNSUPPORTED_CERTIFICATE",
    "UNKNOWN_CA",
    "ACCESS_DENIED",
)


def new_inbox() -> memoryview:
    """What the lines of one event loop share. Lines of another loop, in another thread, need their own."""
    return memoryview(bytearray(INBOX_BYTES))


@dataclass(frozen=True, slots=True)
class Raw:
    """A connection that was TLS and is plain TCP from here on. Whoever holds it closes it."""

    socket: socket.socket
    """Not blocking."""
    first: bytes
    """What the peer sent right behind the end of TLS and was read together with it."""

    def close(self) -> None:
        self.socket.close()


class TlsLine(asyncio.BufferedProtocol):
    """One connection, either end. Await `handshake` first, then `read` in one task; `write` whenever."""

    __slots__ = (
        "_accepted",
        "_encrypted",
        "_fault",
        "_inbox",
        "_left",
        "_over",
        "_paused",
        "_plain",
        "_secured",
        "_sent",
        "_tls",
        "_transport",
        "_waiter",
    )

    def __init__(
        self,
        context: ssl.SSLContext,
        inbox: memoryview,
        *,
        server_name: str | None = None,
        accepted: Callable[[TlsLine], None] | None = None,
    ) -> None:
        """A server's end has `accepted`, called once it is connected; a client's may check `server_name`."""
        self._inbox = inbox
        self._accepted = accepted
        self._encrypted, self._sent = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(
            self._encrypted, self._sent, server_side=accepted is not None, server_hostname=server_name
        )
        self._transport: asyncio.Transport | None = None
        self._plain: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._secured = self._over = self._paused = self._left = False
        self._fault: Exception | None = None

    async def handshake(self) -> None:
        """Returns when the connection is private; `Unavailable` or `NotLoggedIn` when it will not be."""
        while not self._secured:
            self._raise_if_over()
            await self._news()

    async def read(self) -> bytes:
        """Some plaintext; nothing at the end. Raises if the connection did not end but break."""
        while not self._plain:
            if self._over:
                if self._fault is not None:
                    raise self._fault
                return b""
            await self._news()
        plain, self._plain = b"".join(self._plain), []
        if self._paused and self._transport is not None:
            self._paused = False
            self._transport.resume_reading()
        return plain

    def write(self, data: bytes) -> None:
        """Sends, or does nothing once the connection is over: whoever reads learns of that."""
        if self._over or self._transport is None or self._transport.is_closing():
            return
        try:
            self._tls.write(data)
        except ssl.SSLError as error:
            self._end(_named(error))
            self._close_transport()
            return
        self._flush()

    def close(self) -> None:
        """Ends the connection in good order: what was written still arrives, if the peer reads it soon."""
        if self._over:
            self._close_transport()
            return
        self._say_goodbye()
        self._end(None)
        self._close_transport()

    async def detach(self) -> Raw:
        """Ends TLS in good order on both sides and gives the TCP connection up to the caller.

        Both ends do so at the same place in the talk; `Unavailable` if the peer does something else. The line
        is over in any case, and closing it afterwards does nothing to what was given up.
        """
        self._say_goodbye()
        while not self._left:
            self._raise_if_over()
            await self._news()
        transport = self._transport
        if transport is None or transport.is_closing() or self._plain:
            self.abort()
            raise Unavailable("the other end did not leave TLS as agreed", code="line_lost")
        transport.set_write_buffer_limits(high=0)
        while transport.get_write_buffer_size():
            await self._news()
            if transport.is_closing():
                raise Unavailable("the other end hung up", code="line_lost")
        # The transport closes its own descriptor later, in its own time; ours is another one.
        given = socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
        given.setblocking(False)  # noqa: FBT003  the name says it
        transport.abort()
        return Raw(given, self._encrypted.read())

    def abort(self) -> None:
        """Drops the connection at once."""
        self._end(None)
        if self._transport is not None:
            self._transport.abort()

    @property
    def peer_certificate(self) -> bytes | None:
        """DER. Whether it was checked is a matter of the context."""
        return self._tls.getpeercert(binary_form=True)

    @property
    def peer_host(self) -> str:
        """The peer's IP address, as text; empty when there is none any more."""
        name = self._transport.get_extra_info("peername") if self._transport is not None else None
        return str(name[0]) if isinstance(name, tuple) and name else ""

    @property
    def is_over(self) -> bool:
        return self._over

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._accepted is not None:
            self._accepted(self)
            self._accepted = None
        else:
            self._step()

    def resume_writing(self) -> None:
        """All is sent that was written; only `detach` waits for it."""
        self._wake()

    def get_buffer(self, sizehint: int) -> memoryview:
        return self._inbox

    def buffer_updated(self, nbytes: int) -> None:
        # In slices, because a memory BIO never shrinks again.
        for start in range(0, nbytes, _RECORD):
            if self._over and not self._left:
                return
            self._encrypted.write(self._inbox[start : min(nbytes, start + _RECORD)])
            # Behind the end of TLS come bytes that OpenSSL has no business with.
            if not self._left:
                self._step()

    def eof_received(self) -> bool:
        self._end(None)
        self._close_transport()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self._end(None if exc is None else Unavailable("the connection broke off", code="line_lost"))
        self._transport = None
        self._wake()

    # What they do.

    def _step(self) -> None:
        """Lets OpenSSL do what it can with what has arrived."""
        try:
            if not self._secured:
                self._tls.do_handshake()
                self._secured = True
                self._wake()
            while chunk := self._tls.read(_RECORD):
                self._plain.append(chunk)
            self._leave()
        except ssl.SSLWantReadError:
            if self._plain:
                self._wake()
            self._pause_if_full()
        except ssl.SSLZeroReturnError:
            self._leave()
        except ssl.SSLError as error:
            # The alert that says why must still leave.
            self._flush()
            self._end(_named(error))
            self._close_transport()
        self._flush()

    def _leave(self) -> None:
        """The peer has ended TLS. What it sends from here on is for whoever takes the connection over.

        Whoever holds the line may do that, or close it; if it does neither, TCP ends by itself.
        """
        self._left = True
        self._end(None)
        if self._transport is not None:
            self._transport.pause_reading()
            asyncio.get_running_loop().call_later(CLOSING_S, self._close_transport)

    def _say_goodbye(self) -> None:
        # It raises once close_notify is written, since the peer's answer is not waited for.
        with contextlib.suppress(ssl.SSLError, ValueError):
            self._tls.unwrap()
        self._flush()

    def _flush(self) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        if pending := self._sent.read():
            self._transport.write(pending)
        if self._transport.get_write_buffer_size() > MAX_UNSENT:
            self._end(Unavailable("the peer does not read what it is sent", code="line_stuck"))
            self._transport.abort()

    def _pause_if_full(self) -> None:
        if not self._paused and self._transport is not None and sum(map(len, self._plain)) > MAX_UNREAD:
            self._paused = True
            self._transport.pause_reading()

    def _end(self, fault: Exception | None) -> None:
        if self._over:
            return
        self._over, self._fault = True, fault
        self._wake()

    def _close_transport(self) -> None:
        transport = self._transport
        if transport is not None and not transport.is_closing():
            transport.close()
            asyncio.get_running_loop().call_later(CLOSING_S, transport.abort)

    def _raise_if_over(self) -> None:
        if self._over:
            raise self._fault or Unavailable("the other end hung up", code="line_lost")

    async def _news(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def _named(error: ssl.SSLError) -> Exception:
    reason = error.reason or ""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Unavailable(
            f"the other end's certificate is not to be trusted: {error.verify_message}", code="untrusted_peer"
        )
    if "ALERT" in reason and reason.endswith(_CERTIFICATE_ALERTS):
        return NotLoggedIn("the other end does not accept this certificate", code="certificate_refused")
    words = reason.replace("_", " ").lower() or "not TLS"
    return Unavailable(f"the TLS connection failed ({words})", code="tls")


def client_context(authorities: bytes | None, key: bytes = b"", chain: bytes = b"") -> ssl.SSLContext:
    """A caller's. Without authorities nothing is checked: the caller must then prove the peer otherwise."""
    context = narrow(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if authorities is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=authorities.decode("ascii"))
    if key:
        load_pair(context, key, chain)
    return context


def load_pair(context: ssl.SSLContext, key: bytes, chain: bytes) -> None:
    """Gives a context its key and certificate. `ssl` reads only files; this one is memory without a name."""
    descriptor = os.memfd_create("mezite-tls", os.MFD_CLOEXEC)
    try:
        with open(descriptor, "wb", closefd=False) as file:
            file.write(key.rstrip() + b"\n" + chain)
        context.load_cert_chain(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def narrow(context: ssl.SSLContext) -> ssl.SSLContext:
    """What both ends of the tunnel port agree on: TLS 1.3, and no tickets.

    A resumed connection would not show its certificate again, and every ticket costs memory on both ends.
    """
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.options |= ssl.OP_NO_TICKET
    if context.protocol is ssl.PROTOCOL_TLS_SERVER:
        context.num_tickets = 0
    return context
