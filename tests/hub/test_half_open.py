from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.hub.proxy.half_open import HalfOpen, neighbourhood


class Connection:
    dropped = False

    def abort(self) -> None:
        self.dropped = True


def test_the_oldest_of_an_address_makes_room_for_its_next() -> None:
    table = HalfOpen(overall=100, per_address=3)
    crowd = [Connection() for _ in range(5)]
    for connection in crowd:
        table.enter(connection, "192.0.2.1")
    assert [connection.dropped for connection in crowd] == [True, True, False, False, False]
    assert len(table) == 3


def test_when_all_is_full_the_largest_crowd_gives_way() -> None:
    table = HalfOpen(overall=5, per_address=4)
    flood = [Connection() for _ in range(4)]
    for connection in flood:
        table.enter(connection, "198.51.100.1")
    quiet, late = Connection(), Connection()
    table.enter(quiet, "192.0.2.1")
    table.enter(late, "192.0.2.2")
    assert flood[0].dropped
    assert not quiet.dropped
    assert not late.dropped


def test_whoever_left_counts_no_more_and_is_not_dropped() -> None:
    table = HalfOpen(overall=2, per_address=1)
    first, second = Connection(), Connection()
    table.enter(first, "192.0.2.1")
    table.leave(first, "192.0.2.1")
    table.leave(first, "192.0.2.1")
    table.enter(second, "192.0.2.1")
    assert not first.dropped
    assert len(table) == 1


@given(
    moves=st.lists(
        st.tuples(st.sampled_from(["enter", "leave"]), st.integers(0, 9), st.integers(0, 3)), max_size=80
    ),
    overall=st.integers(1, 6),
    per_address=st.integers(1, 6),
)
def test_the_bounds_hold_whatever_happens(
    moves: list[tuple[str, int, int]], overall: int, per_address: int
) -> None:
    table = HalfOpen(overall=overall, per_address=per_address)
    inside: dict[tuple[int, int], Connection] = {}
    for move, number, place in moves:
        key, host = (number, place), f"192.0.2.{place}"
        if move == "enter" and key not in inside:
            inside[key] = Connection()
            table.enter(inside[key], host)
            assert not inside[key].dropped, "whoever comes is never the one who goes"
        elif move == "leave" and key in inside:
            table.leave(inside.pop(key), host)
        inside = {key: connection for key, connection in inside.items() if not connection.dropped}
        assert len(table) == len(inside) <= overall
        assert all(sum(1 for _, at in inside if at == place) <= per_address for place in range(4))


@pytest.mark.parametrize(
    ("host", "place"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_what_counts_as_one_address(host: str, place: str) -> None:
    assert neighbourhood(host) == place
