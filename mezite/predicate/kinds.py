"""The kinds of values the language knows, and the words people read for them.

There are no conversions: every function says which kinds it takes, and a predicate that mixes them is
refused when it is saved. A fact of another kind than declared counts as not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from typing import TypeGuard

Scalar = str | int | float | timedelta | bool
Fact = Scalar | tuple[Scalar, ...]
Facts = Mapping[str, object]
"""What is known, by dotted name: `user.name`, `user.traits.team`. What is missing, or of another kind than
its vocabulary declares, is not known."""

LONGEST_TEXT = 4096
LONGEST_LIST = 4096
"""Bounds on one fact. A longer one counts as not known, so that no fact makes a judgement slow."""


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "a number"
    DURATION = "a duration"
    TRUTH = "true or false"
    TEXTS = "a list of texts"
    NUMBERS = "a list of numbers"
    DURATIONS = "a list of durations"


LIST_OF: Mapping[Kind, Kind] = {
    Kind.TEXT: Kind.TEXTS,
    Kind.NUMBER: Kind.NUMBERS,
    Kind.DURATION: Kind.DURATIONS,
}
_ITEM_OF: Mapping[Kind, Kind] = {many: one for one, many in LIST_OF.items()}


def scalar_kind(value: Scalar) -> Kind:
    if isinstance(value, str):
        return Kind.TEXT
    if isinstance(value, bool):  # before the numbers: to Python a truth is one of them
        return Kind.TRUTH
    return Kind.DURATION if isinstance(value, timedelta) else Kind.NUMBER


def is_of_kind(fact: object, kind: Kind) -> TypeGuard[Fact]:
    """Whether a fact is what was declared, and within bounds."""
    item = _ITEM_OF.get(kind)
    if item is not None:
        return (
            isinstance(fact, tuple)
            and len(fact) <= LONGEST_LIST
            and all(_is_scalar(each, item) for each in fact)
        )
    return _is_scalar(fact, kind)


def _is_scalar(fact: object, kind: Kind) -> bool:
    match kind:
        case Kind.TEXT:
            return isinstance(fact, str) and len(fact) <= LONGEST_TEXT
        case Kind.NUMBER:
            # A NaN compares as false with everything, so its denial would hold: it is no number here.
            return isinstance(fact, int | float) and not isinstance(fact, bool) and fact == fact
        case Kind.DURATION:
            return isinstance(fact, timedelta)
        case _:
            return isinstance(fact, bool)
