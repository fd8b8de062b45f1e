"""What the rest of the house may ask of storage. No SQL here, no engine, no clock.

The rules that every engine keeps, and that one conformance suite holds all three to:

1. A *unit* is a plain function of a `Writing`. It runs whole or not at all: raising undoes what it did.
2. Units are serial in the whole cluster: each sees all that earlier ones did, and no other runs between its
   lines. So a decision made on what a unit has read still holds when it writes.
3. `write` returns after the unit is on disk, and only then are its changes told to the feed. Units that wait
   together share one commit.
4. A unit may be run again after a lost connection or a lost race for the cluster, so it has no effect but
   on the `Writing` it was given, and it never waits for anything else.
5. Every replace and delete names the revision it saw; another one raises `Stale` and undoes the unit.
6. What a unit records in the audit trail is chained in commit order, in the same commit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, TypeVar

from mezite.audit.chain import Head, Record
from mezite.audit.events import Event
from mezite.model.authority import Authority
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.model.cluster import Cluster
from mezite.model.connection import Connection, ReportMark
from mezite.model.lock import Lock
from mezite.model.node import HubPulse, JoinToken, Node, Presence
from mezite.model.role import Role
from mezite.model.user import AccessToken, Credential, Enrolment, User

T = TypeVar("T")
R = TypeVar("R")


class ReadShelf(Protocol[T]):
    """The rows of one noun. `columns` are equalities on the indexed columns that `storage.shelves` names."""

    def get(self, key: str) -> T | None: ...

    def one(self, **columns: str) -> T | None:
        """The row with these values of a unique column."""
        ...

    def all(self, **columns: str) -> list[T]:
        """In key order. For nouns whose number is bounded by the size of a team, not by traffic."""
        ...

    def page(self, *, after: str = "", limit: int, **columns: str) -> list[T]:
        """At most `limit` rows whose key is greater than `after`, in key order."""
        ...

    def count(self, **columns: str) -> int: ...


class Shelf(ReadShelf[T], Protocol[T]):
    def insert(self, noun: T) -> T:
        """Stores it with revision 1; `Exists` when the key or a unique column is taken."""
        ...

    def replace(self, noun: T) -> T:
        """Stores it with the next revision; `Stale` unless `noun.revision` is the stored one."""
        ...

    def delete(self, noun: T) -> None:
        """`Stale` unless `noun.revision` is the stored one."""
        ...


MAX_TYPES: Final = 64
"""In one filter; more is `TooLarge`."""


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which events; every given field must hold. `types` end in `*` for all that begin so."""

    types: tuple[str, ...] = ()
    user: str = ""
    node: str = ""
    request_id: str = ""
    session_id: str = ""
    since: datetime | None = None
    until: datetime | None = None


class AuditTrail(Protocol):
    def query(self, which: AuditFilter, *, before: int = 0, after: int = 0, limit: int) -> list[Record]:
        """Newest first below `before` (0: from the end); with `after`, oldest first above it instead."""
        ...

    def records(self, *, after: int, limit: int) -> list[Record]:
        """The raw chain in order, whatever the index columns say."""
        ...

    def misfiled(self, *, limit: int) -> list[int]:
        """Numbers of records whose index columns do not say what their body says."""
        ...

    def head(self) -> Head | None:
        """The last link as the writer keeps it (unsigned); None before the first event."""
        ...

    def signed_heads(self, *, after: int = 0, limit: int) -> list[Head]: ...


class ChangeLog(Protocol):
    def after(self, revision: int, *, limit: int) -> list[Change]: ...

    def span(self) -> tuple[int, int]:
        """(oldest kept, newest) revisions; (0, 0) when nothing ever changed."""
        ...


class Reading(Protocol):
    """A consistent view of everything, as of one moment."""

    @property
    def users(self) -> ReadShelf[User]: ...
    @property
    def credentials(self) -> ReadShelf[Credential]: ...
    @property
    def enrolments(self) -> ReadShelf[Enrolment]: ...
    @property
    def access_tokens(self) -> ReadShelf[AccessToken]: ...
    @property
    def roles(self) -> ReadShelf[Role]: ...
    @property
    def nodes(self) -> ReadShelf[Node]: ...
    @property
    def presence(self) -> ReadShelf[Presence]: ...
    @property
    def hub_pulses(self) -> ReadShelf[HubPulse]: ...
    @property
    def join_tokens(self) -> ReadShelf[JoinToken]: ...
    @property
    def locks(self) -> ReadShelf[Lock]: ...
    @property
    def authorities(self) -> ReadShelf[Authority]: ...
    @property
    def clusters(self) -> ReadShelf[Cluster]: ...
    @property
    def connections(self) -> ReadShelf[Connection]: ...
    @property
    def report_marks(self) -> ReadShelf[ReportMark]: ...
    @property
    def audit(self) -> AuditTrail: ...
    @property
    def changes(self) -> ChangeLog: ...


class Writing(Reading, Protocol):
    """The same view from inside a unit, and the right to change it."""

    @property
    def users(self) -> Shelf[User]: ...
    @property
    def credentials(self) -> Shelf[Credential]: ...
    @property
    def enrolments(self) -> Shelf[Enrolment]: ...
    @property
    def access_tokens(self) -> Shelf[AccessToken]: ...
    @property
    def roles(self) -> Shelf[Role]: ...
    @property
    def nodes(self) -> Shelf[Node]: ...
    @property
    def presence(self) -> Shelf[Presence]: ...
    @property
    def hub_pulses(self) -> Shelf[HubPulse]: ...
    @property
    def join_tokens(self) -> Shelf[JoinToken]: ...
    @property
    def locks(self) -> Shelf[Lock]: ...
    @property
    def authorities(self) -> Shelf[Authority]: ...
    @property
    def clusters(self) -> Shelf[Cluster]: ...
    @property
    def connections(self) -> Shelf[Connection]: ...
    @property
    def report_marks(self) -> Shelf[ReportMark]: ...

    def record(self, event: Event) -> None:
        """Adds it to the audit chain, in this commit."""
        ...

    def changed(self, kind: ChangeKind, key: str, op: ChangeOp = ChangeOp.PUT) -> None:
        """Adds a line to the feed, told after this commit."""
        ...

    def keep_head(self, head: Head) -> None:
        """Stores a signed head."""
        ...

    def trim_changes(self, *, keep: int) -> None:
        """Forgets all but the newest `keep` lines of the feed."""
        ...


class Store(Protocol):
    """One open database. Opened and closed by its engine's own `open_…` context manager."""

    async def read(self, query: Callable[[Reading], R]) -> R:
        """Runs a plain function on a consistent view, never on half a unit. Like a unit, it may run twice."""
        ...

    async def write(self, unit: Callable[[Writing], R]) -> R:
        """Runs a unit as the rules above say, and returns what it returned."""
        ...

    def on_change(self, listener: Callable[[Sequence[Change]], None]) -> None:
        """`listener` hears, on the event loop, the feed's lines in the order of commits, other hubs' too.

        It hears each line once. A jump in the revision says that lines were trimmed before they were read.
        """
        ...

    async def backup(self, target: str) -> None:
        """Copies the running database to a new file; `CallerError` where the engine has its own tools."""
        ...
