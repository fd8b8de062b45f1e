"""What a save refuses although it is well formed."""

from __future__ import annotations

import pytest
from hypothesis import given

from mezite.errors import Invalid
from mezite.predicate.check import check
from mezite.predicate.grammar import parse
from mezite.predicate.predicate import compile_predicate
from mezite.predicate.syntax import Node
from tests.support.predicates import WORLD, trees


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (
            'user.rolse == "a"',
            "column 1: user.rolse is not known in the world of these tests; did you mean user.roles?",
        ),
        (
            "true && quux",
            "column 9: quux is not known in the world of these tests; known are request.duration, ",
        ),
        ("x" * 4000, f"column 1: {'x' * 59}… is not known in the world of these tests; known are "),
        ('user.traits == "x"', "column 1: user.traits needs one name; write user.traits.NAME"),
        ('user.traits.a.b == "x"', 'column 1: user.traits.a.b needs one name; write user.traits["a.b"]'),
        ("user.name", "column 1: user.name is text, not true or false; compare it with something"),
        (
            "!user.roles",
            "column 2: user.roles is a list of texts, not true or false; compare it with something",
        ),
        ("true && 30m", "column 9: 30m is a duration, not true or false; compare it with something"),
        (
            'user.roles == "admin"',
            "column 12: == cannot take a list of texts and text; write it as in contains(user.roles, ",
        ),
        (
            "user.name < 3",
            "column 11: < cannot take text and a number; write it as in request.duration < 4h",
        ),
        (
            "request.duration > 3",
            "column 18: > cannot take a duration and a number; write it as in request.risk > 40",
        ),
        (
            "request.urgent < true",
            "column 16: < cannot take true or false and true or false; write it as in request.duration < 4h",
        ),
        (
            'contains("a", user.roles)',
            "column 1: contains cannot take text and a list of texts; write it as in contains(user.roles, ",
        ),
        (
            "contains(user.roles)",
            'column 1: contains takes 2 values, not 1, as in contains(user.roles, "auditor")',
        ),
        (
            "exec(1, 2)",
            "column 1: there is no function exec; there are contains, equals, has_prefix, matches",
        ),
        ("1 in [1, 'a']", "column 6: a list holds one kind of values, this one a number and text"),
        (
            "matches(user.name, user.name)",
            'column 20: the pattern must be written out, as in matches(user.name, "svc-*")',
        ),
        ('matches(user.name, "^x")', 'column 20: "^x" begins with ^ and so must end with $'),
    ],
)
def test_refusals(source: str, fault: str) -> None:
    with pytest.raises(Invalid) as refusal:
        compile_predicate(source, WORLD)
    assert refusal.value.message.startswith(fault)
    assert refusal.value.code == "invalid_predicate"


@pytest.mark.parametrize(
    "source",
    [
        'user.traits["cost centre"] == ["a"]',
        "request.urgent",
        "request.urgent == (1 < 2)",
        "request.risk in [1, 2.5]",
        "30m in [30m, 1h]",
        "matches(user.roles, 'db-*')",
    ],
)
def test_what_is_accepted(source: str) -> None:
    compile_predicate(source, WORLD)


@given(trees())
def test_every_tree_of_the_right_kinds_is_accepted(tree: Node) -> None:
    check(tree, WORLD)


def test_a_predicate_is_compiled_once() -> None:
    assert compile_predicate("request.urgent", WORLD) is compile_predicate("request.urgent", WORLD)


def test_parsing_knows_no_vocabulary() -> None:
    parse("nothing.known == here")
