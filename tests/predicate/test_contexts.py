"""The contexts: what is handed over as facts is what the vocabularies declare."""

from __future__ import annotations

import pytest

from mezite.predicate.contexts import ADMIN_WHERE, JOIN_FILTER, REVIEW, person_facts
from mezite.predicate.kinds import is_of_kind
from mezite.predicate.predicate import compile_predicate
from mezite.predicate.vocabulary import Vocabulary


@pytest.mark.parametrize(
    ("part", "vocabulary"),
    [
        ("user", JOIN_FILTER),
        ("participant", JOIN_FILTER),
        ("owner", JOIN_FILTER),
        ("user", REVIEW),
        ("reviewer", REVIEW),
        ("requester", REVIEW),
        ("user", ADMIN_WHERE),
    ],
)
def test_a_persons_facts_are_of_the_declared_kinds(part: str, vocabulary: Vocabulary) -> None:
    facts = person_facts(part, name="alice", roles=["a"], logins=["b"], traits={"team": ["x"], "a.b": ["y"]})
    for name, fact in facts.items():
        kind = vocabulary.kind_of(name.split(".", 2))
        assert kind is not None
        assert is_of_kind(fact, kind)


def test_a_trait_of_any_name_can_be_asked_for() -> None:
    facts = person_facts("user", name="alice", roles=(), logins=(), traits={"a.b/c-d": ["x"]})
    assert compile_predicate('contains(user.traits["a.b/c-d"], "x")', ADMIN_WHERE).holds(facts)


def test_each_place_knows_its_own_matter_only() -> None:
    known = {one.name: set(one.selectors) for one in (JOIN_FILTER, REVIEW, ADMIN_WHERE)}
    assert {name.split(".")[0] for name in known[JOIN_FILTER.name]} == {
        "user",
        "participant",
        "owner",
        "session",
    }
    assert {name.split(".")[0] for name in known[REVIEW.name]} == {"user", "reviewer", "requester", "request"}
    assert {name.split(".")[0] for name in known[ADMIN_WHERE.name]} == {"user", "resource"}
