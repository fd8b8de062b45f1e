"""The functions and operators: which kinds each takes, and what it answers. One table, nothing else to call.

An answer is True, False, or None where it cannot be told. Every function takes two values, is total over the
kinds it declares, and costs at most the size of what it is given (facts are bounded in `kinds`).
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from mezite.predicate.kinds import LIST_OF, Kind
from mezite.predicate.patterns import compile_pattern

Answer = bool | None


@dataclass(frozen=True, slots=True)
class Function:
    """`takes` lists the pairs of kinds it is defined for; `example` is what its fault messages show."""

    takes: tuple[tuple[Kind, Kind], ...]
    judge: Callable[[Any, Any], Answer]
    example: str
    pattern_second: bool = False
    """The second argument is a pattern: a literal, compiled when the predicate is saved."""


def _equals(left: Any, right: Any) -> Answer:
    # Lists are sets here: nothing says in which order a user's roles come, or how often.
    return set(left) == set(right) if isinstance(left, tuple) else bool(left == right)


def _contains(whole: Any, part: Any) -> Answer:
    return part in whole


def _has_prefix(subject: Any, prefix: str) -> Answer:
    return _any_of(subject, lambda text: text.startswith(prefix))


def _matches(subject: Any, pattern: str) -> Answer:
    return _any_of(subject, compile_pattern(pattern).matches)


def _any_of(subject: Any, judge: Callable[[str], Answer]) -> Answer:
    """A list does when one of its items does; it cannot be judged when none does and one cannot be."""
    answers = [judge(text) for text in (subject if isinstance(subject, tuple) else (subject,))]
    return True if True in answers else None if None in answers else False


_ALIKE: Final = tuple((kind, kind) for kind in Kind)
_HOLDS: Final = (*((many, one) for one, many in LIST_OF.items()), (Kind.TEXT, Kind.TEXT))
_HELD: Final = tuple((one, many) for many, one in _HOLDS)
_ORDERED: Final = ((Kind.NUMBER, Kind.NUMBER), (Kind.DURATION, Kind.DURATION))
_TEXTUAL: Final = ((Kind.TEXT, Kind.TEXT), (Kind.TEXTS, Kind.TEXT))

FUNCTIONS: Final[Mapping[str, Function]] = {
    "contains": Function(_HOLDS, _contains, 'contains(user.roles, "auditor")'),
    "equals": Function(_ALIKE, _equals, 'equals(user.name, "alice")'),
    "has_prefix": Function(_TEXTUAL, _has_prefix, 'has_prefix(user.name, "svc-")'),
    "matches": Function(_TEXTUAL, _matches, 'matches(user.name, "svc-*")', pattern_second=True),
    "==": Function(_ALIKE, _equals, 'user.name == "alice"'),
    "!=": Function(_ALIKE, lambda left, right: not _equals(left, right), 'user.name != "alice"'),
    "in": Function(_HELD, lambda part, whole: _contains(whole, part), '"auditor" in user.roles'),
    "<": Function(_ORDERED, operator.lt, "request.duration < 4h"),
    "<=": Function(_ORDERED, operator.le, "request.duration <= 4h"),
    ">": Function(_ORDERED, operator.gt, "request.risk > 40"),
    ">=": Function(_ORDERED, operator.ge, "request.risk >= 40"),
}
