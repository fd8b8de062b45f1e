"""The life of a session as a table: what may follow what. Pure; `channel` does it.

A session begins with its channel and ends once. Whatever else happens meanwhile, a process that was started
is ended or hung up, and what it said before its end is sent before its status.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from mezite.errors import IllegalStep


class Stage(Enum):
    OPEN = auto()
    """A channel that has not said what it is for."""
    ASKING = auto()
    """The hub is asked."""
    STARTING = auto()
    RUNNING = auto()
    DRAINING = auto()
    """The process has ended; what it said is still on its way."""
    ENDED = auto()


class Turn(Enum):
    WANTED = auto()
    ALLOWED = auto()
    REFUSED = auto()
    STARTED = auto()
    EXITED = auto()
    DRAINED = auto()
    CLOSED = auto()
    """The client has gone, or the connection was cut."""


_LIVE: Final = (Stage.OPEN, Stage.ASKING, Stage.STARTING, Stage.RUNNING, Stage.DRAINING)

TURNS: Final[dict[tuple[Stage, Turn], Stage]] = {
    (Stage.OPEN, Turn.WANTED): Stage.ASKING,
    (Stage.ASKING, Turn.ALLOWED): Stage.STARTING,
    (Stage.ASKING, Turn.REFUSED): Stage.ENDED,
    (Stage.STARTING, Turn.STARTED): Stage.RUNNING,
    (Stage.STARTING, Turn.REFUSED): Stage.ENDED,
    (Stage.RUNNING, Turn.EXITED): Stage.DRAINING,
    (Stage.DRAINING, Turn.DRAINED): Stage.ENDED,
    **{(stage, Turn.CLOSED): Stage.ENDED for stage in _LIVE},
}


def after(stage: Stage, turn: Turn) -> Stage:
    try:
        return TURNS[stage, turn]
    except KeyError:
        raise IllegalStep(f"a session that is {stage.name.lower()} cannot take {turn.name.lower()}") from None
