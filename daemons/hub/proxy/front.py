"""Port 3023: where users come in, by the quick way or with plain SSH, told apart by their first bytes.

1. Who has not yet shown a certificate and said what it wants is one of a bounded number, fair between
   addresses.
2. The quick way takes users' certificates and no others; what a connection needs is the desk's to say.
3. TLS ends on both sides before a byte of SSH passes. From there on the hub neither reads nor moves a byte:
   both sockets are handed to a relay.
4. Whatever fails on the way leaves nothing behind: no row, no socket, nothing that waits.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import Final

from daemons import lifecycle, logs
from daemons.hub import peers
from daemons.hub.desk import connections
from daemons.hub.desk.connections import Admitted, Wish
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller
from daemons.hub.proof.throttle import Throttle
from daemons.hub.proxy import plain
from daemons.hub.proxy.half_open import OVERALL, PER_ADDRESS, HalfOpen
from daemons.hub.proxy.lines import refused
from daemons.hub.proxy.sniff import ENOUGH, Greeting, greeting
from daemons.hub.proxy.tunnels import Tunnels
from daemons.hub.server_tls import ServerTls
from daemons.lifecycle import Start
from daemons.tls_lines import Raw, TlsLine, narrow, new_inbox
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.messages import check_version, sentence
from mezite.api.tunnel.orders import Granted, Open, OtpWanted
from mezite.api.tunnel.talk import End
from mezite.ca import tls_certs
from mezite.errors import MeziteError, NotLoggedIn, OtpRequired, OurFault, TooLarge, Unavailable

log = logging.getLogger(__name__)

SILENCE_S: Final = 0.3
"""Whoever has said nothing for so long waits for a banner, and speaks SSH."""
OPENING_S: Final = 10.0
CODE_S: Final = 120.0
"""For a person to look up a code and type it."""
TRIES: Final = 3
ACCEPT_AGAIN_S: Final = 0.1
MOST_GUESTS: Final = 4_096
"""Connections on their way through, those that wait for a node or a code included."""


@dataclass(frozen=True, slots=True)
class Limits:
    silence_s: float = SILENCE_S
    opening_s: float = OPENING_S
    """From the first byte to the order for a node."""
    code_s: float = CODE_S
    half_open: int = OVERALL
    half_open_per_address: int = PER_ADDRESS


@asynccontextmanager
async def serving(
    desk: Desk,
    listener: socket.socket,
    server_tls: ServerTls,
    tunnels: Tunnels,
    throttle: Throttle,
    limits: Limits | None = None,
) -> AsyncIterator[Front]:
    """Serves the bound listener. Leaving drops whoever is still on the way in; what is open stays open."""
    async with lifecycle.crew() as start:
        front = Front(desk, server_tls, tunnels, throttle, limits or Limits(), start)
        start(front.accept(listener), name="front")
        yield front


@dataclass(slots=True, eq=False)
class _Guest:
    """Somebody on the way in, who can be shown the door."""

    host: str
    socket: socket.socket | None
    """Until somebody else has it, who then closes it."""
    task: asyncio.Task[object] | None = None

    def abort(self) -> None:
        if self.task is not None:
            self.task.cancel()


class Front:
    def __init__(
        self,
        desk: Desk,
        server_tls: ServerTls,
        tunnels: Tunnels,
        throttle: Throttle,
        limits: Limits,
        start: Start,
    ) -> None:
        self._desk = desk
        self._tunnels = tunnels
        self._throttle = throttle
        self._limits = limits
        self._start = start
        self._half_open = HalfOpen(overall=limits.half_open, per_address=limits.half_open_per_address)
        self._context = narrow(server_tls.context(client_certificates=ssl.CERT_REQUIRED))
        self._inbox = new_inbox()
        self.guests = 0
        """Those on their way through."""

    @property
    def half_open(self) -> int:
        return len(self._half_open)

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
            if self.guests >= MOST_GUESTS:
                sock.close()
                continue
            self.guests += 1
            guest = _Guest(peers.plain(address[0]), sock)
            guest.task = self._start(self._serve(guest, sock), name=f"front {guest.host}")
            # Not in the task: one that is cancelled before its first step runs nothing of its own.
            guest.task.add_done_callback(partial(self._gone, guest))
            self._half_open.enter(guest, guest.host)

    def _gone(self, guest: _Guest, _task: object) -> None:
        self.guests -= 1
        self._half_open.leave(guest, guest.host)
        if guest.socket is not None:
            guest.socket.close()

    async def _serve(self, guest: _Guest, sock: socket.socket) -> None:
        try:
            with logs.context(client=guest.host):
                match await _greeting(sock, self._limits.silence_s):
                    case Greeting.TLS:
                        await self._quick_way(guest, sock)
                    case Greeting.SSH:
                        await plain.refuse(sock)
                    case Greeting.NEITHER:
                        pass
        except OSError as error:
            log.debug("lost on the way in: %s", error)
        except Exception:
            # One connection must not take all others, and the hub, with it. The log has the whole story.
            log.exception("a connection on the way in was ended by a fault of ours")

    async def _quick_way(self, guest: _Guest, sock: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        _, tls = await loop.connect_accepted_socket(
            lambda: TlsLine(self._context, self._inbox, accepted=lambda _tls: None), sock
        )
        guest.socket = None
        line: TunnelLine | None = None
        try:
            async with asyncio.timeout(self._limits.opening_s):
                await tls.handshake()
                line = TunnelLine(tls, End.HUB, End.CLIENT)
                opening = await line.receive()
            self._half_open.leave(guest, guest.host)
            if isinstance(opening, Open):
                check_version(opening.version)
                await self._connect(line, self._caller(line, guest.host), opening)
        except TimeoutError:
            _end(line, Unavailable("nothing was said for too long", code="silent"))
        except MeziteError as error:
            _end(line, error)
        except Exception:
            _end(line, OurFault("unexpected"))
            raise
        finally:
            tls.close()

    def _caller(self, line: TunnelLine, host: str) -> Caller:
        desk = self._desk
        identity = tls_certs.check_client(
            line.tls.peer_certificate or b"",
            trusted=desk.keyring.tls_authorities,
            cluster=desk.cluster,
            now=desk.clock.now(),
        )
        return Caller(identity, host)

    async def _connect(self, line: TunnelLine, caller: Caller, opening: Open) -> None:
        admitted = await self._admitted(line, caller, opening)
        if admitted is None:
            return
        agent = await self.reach(admitted)
        try:
            await self._join(line, admitted, agent)
        except BaseException:
            # The node serves it already, and will say that it is over: the row waits for that.
            ended = self._tunnels.live.broke_off(admitted.connection.id, "the client did not take it")
            self._start(ended, name=f"end {admitted.connection.id}")
            raise
        finally:
            agent.close()

    async def _admitted(self, line: TunnelLine, caller: Caller, opening: Open) -> Admitted | None:
        """After as many codes as it takes, within bounds; None when the client leaves instead."""
        wish = Wish(opening.node, opening.login, opening.otp)
        for tried in range(TRIES + 1):
            try:
                return await self.admit(caller, wish)
            except NotLoggedIn as demand:
                asks = isinstance(demand, OtpRequired) or demand.code == "wrong_otp"
                if not asks or tried == TRIES:
                    raise
                line.send(OtpWanted(message=sentence(demand.message)))
            async with asyncio.timeout(self._limits.code_s):
                again = await line.receive()
            if not isinstance(again, Open):
                return None
            wish = Wish(opening.node, opening.login, again.otp)
        return None

    async def admit(self, caller: Caller, wish: Wish) -> Admitted:
        """Allowed by the desk, and held against every change from here on."""
        admitted = await connections.admit(
            self._desk,
            self._throttle,
            caller,
            wish,
            is_online=lambda node_id: self._tunnels.lines.to(node_id) is not None,
        )
        self._tunnels.live.hold(admitted.connection, admitted.rights)
        return admitted

    async def reach(self, admitted: Admitted) -> Raw:
        """The node's side of a connection that was allowed; one that does not come about leaves no trace."""
        connection, tunnels = admitted.connection, self._tunnels
        try:
            control = tunnels.lines.to(connection.node_id)
            if control is None:
                raise Unavailable(f"{admitted.node.name} went offline; try again", code="offline")
            agent = await tunnels.dials.open(control, connection.id, admitted.rights)
        except BaseException as error:
            tunnels.live.never_was(connection.id)
            with suppress(MeziteError):
                await connections.forget(self._desk, connection.id)
            if isinstance(error, TooLarge):
                raise TooLarge(
                    "your roles are too large to be told to a node; ask an administrator"
                ) from None
            raise
        # What changed between the decision and this moment was told to nobody who could have acted on it.
        await tunnels.live.judge([connection.id])
        return agent

    async def _join(self, line: TunnelLine, admitted: Admitted, agent: Raw) -> None:
        connection = admitted.connection
        live = self._tunnels.live
        if not live.stands(connection.id):
            raise Unavailable("the connection ended before it began; try again", code="line_lost")
        line.send(
            Granted(
                connection_id=connection.id,
                node=admitted.node.name,
                cluster=self._desk.cluster,
                node_id=admitted.node.id,
                logins=admitted.logins,
            )
        )
        async with asyncio.timeout(self._limits.opening_s):
            client = await line.detach()
        try:
            await live.pairs.take(connection.id, client.socket, agent.socket, client.first, agent.first)
        finally:
            client.close()
        if not live.stands(connection.id):
            # It was cut on the way here, when no relay had anything to cut.
            await live.cut_for_good(connection.id)
            return
        log.info("%s is connected with %s", connection.identity.name, admitted.node.name)


async def _greeting(sock: socket.socket, silence_s: float) -> Greeting | None:
    """Looks at the first bytes without taking them; None when there is nobody any more."""
    # Not readable before there is enough to tell by, or the end.
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, ENOUGH)
    with suppress(TimeoutError):
        async with asyncio.timeout(silence_s):
            await _readable(sock)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)
    try:
        first = sock.recv(ENOUGH, socket.MSG_PEEK)
    except BlockingIOError:
        return greeting(b"")
    except OSError:
        return None
    return greeting(first) if first else None


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready: asyncio.Future[None] = loop.create_future()

    def heard() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(sock, heard)
    try:
        await ready
    finally:
        loop.remove_reader(sock)


def _end(line: TunnelLine | None, error: MeziteError) -> None:
    """Says why, if there is anybody to say it to."""
    if line is None or line.tls.is_over:
        return
    if error.code != "line_lost":
        log.info("refused: %s", error.evidence or error.message)
    line.close(refused(error))
