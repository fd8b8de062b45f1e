"""Other hubs' changes: a NOTIFY says that there are some, the change table says which.

1. `_told` is the newest revision our listeners heard. Lines are told in order, each once, whoever wrote them.
2. Nothing depends on a NOTIFY: after every reconnection, and every few seconds, the table is asked.
3. Lines trimmed before we read them are not told; the jump in the revision tells a listener so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from mezite.model.change import Change
from mezite.storage.core_executor import CoreExecutor
from mezite.storage.executor import Lost, Statement
from mezite.storage.listeners import Listeners
from mezite.storage.postgres_faults import DRIVER_FAULTS, judge
from mezite.storage.sql_trail import stored_ends
from mezite.storage.sql_view import SqlReading

CHANNEL: Final = "mezite_changes"
NOTIFY: Final = Statement(text(f"SELECT pg_notify('{CHANNEL}', :revision)"))

_ASK_ANYWAY_S: Final = 5.0
_ANSWER_S: Final = 5.0
_RECONNECT_S: Final = 0.5
_AT_ONCE: Final = 500


class Feed:
    def __init__(self, engine: AsyncEngine, place: str, listeners: Listeners) -> None:
        self._engine = engine
        self._place = place
        self._listeners = listeners
        self._told = 0
        self._turn = asyncio.Lock()
        self._wake = asyncio.Event()

    async def begin(self) -> None:
        """What happened before we came is not told."""
        self._told = (await self._ask(_newest))[0]

    async def follow(self) -> None:
        """Hears of commits until cancelled, through any number of lost connections."""
        while True:
            with suppress(Lost, *DRIVER_FAULTS):
                await self._listen()
            await asyncio.sleep(_RECONNECT_S)

    async def committed(self, changes: Sequence[Change]) -> None:
        """Tells our own commit, and first what others committed before it."""
        if not changes:
            return
        async with self._turn:
            if changes[0].revision == self._told + 1:
                self._tell(changes)
                return
        try:
            await self._catch_up()
        except Lost:
            self._wake.set()  # the commit stands all the same; `follow` tells it as soon as it can

    async def _listen(self) -> None:
        async with self._engine.connect() as connection:
            driver: Any = (await connection.get_raw_connection()).driver_connection
            try:
                await driver.add_listener(CHANNEL, self._heard)
                driver.add_termination_listener(self._heard)
                while not driver.is_closed():
                    self._wake.clear()
                    await self._catch_up()
                    with suppress(TimeoutError):
                        async with asyncio.timeout(_ASK_ANYWAY_S):
                            await self._wake.wait()
                            continue
                    await driver.fetchval("SELECT 1", timeout=_ANSWER_S)
            finally:
                # It listens, so nobody else must get it from the pool.
                await connection.invalidate()

    def _heard(self, *_: object) -> None:
        self._wake.set()

    async def _catch_up(self) -> None:
        async with self._turn:
            while lines := (await self._ask(_later, self._told))[1]:
                self._tell(lines)

    def _tell(self, lines: Sequence[Change]) -> None:
        self._told = lines[-1].revision
        self._listeners.tell(lines)

    async def _ask(self, question: Any, *details: int) -> tuple[int, list[Change]]:
        try:
            async with self._engine.connect() as connection:
                answer: tuple[int, list[Change]] = await connection.run_sync(self._answer, question, *details)
                return answer
        except DRIVER_FAULTS as error:
            raise judge(error, self._place) from None

    def _answer(self, connection: Connection, question: Any, *details: int) -> Any:
        return question(CoreExecutor(connection, lambda error: judge(error, self._place)), *details)


def _newest(executor: CoreExecutor) -> tuple[int, list[Change]]:
    return stored_ends(executor).feed, []


def _later(executor: CoreExecutor, told: int) -> tuple[int, list[Change]]:
    return told, SqlReading(executor).changes.after(told, limit=_AT_ONCE)
