"""Label matching: keys AND, values OR, and no guess about what cannot be judged."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.rbac.labels import LabelMatcher

PROD = {"env": "production", "team": "platform"}


@pytest.mark.parametrize(
    ("node_labels", "labels", "matches"),
    [
        ({}, {}, False),
        ({}, PROD, False),
        ({"*": ("*",)}, {}, True),
        ({"*": ("*",)}, PROD, True),
        ({"env": ("production",)}, PROD, True),
        ({"env": ("staging",)}, PROD, False),
        ({"env": ("staging", "production")}, PROD, True),
        ({"env": ("production",), "team": ("platform",)}, PROD, True),
        ({"env": ("production",), "team": ("data",)}, PROD, False),
        ({"env": ("*",)}, PROD, True),
        ({"env": ("*",)}, {"env": ""}, True),
        ({"env": ("*",)}, {"team": "platform"}, False),
        ({"env": ("prod*",)}, PROD, True),
        ({"env": ("^(production|staging)$",)}, PROD, True),
        ({"env": ("^prod$",)}, PROD, False),
        ({"env": ("Production",)}, PROD, False),
        ({"*": ("*",), "env": ("production",)}, PROD, True),
        ({"*": ("*",), "env": ("production",)}, {"env": "staging"}, False),
        ({"*": ("production",)}, PROD, False),
    ],
)
def test_matching(
    node_labels: Mapping[str, tuple[str, ...]], labels: Mapping[str, str], matches: bool
) -> None:
    assert LabelMatcher(node_labels).matches(labels) is matches


def test_a_value_too_long_to_judge_is_no_answer_unless_another_key_decides() -> None:
    long = {"env": "p" * 5000, "team": "platform"}
    assert LabelMatcher({"env": ("p*",)}).matches(long) is None
    assert LabelMatcher({"env": ("p*",), "team": ("data",)}).matches(long) is False
    assert LabelMatcher({"env": ("p*",), "team": ("platform",)}).matches(long) is None


_keys = st.sampled_from(("env", "team", "os"))
_values = st.sampled_from(("a", "b", "c"))
_labels = st.dictionaries(_keys, _values)
_wanted = st.dictionaries(_keys, st.lists(_values, min_size=1, max_size=2).map(tuple), min_size=1)


@given(_wanted, _labels)
def test_it_is_what_it_says(wanted: dict[str, tuple[str, ...]], labels: dict[str, str]) -> None:
    expected = all(labels.get(key) in values for key, values in wanted.items())
    assert LabelMatcher(wanted).matches(labels) is expected


@given(_wanted, _labels, _keys, _values)
def test_another_key_never_matches_more_and_another_value_never_less(
    wanted: dict[str, tuple[str, ...]], labels: dict[str, str], key: str, value: str
) -> None:
    before = LabelMatcher(wanted).matches(labels)
    if key not in wanted:
        assert not LabelMatcher({**wanted, key: (value,)}).matches(labels) or before
    else:
        assert LabelMatcher({**wanted, key: (*wanted[key], value)}).matches(labels) or not before
