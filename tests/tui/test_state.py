"""The reducer: nothing twice, nothing out of order, nothing forgotten because a hub is away."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from tests.support.console import NOW, events, nodes
from tui.messages import (
    EventsCame,
    Introduced,
    LinkLost,
    LinkUp,
    LoginEnded,
    NodesRead,
    Person,
    ReadingRefused,
)
from tui.state import KEPT_EVENTS, State, reduce


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 20)), max_size=8))
def test_events_stand_once_and_in_order_however_they_overlap(batches: list[tuple[int, int]]) -> None:
    state = State()
    for first, count in batches:
        state = reduce(state, EventsCame(events(count, first)))
    seqs = [entry.seq for entry in state.events or ()]
    assert seqs == sorted(set(seqs))


def test_what_comes_again_changes_nothing_and_makes_no_other_tuple() -> None:
    state = reduce(State(), EventsCame(events(10)))
    assert reduce(state, EventsCame(events(10))).events is state.events


def test_only_the_newest_events_are_kept() -> None:
    state = reduce(State(), EventsCame(events(KEPT_EVENTS)))
    state = reduce(state, EventsCame(events(5, KEPT_EVENTS + 1)))
    assert state.events is not None
    assert len(state.events) == KEPT_EVENTS
    assert (state.events[0].seq, state.events[-1].seq) == (6, KEPT_EVENTS + 5)


def test_a_lost_hub_forgets_nothing_and_counts_from_the_first_loss() -> None:
    state = reduce(reduce(State(), NodesRead(nodes())), LinkUp(NOW))
    lost = reduce(state, LinkLost(NOW + timedelta(seconds=1), "gone"))
    again = reduce(lost, LinkLost(NOW + timedelta(seconds=9), "still gone"))
    assert again.nodes == state.nodes
    assert not again.link.up
    assert again.link.lost_at == NOW + timedelta(seconds=1)
    assert again.link.seen_at == NOW
    assert reduce(again, LinkUp(NOW + timedelta(seconds=12))).link.up


def test_a_refusal_is_lifted_by_what_can_be_read_after_all() -> None:
    refused = reduce(State(), ReadingRefused("audit", "not allowed"))
    assert refused.refused == {"audit": "not allowed"}
    assert reduce(refused, EventsCame(())).refused == {}


def test_nodes_are_in_order_of_name_and_found_by_it() -> None:
    state = reduce(State(), NodesRead(nodes()[::-1]))
    assert [node.name for node in state.nodes or ()] == sorted(node.name for node in nodes())
    found = state.node("db-1")
    assert found is not None
    assert found.logins == ("postgres", "root")
    assert state.node("nowhere") is None


def test_the_link_says_who_one_is_and_when_the_login_ends() -> None:
    state = reduce(State(), Introduced(Person("dana", "prod")))
    assert state.person == Person("dana", "prod")
    assert reduce(state, LoginEnded("locked")).login_ended == "locked"
