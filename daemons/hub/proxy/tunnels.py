"""Port 3024: where machines join, nodes hold their control lines and bring connections they were asked for.

Who shows no certificate may only join; a node's certificate opens a control line, or a connection that is
awaited of that node; anything else is refused with one sentence. One task serves one connection, and nothing
a connection does reaches further than itself. What is decided is decided at the desk; who is held is `lines`,
who is in storage is `attendance`, what is awaited is `dials`, and what users have open is `live`.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Protocol

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from daemons import lifecycle, logs
from daemons.hub.desk import node_certs, presence
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.node_certs import NodeKeys
from daemons.hub.desk.presence import Arrival
from daemons.hub.desk.who import Caller
from daemons.hub.feed import Feed
from daemons.hub.proxy.attendance import Attendance
from daemons.hub.proxy.cutting import Cutting
from daemons.hub.proxy.dials import PATIENCE_S, Dials
from daemons.hub.proxy.half_open import OVERALL, PER_ADDRESS, HalfOpen
from daemons.hub.proxy.joining import join, told
from daemons.hub.proxy.lines import KEEPALIVE_S, SILENCE_S, ControlLine, Lines, refused
from daemons.hub.proxy.live import LiveConnections
from daemons.hub.proxy.orders import Orders
from daemons.hub.proxy.pairs import OpenPairs
from daemons.hub.proxy.revising import Revising
from daemons.hub.server_tls import ServerTls
from daemons.lifecycle import Start
from daemons.tls_lines import TlsLine, narrow, new_inbox
from daemons.tunnel_line import TunnelLine
from mezite import __version__, ids
from mezite.api.tunnel.messages import Bye, Hello, Join, Renew, Renewed, Welcome, check_version
from mezite.api.tunnel.orders import Data, Go
from mezite.api.tunnel.talk import End
from mezite.ca import tls_certs
from mezite.errors import MeziteError, NotLoggedIn, OurFault, Throttled, Unavailable

log = logging.getLogger(__name__)

HANDSHAKE_S: Final = 10.0
RENEWAL_APART_S: Final = 60.0
TICK_S: Final = 1.0
BACKLOG: Final = 1_024


@dataclass(frozen=True, slots=True)
class Limits:
    handshake_s: float = HANDSHAKE_S
    """From the first byte to a line that stands, or a join that is over."""
    keepalive_s: float = KEEPALIVE_S
    silence_s: float = SILENCE_S
    dial_s: float = PATIENCE_S
    half_open: int = OVERALL
    half_open_per_address: int = PER_ADDRESS


class Reachable(Protocol):
    """Where the hub's services are, as it tells others."""

    @property
    def auth(self) -> str: ...


@asynccontextmanager
async def serving(
    desk: Desk,
    feed: Feed,
    listener: socket.socket,
    server_tls: ServerTls,
    addresses: Callable[[], Reachable],
    open_pairs: OpenPairs,
    limits: Limits | None = None,
) -> AsyncIterator[Tunnels]:
    """Serves the bound listener. Leaving says goodbye to every node, whose agents come back at once."""
    await presence.hub_started(desk, __version__)
    async with lifecycle.crew() as start, AsyncExitStack() as stack:
        tunnels = Tunnels(desk, server_tls, addresses, limits or Limits(), start)
        pairs = await stack.enter_async_context(open_pairs(tunnels.live.ended))
        await tunnels.live.adopt(pairs)
        start(tunnels.attendance.keep(), name="tunnels attendance")
        start(tunnels.keep_alive(), name="tunnels keepalive")
        start(Cutting(desk, tunnels.lines).follow(feed), name="tunnels cutting")
        start(Revising(tunnels.live).follow(feed), name="connections revising")
        start(tunnels.live.keep_time(), name="connections time")
        server = await asyncio.get_running_loop().create_server(
            tunnels.connection, sock=listener, backlog=BACKLOG
        )
        try:
            yield tunnels
        finally:
            server.close()
            tunnels.is_stopping = True
            for line in tunnels.lines:
                line.leave("the hub is stopping")
            with suppress(MeziteError):
                # A database that is gone keeps no hub from stopping: its rows count for nothing in 30 s.
                await presence.hub_stopped(desk)


class Tunnels:
    def __init__(
        self,
        desk: Desk,
        server_tls: ServerTls,
        addresses: Callable[[], Reachable],
        limits: Limits,
        start: Start,
    ) -> None:
        self.lines = Lines()
        self.dials = Dials(patience_s=limits.dial_s)
        self.live = LiveConnections(desk, self.lines, self.dials, start)
        self._orders = Orders(desk, self.dials, self.live, start)
        self.attendance = Attendance(desk, self.lines, __version__)
        self._desk = desk
        self._server_tls = server_tls
        self._addresses = addresses
        self._limits = limits
        self._start = start
        self._half_open = HalfOpen(overall=limits.half_open, per_address=limits.half_open_per_address)
        self._context = narrow(server_tls.context(client_certificates=ssl.CERT_OPTIONAL))
        self._inbox = new_inbox()
        self.is_stopping = False

    @property
    def half_open(self) -> int:
        return len(self._half_open)

    def connection(self) -> TlsLine:
        """A connection just accepted. The certificate it will show is the one that proofs are bound to."""
        shown = _leaf(self._server_tls.pair().chain)
        return TlsLine(self._context, self._inbox, accepted=lambda tls: self._accepted(tls, shown))

    def _accepted(self, tls: TlsLine, shown: bytes) -> None:
        if self.is_stopping:
            tls.abort()
            return
        self._half_open.enter(tls, tls.peer_host)
        self._start(self._serve(tls, tls.peer_host, shown), name=f"tunnel {tls.peer_host}")

    async def _serve(self, tls: TlsLine, host: str, shown: bytes) -> None:
        line: TunnelLine | None = None
        try:
            with logs.context(client=host):
                async with asyncio.timeout(self._limits.handshake_s):
                    await tls.handshake()
                    line = TunnelLine(tls, End.HUB, End.AGENT)
                    control = await self._opened(line, shown)
                self._half_open.leave(tls, host)
                if control is not None:
                    await self._attend(control)
        except TimeoutError:
            _end(line, Unavailable("nothing was said for too long", code="silent"))
        except MeziteError as error:
            _end(line, error)
        except Exception:
            # One connection must not take all others, and the hub, with it. The log has the whole story.
            log.exception("a tunnel connection was ended by a fault of ours")
            _end(line, OurFault("unexpected"))
        finally:
            self._half_open.leave(tls, host)
            tls.close()

    async def _opened(self, line: TunnelLine, shown: bytes) -> ControlLine | None:
        """The control line that the opening message asked for; None when it was a join, which is over."""
        opening, payload = await line.receive_exactly()
        match opening:
            case Join():
                issued = await join(
                    self._desk,
                    line,
                    opening,
                    payload,
                    server_certificate=shown,
                    auth_addr=self._addresses().auth,
                )
                log.info("node %s joined", issued.identity.name)
                return None
            case Hello():
                return await self._greeted(line, opening)
            case Data():
                await self._brought(line, opening)
                return None
            case _:
                return None

    async def _brought(self, line: TunnelLine, data: Data) -> None:
        """A node opened what it was asked for: TLS ends here, and whoever waits gets the connection."""
        check_version(data.version)
        deliver = self.dials.claim(self._caller(line).identity.id, data)
        line.send(Go())
        deliver(await line.detach())

    async def _greeted(self, line: TunnelLine, hello: Hello) -> ControlLine:
        check_version(hello.version)
        at = self._desk.clock.monotonic()
        control = ControlLine(
            ids.mint("line"), self._caller(line), line, self._desk.clock.now(), heard_at=at, pinged_at=at
        )
        self.lines.hold(control)
        try:
            arrival = Arrival(control.id, hello.labels, hello.agent_version)
            node = await presence.connected(self._desk, control.caller, arrival)
            if line.tls.is_over:
                raise Unavailable("the node left, or lost its right to be here, while it was let in")
            line.send(
                Welcome(
                    hub_id=self._desk.hub_id,
                    hub_version=__version__,
                    line_id=control.id,
                    keepalive_s=max(1, round(self._limits.keepalive_s)),
                )
            )
        except BaseException:
            self._dropped(control)
            raise
        self.lines.open(control)
        log.info("node %s is online", node.name)
        return control

    async def _attend(self, control: ControlLine) -> None:
        """Hears the node until the line is over."""
        try:
            while True:
                message = await control.line.receive()
                control.heard_at = self._desk.clock.monotonic()
                match message:
                    case Renew():
                        await self._renew(control, message)
                    case Bye():
                        return
                    case _:
                        await self._orders.heard(control, message)
        finally:
            self._dropped(control)
            log.info("node %s left", control.caller.identity.name)

    async def _renew(self, control: ControlLine, order: Renew) -> None:
        desk, caller = self._desk, control.caller
        if (desk.clock.now() - caller.identity.issued_at).total_seconds() < RENEWAL_APART_S:
            raise Throttled("this certificate was issued a moment ago")
        certificate = tls_certs.parse(control.line.tls.peer_certificate or b"")
        spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        issued = await node_certs.renew(desk, caller, NodeKeys(order.ssh_public_key, spki))
        control.caller = Caller(issued.identity, caller.client_ip)
        control.line.send(Renewed(issued=told(desk, issued)))

    def _caller(self, line: TunnelLine) -> Caller:
        certificate = line.tls.peer_certificate
        if certificate is None:
            raise NotLoggedIn("a control line needs a node's certificate; join with a token first")
        desk = self._desk
        identity = tls_certs.check_client(
            certificate, trusted=desk.keyring.tls_authorities, cluster=desk.cluster, now=desk.clock.now()
        )
        return Caller(identity, line.tls.peer_host)

    def _dropped(self, control: ControlLine) -> None:
        self.lines.drop(control)
        self._orders.left(control)
        self.attendance.departed(control.id)

    async def keep_alive(self) -> None:
        limits = self._limits
        while True:
            await asyncio.sleep(min(TICK_S, limits.keepalive_s / 2))
            self.beat()

    def beat(self) -> None:
        """Pings whoever is due, ends whoever is silent or has run out."""
        clock, limits = self._desk.clock, self._limits
        self.lines.beat(
            clock.now(), clock.monotonic(), keepalive_s=limits.keepalive_s, silence_s=limits.silence_s
        )


def _end(line: TunnelLine | None, error: MeziteError) -> None:
    """Says why, if there is anybody to say it to."""
    if line is None or line.tls.is_over:
        return
    if error.code != "line_lost":
        log.info("refused: %s", error.evidence or error.message)
    line.close(refused(error))


@lru_cache(maxsize=4)
def _leaf(chain: bytes) -> bytes:
    """The first certificate of a PEM chain, DER."""
    return tls_certs.parse(chain).public_bytes(Encoding.DER)
