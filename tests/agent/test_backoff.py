from __future__ import annotations

from daemons.agent.backoff import CEILING_S, FLOOR_S, BackOff


def test_the_bound_doubles_to_a_ceiling_and_begins_again_when_told() -> None:
    bounds = BackOff(lambda _low, high: high)
    waits = [bounds.next_s() for _ in range(12)]
    assert waits[:3] == [FLOOR_S, FLOOR_S * 2, FLOOR_S * 4]
    assert waits[-1] == CEILING_S
    assert waits == sorted(waits)
    bounds.reset()
    assert bounds.next_s() == FLOOR_S


def test_the_pause_is_anything_up_to_the_bound() -> None:
    asked: list[tuple[float, float]] = []

    def jitter(low: float, high: float) -> float:
        asked.append((low, high))
        return low

    assert BackOff(jitter).next_s() == 0.0
    assert asked == [(0.0, FLOOR_S)]


def test_by_default_no_two_agents_wait_alike() -> None:
    assert len({BackOff().next_s() for _ in range(20)}) > 1
