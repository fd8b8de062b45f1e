"""Telling apart what does not link: who was moved, who was changed, who merely stood beside."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from mezite.audit.chain import Record
from mezite.audit.displaced import MAX_SUSPECTS, Sorted, Suspect, sort_out
from tests.audit.test_verify import chain

ROWS = chain(8)


def suspect(row: Record, previous: Record) -> Suspect:
    return Suspect(row, previous.hash)


def test_nobody_is_suspected_of_nothing() -> None:
    assert sort_out([]) == Sorted({}, ())


def test_a_changed_record_is_named_alone() -> None:
    changed = replace(ROWS[4], body="x")
    assert sort_out([suspect(changed, ROWS[3])]) == Sorted({}, (5,))


def test_swapped_neighbours_are_moved_and_the_one_behind_is_intact() -> None:
    third, fourth = replace(ROWS[3], seq=3), replace(ROWS[2], seq=4)
    found = sort_out([suspect(third, ROWS[1]), suspect(fourth, third), suspect(ROWS[4], fourth)])
    assert found == Sorted({3: 4, 4: 3}, ())


def test_a_record_that_was_moved_and_changed_is_changed() -> None:
    third, fourth = replace(ROWS[3], seq=3, body="x"), replace(ROWS[2], seq=4)
    found = sort_out([suspect(third, ROWS[1]), suspect(fourth, third), suspect(ROWS[4], fourth)])
    assert 3 in found.changed


@given(
    st.lists(
        st.builds(
            Suspect,
            st.builds(replace, st.sampled_from(ROWS), seq=st.integers(1, 8)),
            st.sampled_from([row.hash for row in ROWS]),
        ),
        min_size=1,
        max_size=MAX_SUSPECTS,
        unique_by=lambda each: each.record.seq,
    )
)
def test_a_broken_link_always_leaves_somebody_to_name(suspects: list[Suspect]) -> None:
    found = sort_out(suspects)
    places = {each.record.seq for each in suspects}
    assert found.moved or found.changed
    assert found.moved.keys() | set(found.changed) <= places
    assert not found.moved.keys() & set(found.changed)
