"""Holds live connections against the present state, as the feed tells of changes.

What a connection is worth is the desk's to say; here is only whom to ask about. Whatever changes together is
judged together, and a quiet feed is no reason for none: locks end by the clock.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from daemons.hub.feed import Feed, Here, Line, Reset
from daemons.hub.proxy.live import LiveConnections
from mezite.errors import MeziteError
from mezite.model.change import Change, ChangeKind

log = logging.getLogger(__name__)

RETRY_S: Final = 1.0
QUIET_S: Final = 15.0


class Revising:
    def __init__(self, live: LiveConnections) -> None:
        self._live = live

    async def follow(self, feed: Feed) -> None:
        """For ever. While storage cannot be asked nobody is cut; the next word from it judges everybody."""
        while True:
            try:
                await self._watch(feed)
            except MeziteError as error:
                log.warning("cannot hear of locks and changed rights: %s", error)
            await asyncio.sleep(RETRY_S)

    async def _watch(self, feed: Feed) -> None:
        # What happened before the place where the watch begins was told to nobody here.
        suspects = {live.id for live in self._live}
        heard = True
        async for told in feed.watch(None, every_s=QUIET_S):
            match told:
                case Here():
                    await self._live.judge(suspects if heard else {live.id for live in self._live})
                    suspects, heard = set(), False
                case _:
                    heard = True
                    suspects |= self._concerned(told)

    def _concerned(self, told: Line) -> set[str]:
        match told:
            case Change(kind=ChangeKind.USER, key=key):
                return {live.id for live in self._live if live.connection.user_id == key}
            case Change(kind=ChangeKind.NODE, key=key):
                return {live.id for live in self._live if live.node_id == key}
            case Change(kind=ChangeKind.ROLE, key=key):
                return {live.id for live in self._live if key in live.connection.identity.roles}
            case Change(kind=ChangeKind.LOCK) | Reset():
                return {live.id for live in self._live}
            case _:
                return set()
