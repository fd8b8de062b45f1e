"""A waiting line that is fair between addresses: whoever sends many waits behind their own.

1. Addresses are served in turn, one of each.
2. An address has only so many in the line; one more is refused.
3. The line is bounded overall. When it is full, the address with the most waiting loses its newest to one
   that has fewer; else the newcomer is refused.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from typing import Final

from mezite.errors import Throttled

BUSY: Final = "too many logins at this moment; try again in a few seconds"


class FairLine:
    def __init__(self, *, lanes: int, overall: int, per_source: int) -> None:
        """`lanes`: how many are served at once. The bounds count those who wait."""
        self._free = lanes
        self._overall = overall
        self._per_source = per_source
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    async def enter(self, source: str) -> None:
        """Returns when it is this one's turn; `leave` must follow. `Throttled` when there is no room."""
        if self._free > 0:
            self._free -= 1
            return
        mine = self._waiting.get(source, ())
        if len(mine) >= self._per_source or (len(self) >= self._overall and not self._make_room(len(mine))):
            raise Throttled(BUSY)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(source, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.leave()
            else:
                self._forget(source, turn)
            raise

    def leave(self) -> None:
        """The next one's turn: of the address that has been served longest ago."""
        while self._waiting:
            source, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[source] = turns
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1

    def _make_room(self, mine: int) -> bool:
        source, longest = max(self._waiting.items(), key=lambda item: len(item[1]))
        if len(longest) <= mine + 1:
            return False
        turn = longest[-1]
        self._forget(source, turn)
        if not turn.done():
            turn.set_exception(Throttled(BUSY))
        return True

    def _forget(self, source: str, turn: asyncio.Future[None]) -> None:
        turns = self._waiting.get(source)
        if turns is not None and turn in turns:
            turns.remove(turn)
            if not turns:
                del self._waiting[source]
