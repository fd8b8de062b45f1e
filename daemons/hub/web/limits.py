"""What one HTTP client may cost us: bytes, seconds, and headers that are never sent.

ASGI middleware for the size of a body and the time of a request; uvicorn has no time-out for a client that
connects and stays silent, so the protocol class here brings one.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import h11
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from daemons.hub.web.problem import problem

LARGEST_BODY: Final = 64 * 1024
REQUEST_S: Final = 30.0
SILENCE_S: Final = 10.0
CONNECTIONS: Final = 2_000


class Bounded:
    """Refuses bodies over the limit with 413, and requests that take too long with 503."""

    def __init__(
        self, app: ASGIApp, *, largest_body: int = LARGEST_BODY, request_s: float = REQUEST_S
    ) -> None:
        self._app = app
        self._largest = largest_body
        self._request_s = request_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            async with asyncio.timeout(self._request_s):
                await self._app(scope, self._counted(scope, receive), noting)
        except _TooMuch:
            if not started:
                told = problem(
                    413, f"a body has at most {self._largest} bytes", "too_large", {"Connection": "close"}
                )
                await told(scope, receive, send)
        except TimeoutError:
            if not started:
                await problem(503, "the request took too long", "unavailable", {"Connection": "close"})(
                    scope, receive, send
                )

    def _counted(self, scope: Scope, receive: Receive) -> Receive:
        announced = dict(scope["headers"]).get(b"content-length", b"0")
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            if not announced.isdigit() or int(announced) > self._largest:
                raise _TooMuch
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                raise _TooMuch
            return message

        return counting


class _TooMuch(Exception):
    """Raised from `receive`, so that whoever reads the body stops reading."""


class Impatient(H11Protocol):
    """Drops a connection on which no request was begun in time."""

    _silence: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._silence = self.loop.call_later(SILENCE_S, self._drop)

    def handle_events(self) -> None:
        super().handle_events()
        if self._silence is not None and self.conn.their_state is not h11.IDLE:
            self._silence.cancel()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._silence is not None:
            self._silence.cancel()
        super().connection_lost(exc)

    def _drop(self) -> None:
        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            self.transport.abort()
