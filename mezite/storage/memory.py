"""The engine of tests: dictionaries, and the same promises as the SQL engines, save that nothing is kept.

Rows hold encoded bodies, so that a noun which cannot be stored fails here too, and no caller can change what
is stored by holding on to it.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from mezite.audit.chain import Head
from mezite.audit.events import Event
from mezite.clock import Clock
from mezite.errors import CallerError, Exists
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.storage import shelves
from mezite.storage.codec import N
from mezite.storage.ends import Ends, file
from mezite.storage.groups import closed
from mezite.storage.listeners import Listeners
from mezite.storage.memory_trail import Ledger, MemoryChanges, MemoryTrail
from mezite.storage.ports import Reading, Store, Writing
from mezite.storage.shelves import Plan, Value, findable

R = TypeVar("R")
Undo = list[Callable[[], object]]
"""What takes back the running unit, to be called from the end."""


@asynccontextmanager
async def open_memory(clock: Clock) -> AsyncIterator[Store]:
    store = MemoryStore(clock)
    try:
        yield store
    finally:
        store.close()


@dataclass(frozen=True, slots=True)
class Row:
    columns: dict[str, Value]
    revision: int
    body: str


Rows = dict[str, Row]


@dataclass(slots=True)
class Tables:
    shelves: dict[str, Rows] = field(default_factory=lambda: {plan.table: {} for plan in shelves.PLANS})
    ledger: Ledger = field(default_factory=Ledger)


class MemoryShelf(Generic[N]):
    def __init__(self, plan: Plan[N], tables: Tables, undo: Undo) -> None:
        self._plan = plan
        self._rows = tables.shelves[plan.table]
        self._undo = undo

    def get(self, key: str) -> N | None:
        row = self._rows.get(key)
        return None if row is None else self._noun(key, row)

    def one(self, **columns: str) -> N | None:
        self._plan.names(columns, unique=True)
        return next((self._noun(*found) for found in self._matching(columns)), None)

    def all(self, **columns: str) -> list[N]:
        self._plan.names(columns)
        return [self._noun(*found) for found in self._matching(columns)]

    def page(self, *, after: str = "", limit: int, **columns: str) -> list[N]:
        self._plan.names(columns)
        later = (found for found in self._matching(columns) if found[0] > after and findable(after))
        return [self._noun(*found) for _, found in zip(range(limit), later, strict=False)]

    def count(self, **columns: str) -> int:
        self._plan.names(columns)
        return sum(1 for _ in self._matching(columns))

    def insert(self, noun: N) -> N:
        key = self._plan.key_of(noun)
        if key in self._rows or self._taken(noun):
            raise self._plan.exists()
        return self._put(key, dataclasses.replace(noun, revision=1))

    def replace(self, noun: N) -> N:
        key = self._seen(noun)
        if self._taken(noun):
            raise self._plan.exists()
        return self._put(key, dataclasses.replace(noun, revision=noun.revision + 1))

    def delete(self, noun: N) -> None:
        key = self._seen(noun)
        row = self._rows.pop(key)
        self._undo.append(lambda: self._rows.__setitem__(key, row))

    def _seen(self, noun: N) -> str:
        key = self._plan.key_of(noun)
        row = self._rows.get(key)
        if row is None or row.revision != noun.revision:
            raise self._plan.stale()
        return key

    def _put(self, key: str, stored: N) -> N:
        row = Row(self._plan.columns_of(stored), stored.revision, self._plan.codec.encode(stored))
        if (old := self._rows.get(key)) is None:
            self._undo.append(lambda: self._rows.pop(key))
        else:
            self._undo.append(lambda: self._rows.__setitem__(key, old))
        self._rows[key] = row
        return stored

    def _taken(self, noun: N) -> bool:
        """Whether another row holds a unique value of this one."""
        key, mine = self._plan.key_of(noun), self._plan.columns_of(noun)
        uniques = [column.name for column in self._plan.columns if column.unique]
        others = (row for other, row in self._rows.items() if other != key)
        return any(row.columns[name] == mine[name] for row in others for name in uniques)

    def _matching(self, columns: dict[str, Any]) -> Iterator[tuple[str, Row]]:
        wanted = columns.items()
        return (
            (key, row) for key, row in sorted(self._rows.items(), key=_key) if wanted <= row.columns.items()
        )

    def _noun(self, key: str, row: Row) -> N:
        return self._plan.codec.decode(key, row.revision, row.body)


class MemoryView:
    """`ports.Writing` on dictionaries. Who gets it as a `Reading` is held to that by the type checker."""

    def __init__(self, tables: Tables, clock: Clock, undo: Undo) -> None:
        self._ledger = tables.ledger
        self._clock = clock
        self._undo = undo
        self.told: list[Change] = []
        self.users = MemoryShelf(shelves.USERS, tables, undo)
        self.credentials = MemoryShelf(shelves.CREDENTIALS, tables, undo)
        self.enrolments = MemoryShelf(shelves.ENROLMENTS, tables, undo)
        self.access_tokens = MemoryShelf(shelves.ACCESS_TOKENS, tables, undo)
        self.roles = MemoryShelf(shelves.ROLES, tables, undo)
        self.nodes = MemoryShelf(shelves.NODES, tables, undo)
        self.presence = MemoryShelf(shelves.PRESENCE, tables, undo)
        self.hub_pulses = MemoryShelf(shelves.HUB_PULSES, tables, undo)
        self.join_tokens = MemoryShelf(shelves.JOIN_TOKENS, tables, undo)
        self.locks = MemoryShelf(shelves.LOCKS, tables, undo)
        self.authorities = MemoryShelf(shelves.AUTHORITIES, tables, undo)
        self.clusters = MemoryShelf(shelves.CLUSTERS, tables, undo)
        self.connections = MemoryShelf(shelves.CONNECTIONS, tables, undo)
        self.report_marks = MemoryShelf(shelves.REPORT_MARKS, tables, undo)
        self.audit = MemoryTrail(tables.ledger)
        self.changes = MemoryChanges(tables.ledger)

    def record(self, event: Event) -> None:
        filed, after = file(self._ledger.ends, event)
        event_id = str(filed.columns[0])
        if event_id in self._ledger.event_ids:
            raise Exists("this event is in the audit trail already")
        self._ledger.event_ids.add(event_id)
        self._ledger.filed.append(filed)
        self._undo.append(lambda: self._ledger.event_ids.remove(event_id))
        self._undo.append(self._ledger.filed.pop)
        self._move(after)

    def changed(self, kind: ChangeKind, key: str, op: ChangeOp = ChangeOp.PUT) -> None:
        line = Change(self._ledger.ends.feed + 1, kind, key, op, self._clock.now())
        self._ledger.changes.append(line)
        self._undo.append(self._ledger.changes.pop)
        self._move(dataclasses.replace(self._ledger.ends, feed=line.revision))
        self.told.append(line)

    def keep_head(self, head: Head) -> None:
        """A number that this key has signed already stays as it was signed first."""
        place = (head.seq, head.key_id)
        if place not in self._ledger.signed:
            self._ledger.signed[place] = head
            self._undo.append(lambda: self._ledger.signed.pop(place))

    def trim_changes(self, *, keep: int) -> None:
        last = self._ledger.ends.feed - keep
        trimmed = [line for line in self._ledger.changes if line.revision <= last]
        self._ledger.changes[: len(trimmed)] = []
        self._undo.append(lambda: self._ledger.changes.__setitem__(slice(0, 0), trimmed))

    def _move(self, after: Ends) -> None:
        before = self._ledger.ends
        self._ledger.ends = after
        self._undo.append(lambda: setattr(self._ledger, "ends", before))


class MemoryStore:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._tables = Tables()
        self._listeners = Listeners()
        self._open = True

    async def read(self, query: Callable[[Reading], R]) -> R:
        await self._turn()
        return query(MemoryView(self._tables, self._clock, []))

    async def write(self, unit: Callable[[Writing], R]) -> R:
        await self._turn()
        undo: Undo = []
        view = MemoryView(self._tables, self._clock, undo)
        try:
            answer = unit(view)
        except BaseException:
            for step in reversed(undo):
                step()
            raise
        self._listeners.tell(view.told)
        await asyncio.sleep(0)  # so that listeners hear before the caller goes on
        return answer

    def on_change(self, listener: Callable[[Sequence[Change]], None]) -> None:
        self._listeners.add(listener)

    async def backup(self, target: str) -> None:
        raise CallerError("a store in memory cannot be backed up; it keeps nothing")

    def close(self) -> None:
        self._open = False

    async def _turn(self) -> None:
        """Lets others run first, as every engine with a disk does, so that races show in tests."""
        await asyncio.sleep(0)
        if not self._open:
            raise closed()


def _key(item: tuple[str, Row]) -> str:
    return item[0]
