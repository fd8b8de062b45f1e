"""Text to tree: precedence, spellings, bounds, and faults that name their column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.errors import Invalid
from mezite.predicate.grammar import LIST_ITEMS, SOURCE_CHARACTERS, TREE_DEPTH, TREE_NODES, parse
from mezite.predicate.syntax import Literal, Node, Selector, show
from tests.support.predicates import trees


@pytest.mark.parametrize(
    ("source", "meaning"),
    [
        ("a || b && c", "a || (b && c)"),
        ("a && b || c", "(a && b) || c"),
        ("!a && b", "(!a) && b"),
        ("!a == b", "!(a == b)"),
        ("!!a", "!(!a)"),
        ("((a))", "a"),
        ("a && b && c", "a && b && c"),
        ("a && (b && c)", "a && (b && c)"),
        ("a in ['x',\"y\"]", 'a in ["x", "y"]'),
        ("a\n  ==\t1", "a == 1"),
        ("f(a,b)", "f(a, b)"),
        ("f()", "f()"),
        ("index == 1", "index == 1"),
        ("user.in.traits == in_", "user.in.traits == in_"),
        ("trueish == falsely", "trueish == falsely"),
        ("true != false", "true != false"),
        ("a < 1h30m", "a < 1h30m"),
        ("a >= 90m", "a >= 1h30m"),
        ("a == -1.5", "a == -1.5"),
        ('user.traits["cost-centre"]', 'user.traits["cost-centre"]'),
        ('user.traits["team"]', "user.traits.team"),
        (r"""a == 'it\'s \u00e9 \U0001f600 \\ \n\t'""", r'a == "it' + "'" + r's é 😀 \\ \u000a\u0009"'),
    ],
)
def test_what_a_text_means(source: str, meaning: str) -> None:
    assert show(parse(source)) == meaning


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("", "column 1: it ends too early; a value is missing"),
        ("a ||", "column 5: it ends too early; a value is missing"),
        ("(a", "column 3: it ends too early; an operator or a closing bracket is missing"),
        ("a\n&& (b ==", "line 2, column 9: it ends too early; a value is missing"),
        ("a = b", 'column 3: "=" is out of place; write =='),
        ("a & b", 'column 3: "&" is out of place; write &&'),
        ("a and b", 'column 3: "and" is out of place; write &&'),
        ("not a", 'column 5: "a" is out of place'),
        ("a == b == c", 'column 8: "==" is out of place'),
        ("a b", 'column 3: "b" is out of place'),
        ("a inb", 'column 3: "inb" is out of place'),
        ("x in []", 'column 7: "]" is out of place'),
        ("[a] == b", 'column 2: "a" is out of place'),
        ("a.1", 'column 3: "1" is out of place'),
        ("a == 5x", 'column 7: "x" is out of place'),
        ("a == 'b", "column 6: this text has no closing quote"),
        ('a == "b\n"', "column 6: this text has no closing quote"),
        ('a == "\\q"', 'column 6: "\\\\q" is no escape; write \\\\ for a backslash'),
        ('a == "\\ud800"', 'column 6: "\\\\ud800" is no escape; write \\\\ for a backslash'),
        ('a == "\\U00110000"', 'column 6: "\\\\U00110000" is no escape; write \\\\ for a backslash'),
        ("a == 30m1h", 'column 6: "30m1h" is not a duration; write 30m, 4h or 2d'),
        ("a == 0s", 'column 6: "0s" is out of range; a duration is 1s to 3650d'),
        ("a == 1234567890123456", "column 6: a number has at most 15 digits"),
        ("a ==\n @", 'line 2, column 2: "@" is out of place'),
        ("a == '\x1b[31m'", "column 7: U+001B does not print; inside quotes, write it as an escape"),
        ("a == '\u202e'", "column 7: U+202E does not print; inside quotes, write it as an escape"),
        ("a" * (SOURCE_CHARACTERS + 1), "column 1: a predicate has at most 4096 characters, this one 4097"),
    ],
)
def test_faults_name_their_column(source: str, fault: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse(source)
    assert refusal.value.message == fault
    assert refusal.value.code == "invalid_predicate"


@pytest.mark.parametrize(
    ("accepted", "refused", "why"),
    [
        ("!" * (TREE_DEPTH - 1) + "a", "!" * TREE_DEPTH + "a", "nested deeper than 32"),
        (
            "||".join(["a"] * (TREE_NODES - 1)),
            "||".join(["a"] * TREE_NODES),
            "at most 256 parts",
        ),
        (
            f"a in [{','.join(['1'] * LIST_ITEMS)}]",
            f"a in [{','.join(['1'] * (LIST_ITEMS + 1))}]",
            "a list has at most 128 items, this one 129",
        ),
    ],
)
def test_bounds_hold_on_both_sides(accepted: str, refused: str, why: str) -> None:
    parse(accepted)
    with pytest.raises(Invalid, match=why):
        parse(refused)


@pytest.mark.parametrize("filling", ["(", "!", "[", "((a))||", "f(", "!(", '"'])
def test_a_text_of_one_thing_only_is_no_burden(filling: str) -> None:
    """No recursion: what would overflow a stack is refused like any other fault."""
    with pytest.raises(Invalid):
        parse(filling * (SOURCE_CHARACTERS // len(filling)))


def test_parentheses_cost_no_depth() -> None:
    assert parse("(" * 2000 + "a" + ")" * 2000) == Selector(("a",))


def test_a_place_is_no_part_of_what_a_tree_says() -> None:
    assert parse("a   ==  1") == parse("a==1")
    assert isinstance(parse("true"), Literal)


@given(trees())
def test_what_is_shown_parses_back(tree: Node) -> None:
    assert parse(show(tree)) == tree


@given(st.text(max_size=60) | st.text(alphabet="()!&|=<>[],.\"'\\ ainx0159dhms\n", max_size=60))
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    try:
        tree = parse(text)
    except Invalid as refusal:
        assert refusal.message.startswith(("column ", "line "))
        assert refusal.message.isprintable()
    else:
        assert parse(show(tree)) == tree
