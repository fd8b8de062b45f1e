"""How one direction of a pair lives, as a table, and how a relay does. Pure.

    MOVING      bytes go from source to sink
    ENDING      the source has said its last; what is held still goes to the sink, then the sink hears the end
    DISCARDING  the sink is gone, but the source still speaks. What it says is read and thrown away: closing
                a socket with unread bytes resets it, and the reset would overtake what is on its way back
    OVER        nothing moves any more

A pair is over when both its directions are.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from mezite.errors import IllegalStep


class Flowing(Enum):
    MOVING = auto()
    ENDING = auto()
    DISCARDING = auto()
    OVER = auto()


class Event(Enum):
    SOURCE_ENDED = auto()
    DELIVERED = auto()
    SINK_LOST = auto()
    STOPPED = auto()


FLOW: Final[dict[tuple[Flowing, Event], Flowing]] = {
    (Flowing.MOVING, Event.SOURCE_ENDED): Flowing.ENDING,
    (Flowing.MOVING, Event.SINK_LOST): Flowing.DISCARDING,
    (Flowing.MOVING, Event.STOPPED): Flowing.OVER,
    (Flowing.ENDING, Event.DELIVERED): Flowing.OVER,
    (Flowing.ENDING, Event.SINK_LOST): Flowing.OVER,
    (Flowing.ENDING, Event.STOPPED): Flowing.OVER,
    (Flowing.DISCARDING, Event.SOURCE_ENDED): Flowing.OVER,
    (Flowing.DISCARDING, Event.STOPPED): Flowing.OVER,
}


class Serving(Enum):
    """What a relay does: take pairs; see those it has to their end; go."""

    TAKING = auto()
    DRAINING = auto()
    LEAVING = auto()


class Wish(Enum):
    DRAIN = auto()
    LEAVE = auto()


RELAY: Final[dict[tuple[Serving, Wish], Serving]] = {
    (Serving.TAKING, Wish.DRAIN): Serving.DRAINING,
    (Serving.TAKING, Wish.LEAVE): Serving.LEAVING,
    (Serving.DRAINING, Wish.DRAIN): Serving.DRAINING,
    (Serving.DRAINING, Wish.LEAVE): Serving.LEAVING,
    (Serving.LEAVING, Wish.DRAIN): Serving.LEAVING,
    (Serving.LEAVING, Wish.LEAVE): Serving.LEAVING,
}


def flowed(state: Flowing, event: Event) -> Flowing:
    try:
        return FLOW[state, event]
    except KeyError:
        raise IllegalStep(f"a flow that is {state.name.lower()} knows no {event.name.lower()}") from None
