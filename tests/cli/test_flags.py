"""Values of options: what is taken, and that what is not taken is said in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click
import pytest

from mezite.cli.flags import DURATION, MOMENT, NAMES, PAIR, grouped


def test_durations() -> None:
    assert DURATION.convert("1h30m", None, None) == timedelta(minutes=90)
    with pytest.raises(click.BadParameter, match="is not a duration"):
        DURATION.convert("4 hours", None, None)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-03-24T10:00:00Z", datetime(2026, 3, 24, 10, tzinfo=UTC)),
        ("2026-03-24T12:00:00+02:00", datetime(2026, 3, 24, 10, tzinfo=UTC)),
        ("2026-03-24", datetime(2026, 3, 24, tzinfo=UTC)),
    ],
)
def test_moments(text: str, moment: datetime) -> None:
    assert MOMENT.convert(text, None, None) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "10:00", "\x1b[31m"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        MOMENT.convert(text, None, None)
    assert "\x1b" not in refused.value.message


def test_names_and_pairs() -> None:
    assert NAMES.convert("a, b,,c", None, None) == ("a", "b", "c")
    assert NAMES.convert("", None, None) == ()
    assert PAIR.convert("k=v=w", None, None) == ("k", "v=w")
    for wrong in ("k", "=v", ""):
        with pytest.raises(click.BadParameter):
            PAIR.convert(wrong, None, None)


def test_traits_of_one_key_are_gathered() -> None:
    assert grouped((("team", "core"), ("team", "web,ops"), ("slack", ""))) == {
        "team": ("core", "web", "ops"),
        "slack": (),
    }
