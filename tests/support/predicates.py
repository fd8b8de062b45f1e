"""Strategies: well-formed predicates of the right kinds, and worlds of facts to judge them in."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from hypothesis import strategies as st

from mezite.predicate.kinds import Fact, Kind, Scalar
from mezite.predicate.syntax import Call, Every, ListLiteral, Literal, Node, Not, Selector, Some
from mezite.predicate.vocabulary import Vocabulary

WORLD: Final = Vocabulary(
    "the world of these tests",
    {
        "user.name": Kind.TEXT,
        "user.roles": Kind.TEXTS,
        "user.traits.*": Kind.TEXTS,
        "request.risk": Kind.NUMBER,
        "request.duration": Kind.DURATION,
        "request.urgent": Kind.TRUTH,
    },
)

WORDS: Final = ("", "a", "b", "ab", "a b", "q\"uo'te", "back\\slash", "ünï", "x\x1by\n")

_texts = st.sampled_from(WORDS)
_numbers = st.integers(-3, 3) | st.sampled_from((0.5, -1.25))
_durations = st.integers(1, 200_000).map(lambda seconds: timedelta(seconds=seconds))

_SCALARS: Final[dict[Kind, st.SearchStrategy[Scalar]]] = {
    Kind.TEXT: _texts,
    Kind.NUMBER: _numbers,
    Kind.DURATION: _durations,
    Kind.TRUTH: st.booleans(),
}

_NAMES: Final[dict[Kind, tuple[tuple[str, ...], ...]]] = {
    Kind.TEXT: (("user", "name"),),
    Kind.TEXTS: (("user", "roles"), ("user", "traits", "team"), ("user", "traits", "cost-centre")),
    Kind.NUMBER: (("request", "risk"),),
    Kind.DURATION: (("request", "duration"),),
    Kind.TRUTH: (("request", "urgent"),),
}


def _value(kind: Kind) -> st.SearchStrategy[Node]:
    named = st.sampled_from(_NAMES[kind]).map(Selector)
    if kind is Kind.TEXTS:
        return named | st.lists(_texts, min_size=1, max_size=3).map(lambda items: ListLiteral(tuple(items)))
    return named | _SCALARS[kind].map(Literal)


def _call(names: tuple[str, ...], left: Kind, right: Kind) -> st.SearchStrategy[Node]:
    return st.builds(
        lambda name, one, two: Call(name, (one, two)), st.sampled_from(names), _value(left), _value(right)
    )


_MATCH: Final = st.builds(
    lambda subject, pattern: Call("matches", (subject, Literal(pattern))),
    _value(Kind.TEXT) | _value(Kind.TEXTS),
    st.sampled_from(("a*", "?", "*", "^a|b$", "b", "^[^x]+$")),
)

_CLAUSES: Final[st.SearchStrategy[Node]] = st.one_of(
    _call(("==", "!=", "equals"), Kind.TEXT, Kind.TEXT),
    _call(("==", "!=", "equals"), Kind.TEXTS, Kind.TEXTS),
    _call(("==", "!=", "<", "<=", ">", ">="), Kind.NUMBER, Kind.NUMBER),
    _call(("==", "!=", "<", "<=", ">", ">="), Kind.DURATION, Kind.DURATION),
    _call(("contains", "has_prefix"), Kind.TEXTS, Kind.TEXT),
    _call(("contains", "has_prefix"), Kind.TEXT, Kind.TEXT),
    _call(("in",), Kind.TEXT, Kind.TEXTS),
    _MATCH,
    _value(Kind.TRUTH),
)


def _joined(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    several = st.lists(inner, min_size=2, max_size=3).map(tuple)
    return inner.map(Not) | several.map(Every) | several.map(Some)


def trees() -> st.SearchStrategy[Node]:
    """Any predicate that the language accepts over `WORLD`."""
    return st.recursive(_CLAUSES, _joined, max_leaves=6)


def worlds() -> st.SearchStrategy[dict[str, Fact]]:
    """Every fact of `WORLD`, known."""
    lists = st.lists(_texts, max_size=3).map(tuple)
    return st.fixed_dictionaries(
        {
            "user.name": _texts,
            "user.roles": lists,
            "user.traits.team": lists,
            "user.traits.cost-centre": lists,
            "request.risk": _numbers,
            "request.duration": _durations,
            "request.urgent": st.booleans(),
        }
    )
