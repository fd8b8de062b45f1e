"""All the console knows, and how each piece of news changes it. Pure: no clock, no hub, no screen.

1. A reducer never forgets what is on the screen because a hub is away: it only marks it as old.
2. Events are held once each, in order of their numbers, at most `KEPT_EVENTS` of them: the newest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

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

KEPT_EVENTS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Link:
    """`seen_at` is when the hub was last known to answer; `lost_at` is set while it does not."""

    seen_at: datetime | None = None
    lost_at: datetime | None = None
    reason: str = ""

    @property
    def up(self) -> bool:
        return self.seen_at is not None and self.lost_at is None


@dataclass(frozen=True, slots=True)
class State:
    """`nodes` and `events` are None until they were read."""

    person: Person | None = None
    link: Link = Link()
    nodes: tuple[Node, ...] | None = None
    events: tuple[Entry, ...] | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    """Places this user may not see -> the hub's reason."""
    login_ended: str = ""

    def node(self, name: str) -> Node | None:
        return next((node for node in self.nodes or () if node.name == name), None)


def reduce(state: State, news: News) -> State:
    match news:
        case Introduced(person):
            return replace(state, person=person)
        case NodesRead(nodes):
            return replace(_allowed(state, "nodes"), nodes=tuple(sorted(nodes, key=lambda node: node.name)))
        case EventsCame(entries):
            return replace(_allowed(state, "audit"), events=_joined(state.events or (), entries))
        case ReadingRefused(place, reason):
            return replace(state, refused={**state.refused, place: reason})
        case LinkLost(at, reason):
            # The first loss counts: retries that fail say nothing new about how old the screen is.
            return replace(state, link=replace(state.link, lost_at=state.link.lost_at or at, reason=reason))
        case LinkUp(at):
            return replace(state, link=Link(seen_at=at))
        case LoginEnded(reason):
            return replace(state, login_ended=reason)


def _allowed(state: State, place: str) -> State:
    if place not in state.refused:
        return state
    return replace(state, refused={name: why for name, why in state.refused.items() if name != place})


def _joined(known: tuple[Entry, ...], came: tuple[Entry, ...]) -> tuple[Entry, ...]:
    last = known[-1].seq if known else 0
    fresh = tuple(entry for entry in came if entry.seq > last)
    return (known + fresh)[-KEPT_EVENTS:] if fresh or not known else known
