"""The one place where a relay waits: epoll, and whom to call for which descriptor."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Final

IN: Final = select.EPOLLIN
OUT: Final = select.EPOLLOUT
END: Final = select.EPOLLRDHUP | select.EPOLLHUP | select.EPOLLERR
BOTH_WAYS: Final = IN | OUT | select.EPOLLRDHUP | select.EPOLLET
"""Edge-triggered and set once: a stall and its end cost no further system call."""


class Watch:
    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._calls: dict[int, Callable[[int], None]] = {}

    def add(self, descriptor: int, mask: int, call: Callable[[int], None]) -> None:
        """`call` hears of every event, with its mask, until the descriptor is dropped."""
        self._epoll.register(descriptor, mask)
        self._calls[descriptor] = call

    def change(self, descriptor: int, mask: int) -> None:
        self._epoll.modify(descriptor, mask)

    def drop(self, descriptor: int) -> None:
        """Before it is closed: a number that is used again must not be taken for it."""
        del self._calls[descriptor]
        self._epoll.unregister(descriptor)

    def wait(self, timeout_s: float | None) -> None:
        for descriptor, mask in self._epoll.poll(timeout_s):
            # An earlier call of the same round may have dropped it.
            if (call := self._calls.get(descriptor)) is not None:
                call(mask)

    def close(self) -> None:
        self._epoll.close()
