"""Which nouns are kept, under which key, and by which columns they are found.

A row is the key, the columns, the revision, and the whole noun as its body. A column exists only to be found
by: everything is in the body, so adding a field to a noun needs no migration, adding a column does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, Final, Generic

from mezite.errors import Exists, Invalid, Stale
from mezite.model.authority import Authority
from mezite.model.cluster import Cluster
from mezite.model.connection import Connection, ReportMark
from mezite.model.lock import Lock
from mezite.model.node import HubPulse, JoinToken, Node, Presence
from mezite.model.role import Role
from mezite.model.user import AccessToken, Credential, Enrolment, User
from mezite.storage.codec import Codec, N

Value = str | int

MAX_INDEXED_CHARS: Final = 256
"""At four bytes each well below what a PostgreSQL index entry holds (2,704 bytes)."""

_UNSTORABLE: Final = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Column:
    """A text or whole-number column, filled from the noun's attribute of the same name."""

    name: str
    unique: bool = False
    kind: type[str] | type[int] = str


@dataclass(frozen=True, eq=False)
class Plan(Generic[N]):
    """How one noun is stored. Compared by identity: there is one plan per table."""

    noun: type[N]
    table: str
    label: str
    """What people call one of them, for messages."""
    key: str
    columns: tuple[Column, ...] = ()
    codec: Codec[N] = field(init=False)
    _getters: tuple[tuple[str, Callable[[N], Value]], ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codec", Codec(self.noun, self.table))
        object.__setattr__(self, "_getters", tuple((c.name, attrgetter(c.name)) for c in self.columns))

    def key_of(self, noun: N) -> str:
        return str(self._checked(self.key, getattr(noun, self.key)))

    def columns_of(self, noun: N) -> dict[str, Value]:
        return {name: self._checked(name, get(noun)) for name, get in self._getters}

    def names(self, columns: Mapping[str, Value], *, unique: bool = False) -> tuple[str, ...]:
        """The given columns' names in order. An unknown one is a bug of the caller's, not bad input."""
        known = {column.name for column in self.columns if column.unique or not unique}
        if unknown := columns.keys() - known:
            raise TypeError(f"{self.table} cannot be looked up by {', '.join(sorted(unknown))}")
        if unique and not columns:
            raise TypeError(f"{self.table}: which one?")
        return tuple(sorted(columns))

    def stale(self) -> Stale:
        return Stale(f"this {self.label} was changed by somebody else meanwhile; look at it again and retry")

    def exists(self) -> Exists:
        return Exists(f"there is such a {self.label} already; choose another name")

    def _checked(self, column: str, value: Any) -> Value:
        if isinstance(value, int):
            return value
        if not findable(value):
            raise Invalid(
                f"the {column} of this {self.label} is too long or holds characters nobody can type"
            )
        return str(value)


def findable(value: Value) -> bool:
    """Whether a column may hold it. What may not be stored is not searched for either: it finds nothing."""
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    return len(value) <= MAX_INDEXED_CHARS and indexable(value) == value


def indexable(text: str) -> str:
    """The text as an index column can hold it on every engine: short, no NUL, no lone surrogates."""
    return _UNSTORABLE.sub("\ufffd", text[:MAX_INDEXED_CHARS])


_USER = Column("user_id")

USERS: Final = Plan(User, "users", "user", "id", (Column("name", unique=True),))
CREDENTIALS: Final = Plan(Credential, "credentials", "credential", "user_id")
ENROLMENTS: Final = Plan(Enrolment, "enrolments", "enrolment", "token_hash", (_USER,))
ACCESS_TOKENS: Final = Plan(
    AccessToken, "access_tokens", "access token", "id", (Column("token_hash", unique=True), _USER)
)
ROLES: Final = Plan(Role, "roles", "role", "name")
NODES: Final = Plan(Node, "nodes", "node", "id", (Column("name", unique=True),))
PRESENCE: Final = Plan(Presence, "presence", "control line", "line_id", (Column("node_id"), Column("hub_id")))
HUB_PULSES: Final = Plan(HubPulse, "hub_pulses", "hub", "hub_id")
JOIN_TOKENS: Final = Plan(JoinToken, "join_tokens", "join token", "id")
LOCKS: Final = Plan(Lock, "locks", "lock", "id", (Column("target"), Column("value")))
AUTHORITIES: Final = Plan(Authority, "authorities", "authority", "id", (Column("kind"),))
CLUSTERS: Final = Plan(Cluster, "clusters", "cluster", "name")
CONNECTIONS: Final = Plan(
    Connection, "connections", "connection", "id", (Column("node_id"), _USER, Column("hub_id"))
)
REPORT_MARKS: Final = Plan(ReportMark, "report_marks", "report", "node_id")

PLANS: Final[tuple[Plan[Any], ...]] = (
    USERS,
    CREDENTIALS,
    ENROLMENTS,
    ACCESS_TOKENS,
    ROLES,
    NODES,
    PRESENCE,
    HUB_PULSES,
    JOIN_TOKENS,
    LOCKS,
    AUTHORITIES,
    CLUSTERS,
    CONNECTIONS,
    REPORT_MARKS,
)
