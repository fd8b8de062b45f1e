"""Everything at once, as seen and as changed by one transaction of either SQL engine."""

from __future__ import annotations

import dataclasses

from mezite.audit.chain import Head
from mezite.audit.events import Event
from mezite.clock import Clock, to_us
from mezite.errors import Exists
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.storage import shelves
from mezite.storage import trail_statements as sql
from mezite.storage.ends import COLUMNS, Ends, file
from mezite.storage.executor import Executor
from mezite.storage.sql_shelf import SqlShelf
from mezite.storage.sql_trail import SqlChanges, SqlTrail, stored_ends


class SqlReading:
    """`ports.Reading`. What is only read is kept from being written by the connection itself."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self.audit = SqlTrail(executor, self._where_it_ends)
        self.changes = SqlChanges(executor, self._where_it_ends)
        self.users = SqlShelf(shelves.USERS, executor)
        self.credentials = SqlShelf(shelves.CREDENTIALS, executor)
        self.enrolments = SqlShelf(shelves.ENROLMENTS, executor)
        self.access_tokens = SqlShelf(shelves.ACCESS_TOKENS, executor)
        self.roles = SqlShelf(shelves.ROLES, executor)
        self.nodes = SqlShelf(shelves.NODES, executor)
        self.presence = SqlShelf(shelves.PRESENCE, executor)
        self.hub_pulses = SqlShelf(shelves.HUB_PULSES, executor)
        self.join_tokens = SqlShelf(shelves.JOIN_TOKENS, executor)
        self.locks = SqlShelf(shelves.LOCKS, executor)
        self.authorities = SqlShelf(shelves.AUTHORITIES, executor)
        self.clusters = SqlShelf(shelves.CLUSTERS, executor)
        self.connections = SqlShelf(shelves.CONNECTIONS, executor)
        self.report_marks = SqlShelf(shelves.REPORT_MARKS, executor)

    def _where_it_ends(self) -> Ends:
        return stored_ends(self._executor)


class SqlWriting(SqlReading):
    """`ports.Writing`, for all units of one group in turn.

    Each record and each line of the feed is written as it is made; `rewind` takes back what is counted here
    when a unit is undone.
    """

    def __init__(self, executor: Executor, clock: Clock) -> None:
        super().__init__(executor)
        self._clock = clock
        self._ends = self._kept = Ends()
        self._told: list[Change] = []

    def begin(self, known: Ends) -> None:
        self._ends = self._kept = known
        self._told = []

    def mark(self) -> tuple[Ends, int]:
        return self._ends, len(self._told)

    def rewind(self, mark: tuple[Ends, int]) -> None:
        self._ends, lines = mark
        del self._told[lines:]

    def finish(self) -> tuple[Ends, list[Change]]:
        """Writes down where chain and feed end; both are durable with the commit that follows."""
        if self._ends != self._kept:
            self._executor.run(sql.MOVE_ENDS, _params(dataclasses.asdict(self._ends)))
        return self._ends, self._told

    def _where_it_ends(self) -> Ends:
        return self._ends

    def record(self, event: Event) -> None:
        filed, after = file(self._ends, event)
        link = filed.record
        row = {"seq": link.seq, "hash": link.hash, "body": link.body, "highest_us": filed.highest_us}
        row |= dict(zip(COLUMNS, filed.columns, strict=True))
        if not self._executor.run(sql.ADD_RECORD, _params(row)):
            raise Exists("this event is in the audit trail already")
        self._ends = after

    def changed(self, kind: ChangeKind, key: str, op: ChangeOp = ChangeOp.PUT) -> None:
        line = Change(self._ends.feed + 1, kind, key, op, self._clock.now())
        row = {
            "revision": line.revision,
            "kind": str(kind),
            "key": key,
            "op": str(op),
            "time_us": to_us(line.time),
        }
        self._executor.run(sql.ADD_CHANGE, _params(row))
        self._ends = dataclasses.replace(self._ends, feed=line.revision)
        self._told.append(line)

    def keep_head(self, head: Head) -> None:
        """A number that this key has signed already stays as it was signed first."""
        row = {"seq": head.seq, "key_id": head.key_id, "hash": head.hash, "signature": head.signature}
        self._executor.run(sql.KEEP_HEAD, _params({**row, "time_us": to_us(head.time)}))

    def trim_changes(self, *, keep: int) -> None:
        self._executor.run(sql.TRIM_CHANGES, {"last": self._ends.feed - keep})


def _params(row: dict[str, object]) -> dict[str, object]:
    return {f"c_{name}": value for name, value in row.items()}
