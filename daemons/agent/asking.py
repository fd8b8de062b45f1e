"""Questions to the hub: each has a number, an answer or a time limit. No answer is a no.

While the line is away every question is a no at once; those that wait when it breaks are too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from mezite.api.tunnel.orders import Answer, Ask, Asked

PATIENCE_S: Final = 10.0
MAX_OPEN: Final = 1_000
"""Questions waiting at once; one more is a no."""

_AWAY: Final = "the hub cannot be reached, so nothing can be opened; try again in a moment"
_SLOW: Final = "the hub gave no answer in time; try again"


class Questions:
    def __init__(self) -> None:
        self._send: Callable[[Ask], object] | None = None
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._last = 0

    def line_is(self, send: Callable[[Ask], object] | None) -> None:
        """A line came, or went."""
        self._send = send
        for number, waiting in list(self._waiting.items()):
            if not waiting.done():
                waiting.set_result(Answer(number=number, allowed=False, message=_AWAY))

    async def ask(
        self,
        connection_id: str,
        kind: Asked,
        what: str,
        login: str,
        *,
        session_id: str = "",
        host: str = "",
        address: str = "",
        port: int = 0,
    ) -> Answer:
        self._last += 1
        number = self._last
        if self._send is None or len(self._waiting) >= MAX_OPEN:
            return Answer(number=number, allowed=False, message=_AWAY)
        waiting: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting[number] = waiting
        try:
            self._send(
                Ask(
                    number=number, connection_id=connection_id, kind=kind, what=what, login=login,
                    session_id=session_id, host=host, address=address, port=port,
                )
            )  # fmt: skip
            async with asyncio.timeout(PATIENCE_S):
                return await waiting
        except TimeoutError:
            return Answer(number=number, allowed=False, message=_SLOW)
        finally:
            del self._waiting[number]

    def heard(self, answer: Answer) -> None:
        """An answer to no question, or a second one, changes nothing."""
        waiting = self._waiting.get(answer.number)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)
