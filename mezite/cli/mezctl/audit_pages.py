"""Reading the audit log of a hub in pieces: its newest events, and what follows them without a gap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from mezite.api.generated.audit_pb2 import Event, EventFilter
    from mezite.client.hub import Hub

PAGE: Final = 1_000


def newest(hub: Hub, which: EventFilter, limit: int, before: int = 0) -> tuple[list[Event], bool]:
    """The newest events, oldest first, and whether there are older ones."""
    from mezite.api.generated.audit_pb2 import ListEventsRequest
    from mezite.client.methods import AUDIT_LIST

    found: list[Event] = []
    more = True
    while more and len(found) < limit:
        wanted = min(PAGE, limit - len(found))
        page = hub.call(AUDIT_LIST, ListEventsRequest(filter=which, limit=wanted, before=before))
        found.extend(page.events)
        more = page.more and bool(page.events)
        before = found[-1].seq if found else 0
    return found[::-1], more


def begin(hub: Hub, which: EventFilter, lines: int) -> tuple[int, list[Event]]:
    """The place from which to follow, and the newest events up to it: none is missed, none comes twice."""
    from mezite.api.generated.audit_pb2 import EventFilter

    end, _ = newest(hub, EventFilter(), 1)
    place = end[-1].seq if end else 0
    return place, newest(hub, which, lines, before=place + 1)[0] if lines and place else []


def follow(hub: Hub, which: EventFilter, place: int) -> Iterator[Event]:
    from mezite.api.generated.audit_pb2 import TailEventsRequest
    from mezite.client.methods import AUDIT_TAIL

    return hub.stream(AUDIT_TAIL, TailEventsRequest(filter=which, after=place, from_start=True))
