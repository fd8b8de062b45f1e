"""The console's one way to the hub, and the only caller of `mezite.client` while it runs.

Two streams are followed: the feed, after which nodes are read anew, and the tail of the audit log. Both go on
after the last thing seen, so a break leaves no gap and no double. Questions run in threads of their own;
nothing here blocks the event loop. What comes is told as `messages`, in batches at most ten times a second.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from contextlib import aclosing, suppress
from typing import Final

from mezite.api.generated import access_pb2, audit_pb2, common_pb2, nodes_pb2
from mezite.audit.body import decode
from mezite.client import methods
from mezite.client.hub import PAGE, Hub
from mezite.client.methods import A, Method, Q
from mezite.client.profile import Pass
from mezite.client.streams import streamed
from mezite.client.watch import Changed, Lost, Reset, Resumed, UpToDate, lines_of, pause_s, watch
from mezite.clock import Clock, from_us
from mezite.errors import Damaged, Denied, MeziteError, NotLoggedIn, Throttled, Unavailable
from tui.messages import (
    Entry,
    EventsCame,
    Introduced,
    LinkLost,
    LinkUp,
    LoginEnded,
    News,
    Node,
    NodesRead,
    Person,
    ReadingRefused,
)

FIRST_EVENTS: Final = 500
BATCH_S: Final = 0.1
MOST_NODES: Final = 50_000
WAITING_EVENTS: Final = 2_000
"""Events read and not yet told. When it is full the stream is not read further: the hub keeps our place."""

_AWAY: Final = (Unavailable, Throttled)


class Link:
    """One login at one hub, from `run` until it is cancelled."""

    def __init__(
        self,
        who: Pass,
        tell: Callable[[News], None],
        clock: Clock,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._chance = chance
        self._who = who
        self._tell = tell
        self._clock = clock
        self._hub = Hub(who)
        self._retry = asyncio.Event()
        self._nodes_changed = asyncio.Event()
        self._last_event = 0

    async def run(self) -> None:
        """Follows the hub; ends when the hub refuses the login."""
        try:
            with self._hub:
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._follow_feed(), name="console feed")
                    group.create_task(self._follow_nodes(), name="console nodes")
                    group.create_task(self._follow_events(), name="console tail")
        except* NotLoggedIn as refused:
            self._tell(LoginEnded(_first(refused).message))
        except* MeziteError as failed:
            # A lock, another version of the hub: it will not pass by waiting.
            self._tell(LoginEnded(_first(failed).message))

    def retry(self) -> None:
        """Does not wait any longer before the next attempt."""
        self._retry.set()

    async def ask(self, method: Method[Q, A], question: Q) -> A:
        return await asyncio.to_thread(self._hub.call, method, question)

    async def explain(self, user: str, login: str, node: str, roles: Sequence[str]) -> access_pb2.Explanation:
        question = access_pb2.ExplainRequest(
            user=user, action="ssh", login=login, node=node, as_if_roles=roles
        )
        return await self.ask(methods.ACCESS_EXPLAIN, question)

    async def _follow_feed(self) -> None:
        async with aclosing(
            watch(lines_of(lambda: self._who, ["node"]), sleep=self._pause, chance=self._chance)
        ) as news:
            async for each in news:
                match each:
                    case Changed() | Reset() | Resumed():
                        self._nodes_changed.set()
                    case Lost(reason):
                        self._tell(LinkLost(self._clock.now(), reason))
                        continue
                    case UpToDate():
                        pass
                self._tell(LinkUp(self._clock.now()))

    async def _follow_nodes(self) -> None:
        """Reads nodes at first and after changes; many changes at once are one reading."""
        self._nodes_changed.set()
        failures = 0
        while True:
            await self._nodes_changed.wait()
            self._nodes_changed.clear()
            try:
                await self._introduce()
                self._tell(NodesRead(await self._nodes()))
                failures = 0
            except _AWAY:
                failures += 1
                self._nodes_changed.set()
                await self._pause(pause_s(failures, self._chance()))
            await asyncio.sleep(BATCH_S)

    async def _introduce(self) -> None:
        me = await self.ask(methods.IDENTITY_WHO_AM_I, common_pb2.Empty())
        roles = tuple(role.name for role in me.roles)
        self._tell(Introduced(Person(me.name, me.cluster, roles)))

    async def _nodes(self) -> tuple[Node, ...]:
        """All there are, for who may list them; else those this user may reach."""
        try:
            return await self._pages(everything=True)
        except Denied:
            return await self._pages(everything=False)

    async def _pages(self, *, everything: bool) -> tuple[Node, ...]:
        found: list[Node] = []
        more = True
        while more and len(found) < MOST_NODES:
            page = common_pb2.Page(after=found[-1].id if found else "", limit=PAGE)
            answer = await self.ask(methods.NODES_LIST, nodes_pb2.ListNodesRequest(page=page, all=everything))
            found += [_node(row) for row in answer.nodes]
            more = answer.more and bool(answer.nodes)
        return tuple(found)

    async def _follow_events(self) -> None:
        failures = 0
        while True:
            try:
                await self._read_first_events()
                await self._tail()
            except Denied as denied:
                self._tell(ReadingRefused("audit", denied.message))
                return
            except _AWAY:
                failures += 1
            await self._pause(pause_s(max(failures, 1), self._chance()))

    async def _read_first_events(self) -> None:
        if self._last_event:
            return
        answer = await self.ask(methods.AUDIT_LIST, audit_pb2.ListEventsRequest(limit=FIRST_EVENTS))
        self._tell_events([_entry(event) for event in reversed(answer.events)])

    async def _tail(self) -> None:
        waiting: asyncio.Queue[Entry] = asyncio.Queue(WAITING_EVENTS)
        question = audit_pb2.TailEventsRequest(after=self._last_event, from_start=True)

        async def read() -> None:
            async with aclosing(streamed(self._who, methods.AUDIT_TAIL, question)) as events:
                async for event in events:
                    await waiting.put(_entry(event))

        async def tell() -> None:
            while True:
                batch = [await waiting.get()]
                while not waiting.empty():
                    batch.append(waiting.get_nowait())
                self._tell_events(batch)
                await asyncio.sleep(BATCH_S)

        try:
            async with asyncio.TaskGroup() as group:
                telling = group.create_task(tell(), name="console tail, telling")
                await read()
                telling.cancel()
        except* MeziteError as failed:
            raise _first(failed) from None

    def _tell_events(self, entries: list[Entry]) -> None:
        if entries:
            self._last_event = entries[-1].seq
        self._tell(EventsCame(tuple(entries)))

    async def _pause(self, seconds: float) -> None:
        """The wait between attempts; a person who says "retry" ends it."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._retry.wait()
        self._retry.clear()


def _node(row: nodes_pb2.Node) -> Node:
    return Node(
        id=row.id,
        name=row.name,
        online=row.status == "online",
        role=row.role,
        version=row.version,
        address=row.addr,
        joined_at=from_us(row.joined_us) if row.joined_us else None,
        labels=tuple(sorted(row.labels.items())),
        logins=tuple(row.logins),
    )


def _entry(event: audit_pb2.Event) -> Entry:
    try:
        return Entry(event.seq, decode(event.body))
    except Damaged:
        return Entry(event.seq, None, event.body)


def _first(group: BaseExceptionGroup[MeziteError]) -> MeziteError:
    """The first failure that a task group wrapped."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
