from __future__ import annotations

from itertools import product

import pytest

from daemons.hub.relay.states import FLOW, RELAY, Event, Flowing, Serving, Wish, flowed
from mezite.errors import IllegalStep


def test_a_flow_that_is_over_stays_over() -> None:
    for event in Event:
        with pytest.raises(IllegalStep):
            flowed(Flowing.OVER, event)


@pytest.mark.parametrize("state", [state for state in Flowing if state is not Flowing.OVER])
def test_every_flow_can_be_stopped(state: Flowing) -> None:
    assert flowed(state, Event.STOPPED) is Flowing.OVER


def test_bytes_are_only_delivered_at_the_end_of_their_source() -> None:
    assert [state for state, event in FLOW if event is Event.DELIVERED] == [Flowing.ENDING]


def test_a_lost_sink_lets_its_source_finish_speaking() -> None:
    assert flowed(Flowing.MOVING, Event.SINK_LOST) is Flowing.DISCARDING
    assert flowed(Flowing.DISCARDING, Event.SOURCE_ENDED) is Flowing.OVER
    assert flowed(Flowing.ENDING, Event.SINK_LOST) is Flowing.OVER


def test_a_relay_never_turns_back() -> None:
    order = list(Serving)
    assert set(RELAY) == set(product(Serving, Wish))
    assert all(order.index(after) >= order.index(before) for (before, _), after in RELAY.items())
