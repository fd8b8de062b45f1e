"""The record of which lines stand here, kept true in storage by one task.

Lines that ended are collected and written together; what could not be written is tried again with the next
pulse. One task does all of it in turn, so a line is never stated after it was taken back.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from daemons.hub.desk import presence
from daemons.hub.desk.desk import Desk
from daemons.hub.proxy.lines import Lines
from mezite.errors import MeziteError

log = logging.getLogger(__name__)


class Attendance:
    def __init__(
        self, desk: Desk, lines: Lines, version: str, *, pulse_s: float = presence.PULSE_EVERY_S
    ) -> None:
        self._desk = desk
        self._lines = lines
        self._version = version
        self._pulse_s = pulse_s
        self._bell = asyncio.Event()
        # No larger than the number of lines that ended since the last write.
        self._departed: set[str] = set()

    def departed(self, line_id: str) -> None:
        """The line is over; storage hears of it at once, if it can."""
        self._departed.add(line_id)
        self._bell.set()

    async def keep(self) -> None:
        """For ever: writes departures as they come, and a pulse in its time."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self._pulse_s
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._bell.wait()
            self._bell.clear()
            try:
                await self._write_departures()
                if loop.time() >= due:
                    due = loop.time() + self._pulse_s
                    await self._pulse()
            except MeziteError as error:
                log.warning("which nodes are online could not be written down: %s", error)

    async def _write_departures(self) -> None:
        if gone := frozenset(self._departed):
            await presence.departed(self._desk, gone)
            self._departed -= gone

    async def _pulse(self) -> None:
        await self._write_departures()
        if await presence.pulse(self._desk, self._version, lines=len(self._lines)):
            return
        log.warning("this hub was given up for dead; stating its %d lines again", len(self._lines))
        standing = {line.id: (line.node_id, line.caller.client_ip) for line in self._lines.leading}
        await presence.stated_again(self._desk, standing)
