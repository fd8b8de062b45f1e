"""Who hears of changes: the feed inside one process."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from mezite.model.change import Change

Listener = Callable[[Sequence[Change]], None]


class Listeners:
    """Tells each, in the order of commits. One that raises is reported by the event loop and stops nobody."""

    __slots__ = ("_all",)

    def __init__(self) -> None:
        self._all: list[Listener] = []

    def add(self, listener: Listener) -> None:
        self._all.append(listener)

    def tell(self, changes: Sequence[Change]) -> None:
        """They run before all that is scheduled after this call, so before writers hear of their commit."""
        if not changes:
            return
        loop = asyncio.get_running_loop()
        told = tuple(changes)
        for listener in self._all:
            loop.call_soon(listener, told)
