"""The throttle by itself: pure, so its rules are tried on numbers alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.hub.proof import throttle
from daemons.hub.proof.throttle import CEILING_S, ENTRIES, FORGET_S, FREE_PER_NAME, Throttle
from mezite.errors import Throttled


def guess(table: Throttle, name: str, address: str, now: float, *, right: bool | None = False) -> bool:
    """Whether the guess was let happen."""
    try:
        with table.guess(name, address, now) as one:
            if right is not None:
                (one.right if right else one.wrong)()
    except Throttled:
        return False
    return True


def test_after_a_quiet_while_everything_is_forgotten() -> None:
    table = Throttle()
    for _ in range(FREE_PER_NAME):
        assert guess(table, "alice", "a", 0)
    assert not guess(table, "alice", "a", 0)
    later = FORGET_S + 1
    for _ in range(FREE_PER_NAME):
        assert guess(table, "alice", "a", later)


def test_a_guess_without_a_verdict_does_not_count() -> None:
    table = Throttle()
    for _ in range(100):
        assert guess(table, "alice", "a", 0, right=None)
    with pytest.raises(ZeroDivisionError):
        with table.guess("alice", "a", 0):
            raise ZeroDivisionError
    assert not table._table


def test_the_first_64_bits_of_ipv6_are_one_address() -> None:
    table = Throttle()
    for host in range(FREE_PER_NAME):
        assert guess(table, "alice", f"2001:db8:0:1::{host:x}", 0)
    assert not guess(table, "alice", "2001:db8:0:1:ffff::1", 0)
    assert guess(table, "alice", "2001:db8:0:2::1", 0)
    for host in range(FREE_PER_NAME):
        assert guess(table, "bob", f"::ffff:192.0.2.{host}", 0)
    assert guess(table, "bob", "::ffff:192.0.2.99", 0)


def test_the_table_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ENTRIES <= 100_000
    monkeypatch.setattr(throttle, "ENTRIES", 10)
    table = Throttle()
    for number in range(1_000):
        guess(table, f"{number} {'x' * 10_000}", f"192.0.2.{number % 100}", float(number))
    assert len(table._table) <= 10
    assert all(len(name) < 300 for name, _ in table._table)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 400)), max_size=60))
def test_the_wait_never_passes_the_ceiling_and_five_guesses_are_always_to_be_had(
    story: list[tuple[bool, float]],
) -> None:
    table, now = Throttle(), 0.0
    for right, pause in story:
        now += pause
        guess(table, "alice", "a", now, right=right)
    assert guess(table, "alice", "a", now + CEILING_S, right=True)
    for _ in range(FREE_PER_NAME):
        assert guess(table, "alice", "b", now)
