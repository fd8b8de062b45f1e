"""The player's clock: speed, pause, seek, idle skipped, marks. No real time passes here."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recordings.index import ChunkIndex, IndexEntry, pack_index_entry
from recordings.timeline import IDLE_US, SPEEDS, Mark, Squeeze, Timeline, activity, gaps_of

SECOND = 1_000_000


def test_it_plays_at_its_speed_and_stops_at_the_end() -> None:
    timeline = Timeline(10 * SECOND, now_us=500)
    assert timeline.position(10**9) == 0
    timeline.play(1000)
    assert timeline.position(1000 + 3 * SECOND) == 3 * SECOND
    assert timeline.is_playing(1000 + 9 * SECOND)
    assert timeline.position(1000 + 99 * SECOND) == 10 * SECOND
    assert not timeline.is_playing(1000 + 10 * SECOND)


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_speed_asks_the_clock_for_its_share(speed: float) -> None:
    timeline = Timeline(100 * SECOND)
    timeline.set_speed(speed, 0)
    timeline.play(0)
    assert timeline.until(64 * SECOND, 0) == int(64 * SECOND / speed)
    assert timeline.position(SECOND) == int(SECOND * speed)


def test_speed_changes_while_it_plays_from_where_it_is() -> None:
    timeline = Timeline(100 * SECOND)
    timeline.play(0)
    timeline.set_speed(4, 10 * SECOND)
    assert timeline.position(10 * SECOND) == 10 * SECOND
    assert timeline.position(11 * SECOND) == 14 * SECOND
    timeline.slower(11 * SECOND)
    assert timeline.speed == 2
    timeline.set_speed(1000, 12 * SECOND)
    assert timeline.speed == 32
    timeline.faster(12 * SECOND)
    assert timeline.speed == 32
    timeline.set_speed(0, 12 * SECOND)
    timeline.slower(12 * SECOND)
    assert timeline.speed == 0.25


def test_pause_holds_and_play_goes_on() -> None:
    timeline = Timeline(100 * SECOND)
    timeline.play(0)
    timeline.pause(5 * SECOND)
    assert timeline.position(50 * SECOND) == 5 * SECOND
    timeline.play(50 * SECOND)
    assert timeline.position(51 * SECOND) == 6 * SECOND


def test_play_at_the_end_begins_again() -> None:
    timeline = Timeline(10 * SECOND)
    timeline.seek(10 * SECOND, 0)
    timeline.play(0)
    assert timeline.position(SECOND) == SECOND


def test_seek_is_bounded_and_keeps_playing() -> None:
    timeline = Timeline(10 * SECOND)
    timeline.play(0)
    assert timeline.seek(-5, SECOND) == 0
    assert timeline.seek(5 * SECOND, SECOND) == 5 * SECOND
    assert timeline.position(2 * SECOND) == 6 * SECOND
    assert timeline.seek(99 * SECOND, SECOND) == 10 * SECOND


def test_a_frame_step_stands_still_there() -> None:
    timeline = Timeline(10 * SECOND)
    timeline.play(0)
    assert timeline.step_to(3 * SECOND, SECOND) == 3 * SECOND
    assert timeline.position(9 * SECOND) == 3 * SECOND


def test_idle_is_skipped_to_a_moment_of_it() -> None:
    timeline = Timeline(100 * SECOND, gaps=[(10 * SECOND, 90 * SECOND)], skip_idle=True)
    timeline.play(0)
    assert timeline.until(90 * SECOND, 0) == 10 * SECOND + IDLE_US
    assert timeline.position(11 * SECOND) == 11 * SECOND
    assert timeline.position(10 * SECOND + IDLE_US) == 90 * SECOND
    assert timeline.position(13 * SECOND + IDLE_US) == 93 * SECOND
    timeline.set_skip_idle(13 * SECOND + IDLE_US, on=False)
    assert timeline.position(14 * SECOND + IDLE_US) == 94 * SECOND
    timeline.seek(50 * SECOND, 0)
    assert timeline.position(SECOND) == 51 * SECOND


@given(
    st.lists(st.tuples(st.integers(0, 10**8), st.integers(0, 10**7)), max_size=8),
    st.lists(st.integers(0, 10**9), min_size=2, max_size=20),
)
def test_both_scales_lead_into_one_another(raw: list[tuple[int, int]], places: list[int]) -> None:
    gaps, at = [], 0
    for before, length in raw:
        gaps.append((at + before, at + before + length))
        at += before + length
    squeeze = Squeeze(gaps)
    for place in places:
        assert squeeze.shorten(squeeze.lengthen(place)) == place
        assert squeeze.lengthen(squeeze.shorten(place)) >= place
        assert squeeze.shorten(place) <= place
    ordered = sorted(places)
    assert sorted(map(squeeze.shorten, ordered)) == list(map(squeeze.shorten, ordered))
    assert sorted(map(squeeze.lengthen, ordered)) == list(map(squeeze.lengthen, ordered))


def test_marks_lead_on_and_back() -> None:
    marks = [Mark(n * SECOND, "command", str(n)) for n in (7, 2, 5)]
    timeline = Timeline(10 * SECOND, marks=marks)
    assert timeline.previous_mark(0) is None
    assert timeline.next_mark(0) == marks[1]
    timeline.seek(5 * SECOND, 0)
    assert timeline.next_mark(0) == marks[0]
    assert timeline.previous_mark(0) == marks[1]
    timeline.seek(8 * SECOND, 0)
    assert timeline.next_mark(0) is None


def test_a_recording_that_grew_plays_on() -> None:
    timeline = Timeline(10 * SECOND)
    timeline.play(0)
    timeline.extend(20 * SECOND)
    timeline.extend(5 * SECOND)
    assert timeline.position(15 * SECOND) == 15 * SECOND


def test_the_index_tells_gaps_and_activity_without_opening_a_chunk() -> None:
    entries = [IndexEntry(0, 0, 9, 100), IndexEntry(9, 5 * SECOND, 9, 0), IndexEntry(18, 9 * SECOND, 9, 50)]
    index = ChunkIndex(b"".join(map(pack_index_entry, entries)))
    assert gaps_of(index, 10 * SECOND) == [(0, 0), (0, 9 * SECOND), (9 * SECOND, 10 * SECOND)]
    assert activity(index, 10 * SECOND, 5) == [100, 0, 0, 0, 50]
    assert activity(ChunkIndex(b""), 0, 3) == [0, 0, 0]
