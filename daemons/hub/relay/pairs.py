"""The pairs that a relay has, and the ends of those it had until a hub has heard of them.

1. An id is in use until the end of its pair was heard; a pair of an id in use is not taken.
2. A flow with much to do stops after its turn and goes on when the others had theirs.
3. Whoever only waits for one end to stop speaking waits `linger_s`.
4. A fault of ours in one pair ends that pair and no other.
5. Ends that no hub hears are kept up to `UNHEARD_MAX`; then the oldest is forgotten.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from functools import partial
from heapq import nsmallest
from typing import Final

from daemons.hub.relay import watch, wire
from daemons.hub.relay.flow import COPY_BYTES, Flow
from daemons.hub.relay.pair import Pair
from daemons.hub.relay.pipes import Pipes
from daemons.hub.relay.watch import Watch
from daemons.hub.relay.wire import End, Ended, Refusal, Take

UNHEARD_MAX: Final = 4_096


class Pairs:
    def __init__(
        self,
        watching: Watch,
        *,
        room: int,
        linger_s: float,
        clock: Callable[[], float],
        pipes: Pipes,
        say: Callable[[str], None],
    ) -> None:
        self._watch, self._say = watching, say
        self._room, self._linger_s, self._clock = room, linger_s, clock
        self._pipes = pipes
        self._scratch = memoryview(bytearray(COPY_BYTES))
        self._live: dict[bytes, Pair] = {}
        # As an ordered set: each flow at most once, however often it is told that there is more.
        self._busy: dict[Flow, Pair] = {}
        # All wait equally long, so the first is the next that is due.
        self._lingering: dict[Pair, float] = {}
        self.unheard: dict[bytes, Ended] = {}
        self.tell: Callable[[Ended], None] = lambda _ended: None
        """Hears of every end, once."""

    def __len__(self) -> int:
        return len(self._live)

    def take(self, order: Take, client: socket.socket, agent: socket.socket) -> Refusal | None:
        """The two are its own from here on, closed if it refuses."""
        why = self._refusal(order.pair)
        if why is None:
            try:
                self._admit(order, client, agent)
                return None
            except OSError:
                why = Refusal.DESCRIPTORS
        client.close()
        agent.close()
        return why

    def _refusal(self, pair_id: bytes) -> Refusal | None:
        if pair_id in self._live or pair_id in self.unheard:
            return Refusal.KNOWN
        return Refusal.FULL if len(self._live) >= self._room else None

    def _admit(self, order: Take, client: socket.socket, agent: socket.socket) -> None:
        pair = Pair(
            order.pair,
            client,
            agent,
            self._pipes,
            self._scratch,
            client_first=order.client_first,
            agent_first=order.agent_first,
        )
        # Watching something from its first moment on: the kernel tells what is there already.
        self._watch.add(client.fileno(), watch.BOTH_WAYS, partial(self._heard_of, pair, pair.up, pair.down))
        try:
            self._watch.add(
                agent.fileno(), watch.BOTH_WAYS, partial(self._heard_of, pair, pair.down, pair.up)
            )
        except OSError:
            self._watch.drop(client.fileno())
            raise
        self._live[pair.id] = pair

    def cut(self, pair_id: bytes) -> None:
        if (pair := self._live.get(pair_id)) is not None:
            self._end(pair, End.CUT, reset=True)

    def stop_all(self) -> None:
        for pair in tuple(self._live.values()):
            self._end(pair, End.STOPPED, reset=True)

    def heard(self, pair_id: bytes) -> None:
        self.unheard.pop(pair_id, None)

    def page(self, after: bytes) -> wire.Pairs:
        following = (pair_id for pair_id in self._live if pair_id > after)
        chosen = nsmallest(wire.PAGE + 1, following)
        entries = tuple(self._live[pair_id].entry() for pair_id in chosen[: wire.PAGE])
        return wire.Pairs(entries, more=len(chosen) > wire.PAGE)

    @property
    def due(self) -> float | None:
        """When `turn` is called for next, whatever happens or not."""
        if self._busy:
            return self._clock()
        return next(iter(self._lingering.values()), None)

    def turn(self) -> None:
        """One turn for each flow that had more to do, and an end for pairs that waited long enough."""
        busy, self._busy = self._busy, {}
        for flow, pair in busy.items():
            if self._live.get(pair.id) is pair:
                self._pump(pair, flow)
        while self._lingering:
            pair, due = next(iter(self._lingering.items()))
            if self._clock() < due:
                return
            self._end(pair, End.BROKEN, reset=False)

    def _heard_of(self, pair: Pair, outward: Flow, inward: Flow, mask: int) -> None:
        """An event on the socket that is the source of one flow and the sink of the other."""
        if mask & watch.END:
            outward.source_says_it_ends()
        if mask & (watch.IN | watch.END) and not outward.is_stuck:
            self._pump(pair, outward)
        if mask & (watch.OUT | watch.END) and inward.is_stuck and self._live.get(pair.id) is pair:
            self._pump(pair, inward)

    def _pump(self, pair: Pair, flow: Flow) -> None:
        try:
            if flow.pump():
                self._busy[flow] = pair
        except Exception as fault:  # noqa: BLE001  # rule 4: here are the sessions of thousands
            self._say(f"a fault of ours ended a pair: {type(fault).__name__}")
            self._end(pair, End.BROKEN, reset=True)
            return
        if flow.broken and (changed := pair.settle()) is not None:
            self._busy[changed] = pair
        if pair.is_over:
            self._end(pair, End.BROKEN if pair.is_broken else End.CLOSED, reset=False)
        elif pair.is_broken and pair.is_lingering:
            self._lingering.setdefault(pair, self._clock() + self._linger_s)

    def _end(self, pair: Pair, why: End, *, reset: bool) -> None:
        self._watch.drop(pair.client.fileno())
        self._watch.drop(pair.agent.fileno())
        pair.stop(reset=reset)
        del self._live[pair.id]
        self._busy.pop(pair.up, None)
        self._busy.pop(pair.down, None)
        self._lingering.pop(pair, None)
        if len(self.unheard) >= UNHEARD_MAX:
            del self.unheard[next(iter(self.unheard))]
        ended = self.unheard[pair.id] = pair.ended(why)
        self.tell(ended)
