"""What has happened, as the link tells it to the console. `state` says what each changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from mezite.audit.events import Event


@dataclass(frozen=True, slots=True)
class Person:
    """Who the console acts as."""

    name: str
    cluster: str
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Node:
    """A node as this user sees it. `address` is empty for those who may not list nodes."""

    id: str
    name: str
    online: bool
    role: str = "node"
    version: str = ""
    address: str = ""
    joined_at: datetime | None = None
    labels: tuple[tuple[str, str], ...] = ()
    logins: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    """One place in the audit log. `event` is None where it cannot be read."""

    seq: int
    event: Event | None
    body: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Introduced:
    """The hub has said who this is."""

    person: Person


@dataclass(frozen=True, slots=True)
class NodesRead:
    """All nodes this user may see."""

    nodes: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class EventsCame:
    """Events in order, oldest first; those that are known already are told again after a break at worst."""

    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class ReadingRefused:
    """This user may not see this place."""

    place: str
    reason: str


@dataclass(frozen=True, slots=True)
class LinkLost:
    """The hub is away; what is shown may be old."""

    at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The hub answers, and all that was missed has been read."""

    at: datetime


@dataclass(frozen=True, slots=True)
class LoginEnded:
    """The hub does not take this login any more."""

    reason: str


News = Introduced | NodesRead | EventsCame | ReadingRefused | LinkLost | LinkUp | LoginEnded
