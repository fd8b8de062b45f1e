"""Users' connections to this node: dialled back when the hub says so, kept in a table, ended on order.

Each is a task of its own; one that fails is a line in the log and disturbs no other. At most
`MAX_CONNECTIONS` are there at once: the next is declined. The socket is one that this node dialled, to the
hub it belongs to.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from daemons import logs
from daemons.agent.sshd import Connection, Surroundings, Trust
from daemons.lifecycle import Start
from daemons.tls_lines import Raw
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.messages import AnyMessage, sentence
from mezite.api.tunnel.orders import Answer, Cut, Data, Declined, Dial, Go, Heard, Holding, Update
from mezite.errors import MeziteError, Unavailable

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 1_000
DIAL_S: Final = 10.0
"""From the order to a raw connection; the hub waits no longer either."""
ENDING_S: Final = 2.0

Order = Dial | Update | Cut | Answer | Heard


class Connections:
    """`dial` calls the hub as this node; `trust` is the node's side as it is at that moment."""

    def __init__(
        self,
        around: Surroundings,
        *,
        dial: Callable[[], Awaitable[TunnelLine]],
        trust: Callable[[], Trust],
        start: Start,
    ) -> None:
        self._around = around
        self._dial, self._trust, self._start = dial, trust, start
        self._open: dict[str, Connection] = {}
        self._fewer = asyncio.Event()
        self._say: Callable[[AnyMessage], object] | None = None

    def line_is(self, say: Callable[[AnyMessage], object] | None) -> None:
        """The control line came, and the hub learns what is open here; or it went."""
        self._say = say
        if say is not None:
            say(Holding(connection_ids=tuple(self._open)))
        self._around.questions.line_is(say)
        self._around.reports.line_is(say)

    def hear(self, order: Order) -> None:
        match order:
            case Dial():
                self._dialled(order)
            case Update(connection_id=id, rights=rights) if id in self._open:
                self._open[id].update(rights)
            case Cut(connection_id=id, message=message) if id in self._open:
                self._open[id].cut(message)
            case Answer():
                self._around.questions.heard(order)
            case Heard(number=number):
                self._around.reports.heard(number)

    async def cut_all(self, message: str) -> None:
        """As this node stops; returns once all have ended, or had the time for it."""
        for connection in list(self._open.values()):
            connection.cut(message)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ENDING_S):
                while self._open:
                    self._fewer.clear()
                    await self._fewer.wait()

    def _dialled(self, order: Dial) -> None:
        if order.connection_id in self._open:
            # An order that came twice: its token is used up, and whoever repeats it gets nothing.
            return
        if len(self._open) >= MAX_CONNECTIONS:
            self._decline(order, f"this node serves {MAX_CONNECTIONS} connections already; try again later")
            return
        try:
            connection = Connection(order.connection_id, order.rights, self._trust(), self._around)
        except MeziteError as error:
            self._decline(order, error.message)
            return
        self._open[order.connection_id] = connection
        self._start(self._serve(order, connection), name=f"connection {order.connection_id}")

    async def _serve(self, order: Dial, connection: Connection) -> None:
        with logs.context(connection=order.connection_id):
            try:
                raw = await self._called(order)
                if raw is not None:
                    await connection.serve(raw)
            except Exception:  # one connection's fault, whatever it is, must not end the others
                log.exception("a connection ended by a fault of ours")
            finally:
                del self._open[order.connection_id]
                self._fewer.set()

    async def _called(self, order: Dial) -> Raw | None:
        """The connection that was asked for, as plain TCP; None when it does not come about."""
        try:
            async with asyncio.timeout(DIAL_S):
                return await self._fetched(order)
        except TimeoutError:
            why = "the hub does not answer the connection it asked for"
        except MeziteError as error:
            why = error.message
        log.warning("%s", why)
        self._decline(order, why)
        return None

    async def _fetched(self, order: Dial) -> Raw:
        line = await self._dial()
        try:
            line.send(Data(connection_id=order.connection_id, token=order.token))
            answer = await line.receive()
            if not isinstance(answer, Go):
                raise Unavailable(getattr(answer, "message", "") or "the hub did not take the connection")
            return await line.detach()
        finally:
            line.tls.abort()

    def _decline(self, order: Dial, why: str) -> None:
        if self._say is not None:
            self._say(Declined(connection_id=order.connection_id, message=sentence(why)))
