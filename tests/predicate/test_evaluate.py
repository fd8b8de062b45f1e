"""Judging: the table of functions, and the three values under every way of not knowing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.predicate.evaluate import judge
from mezite.predicate.grammar import parse
from mezite.predicate.kinds import LONGEST_LIST, LONGEST_TEXT, Fact
from mezite.predicate.predicate import Verdict, compile_predicate, holds
from mezite.predicate.syntax import Every, Node, Not, Some
from tests.support.predicates import WORLD, trees, worlds

ALICE: Mapping[str, Fact] = {
    "user.name": "alice",
    "user.roles": ("access", "auditor"),
    "user.traits.team": ("platform",),
    "request.risk": 40,
    "request.duration": timedelta(hours=2),
    "request.urgent": False,
}


def verdict(source: str, facts: Mapping[str, object] = ALICE) -> Verdict:
    return compile_predicate(source, WORLD).holds(facts)


@pytest.mark.parametrize(
    "source",
    [
        'contains(user.roles, "auditor")',
        'contains(user.name, "lic")',
        '"auditor" in user.roles',
        '"lic" in user.name',
        "request.risk in [39, 40.0]",
        'equals(user.name, "alice")',
        'user.roles == ["auditor", "access", "access"]',
        'user.roles != ["auditor"]',
        'user.name != "bob"',
        'has_prefix(user.name, "al")',
        'has_prefix(user.traits.team, "plat")',
        'matches(user.name, "a*e")',
        'matches(user.name, "^[a-z]+$")',
        'matches(user.roles, "aud*")',
        "request.duration < 3h",
        "request.duration <= 120m",
        "request.duration == 2h",
        "request.risk >= 40",
        "request.risk > 39.5",
        "!request.urgent",
        "request.urgent == false",
        '!(contains(user.roles, "admin") || request.urgent)',
        'user.name == "bob" || request.risk < 41 && true',
        "true",
    ],
)
def test_true_and_its_denial_false(source: str) -> None:
    assert verdict(source).answer is True
    assert verdict(f"!({source})").answer is False


@pytest.mark.parametrize(
    "source",
    [
        'user.traits.floor == ["3"]',
        'contains(user.traits.floor, "3")',
        'matches(user.traits.floor, "*")',
        'request.urgent && contains(user.traits.floor, "3") || user.traits.floor != ["4"]',
    ],
)
def test_what_rests_on_a_missing_fact_is_not_true_nor_is_its_denial(source: str) -> None:
    for asked in (source, f"!({source})", f"!!({source})"):
        found = verdict(asked)
        assert found.answer is None
        assert not found
        assert found.may_hold
        assert "user.traits.floor is not known" in found.why


@pytest.mark.parametrize(
    "facts",
    [
        {"user.name": None},
        {"user.name": 7},
        {"user.name": ("alice",)},
        {"user.name": "a" * (LONGEST_TEXT + 1)},
        {"user.name": b"alice"},
    ],
)
def test_a_fact_of_another_kind_is_not_known(facts: Mapping[str, object]) -> None:
    assert verdict('user.name == "alice"', facts).answer is None
    assert verdict('user.name != "alice"', facts).answer is None


@pytest.mark.parametrize(
    "roles", ["access", ["access"], ("access", 3), ("x",) * (LONGEST_LIST + 1), {"access"}]
)
def test_a_list_of_another_kind_is_not_known(roles: object) -> None:
    assert verdict('contains(user.roles, "access")', {"user.roles": roles}).answer is None


@pytest.mark.parametrize("risk", [float("nan"), True, "40"])
def test_a_number_that_is_none_is_not_known(risk: object) -> None:
    assert verdict("request.risk < 50", {"request.risk": risk}).answer is None
    assert verdict("request.risk >= 50", {"request.risk": risk}).answer is None


def test_a_value_that_a_pattern_cannot_judge_is_not_known() -> None:
    facts = {"user.name": "a\ud800", "user.roles": ("a\ud800", "ops")}
    assert verdict('matches(user.name, "a*")', facts).answer is None
    assert verdict('!matches(user.roles, "b*")', facts).answer is None
    assert verdict('matches(user.roles, "o*")', facts).answer is True


def test_why_names_the_piece_that_settled_it() -> None:
    assert verdict('request.urgent || contains(user.roles, "admin")').why == (
        'contains(user.roles, "admin") is false: user.roles is ["access", "auditor"]'
    )
    assert (
        verdict("request.risk < 10 && request.urgent").why == "request.risk < 10 is false: request.risk is 40"
    )
    assert verdict("request.duration < 1h").why == "request.duration < 1h is false: request.duration is 2h"
    assert verdict("request.urgent").why == "request.urgent is false"


def test_why_is_fit_to_print_and_bounded() -> None:
    nasty = {"user.name": "\x1b]0;x\x07" + "y" * 4000, "user.roles": tuple(f"r{n}" for n in range(2000))}
    for source in ('user.name == "x"', 'contains(user.roles, "x")', f'user.name == "{"z" * 3000}"'):
        why = verdict(source, nasty).why
        assert why.isprintable()
        assert len(why) < 400


class Treacherous(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise OSError(f"the disk that knows {key} is gone")

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        return iter(("user.name",))


def test_a_clause_that_crashes_is_a_no_and_tells_no_details() -> None:
    for source in ('user.name == "x"', 'user.name != "x"'):
        crashed = verdict(source, Treacherous())
        assert not crashed
        assert crashed.may_hold
        assert crashed.why == "cannot be judged (OSError)"


def test_a_stored_predicate_that_no_longer_compiles_cannot_be_judged() -> None:
    found = holds("user.shoe_size == 43", WORLD, ALICE)
    assert found.answer is None
    assert "user.shoe_size is not known" in found.why


@pytest.mark.parametrize("source", ["", "  \n"])
def test_nothing_said_is_no_condition(source: str) -> None:
    assert verdict(source, {}) == Verdict(answer=True, why="no condition")


def some_known(world: Mapping[str, Fact]) -> st.SearchStrategy[dict[str, Fact]]:
    return st.sets(st.sampled_from(sorted(world))).map(lambda keys: {key: world[key] for key in keys})


@given(trees(), worlds(), st.data())
def test_an_answer_given_in_part_ignorance_stands_in_full_knowledge(
    tree: Node, world: dict[str, Fact], data: st.DataObject
) -> None:
    """The rule of the module: a yes or no never changes when missing facts become known."""
    early = judge(tree, data.draw(some_known(world)), WORLD).answer
    assert early is None or early is judge(tree, world, WORLD).answer


@given(trees(), worlds())
def test_with_every_fact_known_there_is_an_answer(tree: Node, world: dict[str, Fact]) -> None:
    assert judge(tree, world, WORLD).answer is not None


@given(trees(), worlds(), st.data())
def test_denial_turns_the_answer_around_or_leaves_it_unknown(
    tree: Node, world: dict[str, Fact], data: st.DataObject
) -> None:
    known = data.draw(some_known(world))
    answer = judge(tree, known, WORLD).answer
    assert judge(Not(tree), known, WORLD).answer is (None if answer is None else not answer)


@given(st.lists(trees(), min_size=2, max_size=4), worlds(), st.data())
def test_and_is_the_least_and_or_the_greatest_in_any_order(
    operands: list[Node], world: dict[str, Fact], data: st.DataObject
) -> None:
    known = data.draw(some_known(world))
    rank = {False: 0, None: 1, True: 2}
    ranks = [rank[judge(operand, known, WORLD).answer] for operand in operands]
    shuffled = tuple(data.draw(st.permutations(operands)))
    assert rank[judge(Every(shuffled), known, WORLD).answer] == min(ranks)
    assert rank[judge(Some(shuffled), known, WORLD).answer] == max(ranks)


@given(trees(), worlds())
def test_the_settling_piece_is_of_the_tree_and_has_its_answer(tree: Node, world: dict[str, Fact]) -> None:
    finding = judge(tree, world, WORLD)
    assert judge(finding.settled_by, world, WORLD).answer is finding.which_is


def test_the_language_has_no_way_into_python() -> None:
    names = ("__class__", "eval", "__import__", "open")
    for name in names:
        parsed = parse(f'user.{name} == "x"')
        assert judge(parsed, ALICE, WORLD).answer is None
