"""A relay: its door, its pairs, and when it ends.

1. Asked to drain, it takes no more pairs, and ends once it has none and a hub has heard of every end.
2. Asked to leave, it ends its pairs, and then itself as soon as its hubs have heard, or at once without one.
3. With neither hub nor pairs for `idle_s` it ends by itself.
4. When the process ends that it is to end with, if there is one, it leaves without another word.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from daemons.hub.relay import watch, wire
from daemons.hub.relay.door import Door
from daemons.hub.relay.pairs import Pairs
from daemons.hub.relay.pipes import Pipes
from daemons.hub.relay.states import RELAY, Serving, Wish
from daemons.hub.relay.watch import Watch
from daemons.hub.relay.wire import Ended, Message, Ready, Refusal, Refused, Take, Taken


@dataclass(frozen=True, slots=True)
class Terms:
    """What a relay is started with."""

    room: int
    """The most pairs it may have."""
    release: str = ""
    idle_s: float = 600.0
    linger_s: float = 60.0
    heard_s: float = 5.0
    """How long a relay that leaves waits for its hubs to hear of the last ends."""


class Relay:
    def __init__(
        self, listener: socket.socket, terms: Terms, clock: Callable[[], float], say: Callable[[str], None]
    ) -> None:
        self._terms, self._clock = terms, clock
        self._watch = Watch()
        self._pipes = Pipes()
        self._pairs = Pairs(
            self._watch, room=terms.room, linger_s=terms.linger_s, clock=clock, pipes=self._pipes, say=say
        )
        self._door = Door(listener, self._watch, self, say)
        self._pairs.tell = self._door.tell
        self._serving = Serving.TAKING
        self._alone_since: float | None = clock()
        self._leaving_since = 0.0
        self._is_orphan = False

    def wish(self, wish: Wish) -> None:
        before, self._serving = self._serving, RELAY[self._serving, wish]
        if self._serving is Serving.LEAVING and before is not Serving.LEAVING:
            self._leaving_since = self._clock()
            self._pairs.stop_all()

    def end_with(self, pid: int) -> None:
        """`ProcessLookupError` if that process has ended already."""

        def event(_mask: int) -> None:
            self._is_orphan = True

        self._watch.add(os.pidfd_open(pid), watch.IN, event)

    def hear_signals(self, descriptor: int, wishes: dict[int, Wish]) -> None:
        """Each byte read from the descriptor is the number of a signal. The second one hastens."""

        def event(_mask: int) -> None:
            for number in os.read(descriptor, 64):
                asked_before = self._serving is not Serving.TAKING
                self.wish(Wish.LEAVE if asked_before else wishes[number])

        self._watch.add(descriptor, watch.IN, event)

    def run(self) -> None:
        """Until it ends by one of the rules."""
        try:
            while not self._may_end():
                self._watch.wait(self._patience_s())
                self._pairs.turn()
        finally:
            self._pairs.stop_all()
            self._door.close()
            self._pipes.close()
            self._watch.close()

    def _may_end(self) -> bool:
        if self._door or self._pairs:
            self._alone_since = None
        elif self._alone_since is None:
            self._alone_since = self._clock()
        return self._is_orphan or self._has_served() or self._is_due()

    def _has_served(self) -> bool:
        match self._serving:
            case Serving.TAKING:
                return False
            case Serving.DRAINING:
                return not self._pairs and not self._pairs.unheard
            case Serving.LEAVING:
                return not self._door or not self._pairs.unheard

    @property
    def _due(self) -> float | None:
        if self._serving is Serving.LEAVING:
            return self._leaving_since + self._terms.heard_s
        return None if self._alone_since is None else self._alone_since + self._terms.idle_s

    def _is_due(self) -> bool:
        return self._due is not None and self._clock() >= self._due

    def _patience_s(self) -> float | None:
        dues = [due for due in (self._due, self._pairs.due) if due is not None]
        return max(0.0, min(dues) - self._clock()) if dues else None

    # What a hub may ask: `door.Orders`.

    def ready(self) -> Ready:
        draining = self._serving is not Serving.TAKING
        return Ready(wire.PROTOCOL, os.getpid(), len(self._pairs), draining, self._terms.release)

    def unheard(self) -> Iterator[Ended]:
        return iter(tuple(self._pairs.unheard.values()))

    def take(self, order: Take, client: socket.socket, agent: socket.socket) -> Message:
        if self._serving is not Serving.TAKING:
            client.close()
            agent.close()
            return Refused(order.pair, Refusal.DRAINING)
        why = self._pairs.take(order, client, agent)
        return Taken(order.pair) if why is None else Refused(order.pair, why)

    def cut(self, pair_id: bytes) -> None:
        self._pairs.cut(pair_id)

    def heard(self, pair_id: bytes) -> None:
        self._pairs.heard(pair_id)

    def page(self, after: bytes) -> wire.Pairs:
        return self._pairs.page(after)

    def drain(self, *, at_once: bool) -> None:
        self.wish(Wish.LEAVE if at_once else Wish.DRAIN)
