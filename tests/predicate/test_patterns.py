"""Patterns match whole values, in linear time, and say when they cannot tell."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.errors import Invalid
from mezite.predicate.patterns import VALUE_CHARACTERS, PatternSet, compile_pattern, stored_pattern


@pytest.mark.parametrize(
    ("pattern", "matching", "other"),
    [
        ("production", ["production"], ["Production", "production ", "prod", ""]),
        ("prod-*", ["prod-", "prod-eu", "prod-\n", "prod-é"], ["prod", "xprod-eu"]),
        ("a?c", ["abc", "aéc"], ["ac", "abbc"]),
        ("a.c*", ["a.c", "a.cd"], ["abc"]),
        ("*", ["", "x", "x" * 9000], []),
        ("^web-[0-9]+$", ["web-1", "web-22"], ["web-", "xweb-1", "web-1x"]),
        ("^a|b$", ["a", "b"], ["ab", "ac", "cb"]),
        ("^$", [""], ["x"]),
        ("^(?i)ops$", ["OPS", "ops"], ["opsy"]),
        ("cost$", ["cost$"], ["cost"]),
        ("(a", ["(a"], ["a"]),
    ],
)
def test_whole_values_match(pattern: str, matching: list[str], other: list[str]) -> None:
    compiled = compile_pattern(pattern)
    assert [compiled.matches(value) for value in matching] == [True] * len(matching)
    assert [compiled.matches(value) for value in other] == [False] * len(other)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("^web", "must end with $"),
        ("^", "must end with $"),
        (r"^cost\$", "must end with $"),
        ("^($", "not a regular expression"),
        ("^a)(b$", "not a regular expression"),
        (r"^(a)\1$", "not a regular expression"),
        ("^(x{1000}){1000}$", "not a regular expression"),
        ("x" * 257, "at most 256 characters"),
        ("\ud800*", "not a regular expression"),
    ],
)
def test_bad_patterns_are_refused(pattern: str, why: str) -> None:
    with pytest.raises(Invalid, match=why.replace("$", r"\$")):
        compile_pattern(pattern)


@pytest.mark.parametrize("value", ["a" * (VALUE_CHARACTERS + 1), "a\ud800"])
@pytest.mark.parametrize("pattern", ["a*", "^.*$", "^b$"])
def test_what_cannot_be_judged_is_neither_yes_nor_no(pattern: str, value: str) -> None:
    assert compile_pattern(pattern).matches(value) is None
    assert PatternSet([pattern, "z"]).matches(value) is None


def test_a_set_needs_one_match_and_prefers_a_sure_one() -> None:
    unjudgeable = "a" * (VALUE_CHARACTERS + 1)
    assert PatternSet(["b*", unjudgeable]).matches(unjudgeable) is True
    assert PatternSet(["b*", "*"]).matches(unjudgeable) is True
    assert PatternSet(["web", "db-*"]).matches("db-1") is True
    assert PatternSet(["web", "db-*"]).matches("mail") is False
    assert PatternSet([]).matches("") is False


@given(st.text(max_size=40))
def test_a_glob_of_stars_around_a_value_matches_it(value: str) -> None:
    """Whatever stands in a glob but `*` and `?` stands for itself."""
    plain = value.replace("*", "").replace("?", "")
    assert compile_pattern(f"*{plain}*").matches(f"<{plain}>") is True


@given(st.text(max_size=300))
def test_any_text_is_a_pattern_or_a_typed_refusal(text: str) -> None:
    try:
        pattern = compile_pattern(text)
    except Invalid:
        return
    assert pattern.matches("web-1") in (True, False)


def test_a_stored_pattern_never_raises() -> None:
    assert stored_pattern("^($").matches("x") is None
    assert PatternSet(["^($", "x"]).matches("x") is True
    assert PatternSet(["^($", "x"]).matches("y") is None


def test_answers_are_the_same_when_asked_again_and_when_too_many_to_keep() -> None:
    patterns = PatternSet(["a*", "^b[0-9]+$"])
    values = [f"{letter}{n}" for letter in "abc" for n in range(300)]
    expected = [not value.startswith("c") for value in values]
    assert [patterns.matches(value) for value in values] == expected
    assert [patterns.matches(value) for value in values] == expected
