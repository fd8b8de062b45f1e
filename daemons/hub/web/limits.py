"""What one HTTP client may cost us: bytes, seconds, and requests that are never finished.

ASGI middleware for the size of a body and the time of a request; uvicorn has no time-out for a client that
connects and stays silent, or that sends a byte now and then, so the protocol class here brings one. How many
connections there are, and of whom, is the door's matter.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, Final

import h11
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from daemons.hub.web.problem import MEDIA_TYPE, body_of, problem

LARGEST_BODY: Final = 64 * 1024
REQUEST_S: Final = 30.0
SILENCE_S: Final = 10.0
_CLOSE: Final = {"Connection": "close"}


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
        if _announced(scope) > self._largest:
            await problem(413, self._too_large, "too_large", _CLOSE)(scope, receive, send)
            return
        started = False

        async def noting(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            async with asyncio.timeout(self._request_s):
                await self._app(scope, self._counted(receive), noting)
        except TimeoutError:
            if not started:
                await problem(503, "the request took too long", "unavailable", _CLOSE)(scope, receive, send)
        except Exception:
            # Written down and answered by the app's last handler; going on, uvicorn would write it again.
            if not started:
                raise

    @property
    def _too_large(self) -> str:
        return f"a body has at most {self._largest} bytes"

    def _counted(self, receive: Receive) -> Receive:
        """Ends the reading of a body that does not say its size, as soon as it is too large."""
        seen = 0

        async def counting() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > self._largest:
                raise HTTPException(413, self._too_large, _CLOSE)
            return message

        return counting


def _announced(scope: Scope) -> int:
    """The size in the headers, which h11 has found to be one number."""
    text = dict(scope["headers"]).get(b"content-length", b"0")
    return int(text) if text.isdigit() and len(text) < 20 else 2**63


class Impatient(H11Protocol):
    """Drops a connection that does not bring a whole request head in time, the first as each that follows.

    Time runs while we owe nothing: from the connection or an answer until the next request begins. Bytes that
    come meanwhile (half a head, the rest of a refused body) do not stop it.
    """

    _silence: asyncio.TimerHandle | None = None

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.over = asyncio.Event()

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._keep_time()

    def handle_events(self) -> None:
        super().handle_events()
        self._keep_time()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._keep_time()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_time()
        super().connection_lost(exc)
        self.over.set()

    def send_400_response(self, msg: str) -> None:
        """For what is not HTTP at all: uvicorn's words in the form of every other refusal."""
        headers = [("content-type", MEDIA_TYPE), ("connection", "close")]
        told = json.dumps(body_of(400, msg, "malformed")).encode()
        for event in (
            h11.Response(status_code=400, headers=headers),
            h11.Data(data=told),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _keep_time(self) -> None:
        if not self._owed_nothing() or self.transport.is_closing():
            self._stop_time()
        elif self._silence is None:
            self._silence = self.loop.call_later(SILENCE_S, self._drop)

    def _stop_time(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _owed_nothing(self) -> bool:
        return self.cycle is None or self.cycle.response_complete

    def _drop(self) -> None:
        if self._owed_nothing() and not self.transport.is_closing():
            self.transport.abort()
