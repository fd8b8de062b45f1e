"""Durations: one spelling in, the shortest spelling out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite import durations
from mezite.errors import Invalid


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("30m", 1800),
        ("4h", 14_400),
        ("1h30m", 5400),
        ("90m", 5400),
        ("2d", 172_800),
        ("1d1h1m1s", 90_061),
        ("0h1s", 1),
        ("3650d", 315_360_000),
    ],
)
def test_parse(text: str, seconds: int) -> None:
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "4",
        "4 hours",
        "4H",
        "-1h",
        "+1h",
        "1.5h",
        "30m1h",
        "1h1h",
        "h",
        "1w",
        "１h",
        " 1h",
        "1h\n",
        "9" * 10 + "s",
    ],
)
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(Invalid, match="is not a duration; write 30m, 4h or 2d"):
        durations.parse(text)


@pytest.mark.parametrize("text", ["0s", "0d0h", "3651d", "3650d1s", "999999999d"])
def test_what_is_out_of_range(text: str) -> None:
    with pytest.raises(Invalid, match="is out of range; a duration is 1s to 3650d"):
        durations.parse(text)


def test_a_refusal_is_one_bounded_line_fit_to_print() -> None:
    with pytest.raises(Invalid) as refusal:
        durations.parse("\x1b[31m4 hours\n" + "9" * 5000)
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) < 200


@pytest.mark.parametrize(
    ("duration", "whole", "short"),
    [
        (timedelta(hours=3, minutes=52, seconds=7), "3h52m7s", "3h52m"),
        (timedelta(days=2, hours=4, minutes=1), "2d4h1m", "2d4h"),
        (timedelta(seconds=45), "45s", "45s"),
        (timedelta(minutes=90), "1h30m", "1h30m"),
        (timedelta(days=2, seconds=5), "2d5s", "2d5s"),
        (timedelta(milliseconds=999), "0s", "0s"),
        (timedelta(seconds=-5), "0s", "0s"),
    ],
)
def test_show_and_brief(duration: timedelta, whole: str, short: str) -> None:
    assert durations.show(duration) == whole
    assert durations.brief(duration) == short


@given(st.integers(1, 315_360_000))
def test_what_is_shown_parses_back(seconds: int) -> None:
    duration = timedelta(seconds=seconds)
    assert durations.parse(durations.show(duration)) == duration
