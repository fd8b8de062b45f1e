"""Connections that nodes have been asked for and not yet opened.

1. Each has a token of its own, good once, for this connection, from this node, for `PATIENCE_S`.
2. It hangs on the control line it was asked for over: when that ends, so does the wait.
3. What comes too late is closed, never kept.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from daemons.hub.proxy.lines import ControlLine
from daemons.tls_lines import Raw
from mezite.api.tunnel.orders import Data, Declined, Dial, Rights
from mezite.errors import Denied, MeziteError, Throttled, Unavailable

PATIENCE_S: Final = 10.0
MOST: Final = 1_024
"""Waiting at once. Whoever comes then is told to try again: the nodes behind them do not answer."""
TOKEN_BYTES: Final = 32


@dataclass(slots=True, eq=False)
class _Waiting:
    node_id: str
    line_id: str
    token: bytes = field(repr=False)
    arrival: asyncio.Future[Raw]
    claimed: bool = False


class Dials:
    def __init__(self, *, patience_s: float = PATIENCE_S, most: int = MOST) -> None:
        self._patience_s = patience_s
        self._most = most
        self._waiting: dict[str, _Waiting] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    async def open(self, line: ControlLine, connection_id: str, rights: Rights) -> Raw:
        """Asks the node for this connection and waits for it."""
        if len(self._waiting) >= self._most:
            raise Throttled("too many connections wait for their nodes; try again in a moment")
        arrival: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
        token = secrets.token_bytes(TOKEN_BYTES)
        waiting = _Waiting(line.node_id, line.id, token, arrival)
        self._waiting[connection_id] = waiting
        try:
            line.line.send(Dial(connection_id=connection_id, token=token, rights=rights))
            async with asyncio.timeout(self._patience_s):
                return await arrival
        except TimeoutError:
            _close(arrival)
            raise Unavailable(
                f"the node did not answer within {self._patience_s:g} s; try again", code="node_silent"
            ) from None
        except BaseException:
            _close(arrival)
            raise
        finally:
            del self._waiting[connection_id]

    def claim(self, node_id: str, data: Data) -> Callable[[Raw], None]:
        """Rule 1: the node is here with what it was asked for. What is returned takes the connection."""
        waiting = self._waiting.get(data.connection_id)
        known = waiting.token if waiting is not None else bytes(TOKEN_BYTES)
        is_right = hmac.compare_digest(known, data.token)
        if waiting is None or not is_right or waiting.node_id != node_id or waiting.claimed:
            raise Denied("no such connection is awaited of this node", code="not_awaited")
        waiting.claimed = True
        return lambda raw: _deliver(waiting.arrival, raw)

    def declined(self, line: ControlLine, answer: Declined) -> None:
        waiting = self._waiting.get(answer.connection_id)
        if waiting is not None and waiting.line_id == line.id:
            _fail(waiting.arrival, Unavailable(answer.message or "the node declined", code="declined"))

    def give_up(self, connection_id: str, why: MeziteError) -> None:
        """Nobody may have this connection any more."""
        if waiting := self._waiting.get(connection_id):
            _fail(waiting.arrival, why)

    def line_lost(self, line: ControlLine) -> None:
        """Rule 2."""
        for waiting in tuple(self._waiting.values()):
            if waiting.line_id == line.id:
                _fail(waiting.arrival, Unavailable("the node went offline; try again", code="offline"))


def _deliver(arrival: asyncio.Future[Raw], raw: Raw) -> None:
    if arrival.done():
        raw.close()
    else:
        arrival.set_result(raw)


def _fail(arrival: asyncio.Future[Raw], why: MeziteError) -> None:
    if not arrival.done():
        arrival.set_exception(why)


def _close(arrival: asyncio.Future[Raw]) -> None:
    """What was delivered to somebody who had stopped waiting."""
    if arrival.done() and not arrival.cancelled() and arrival.exception() is None:
        arrival.result().close()
