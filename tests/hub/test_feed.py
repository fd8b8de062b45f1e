"""The feed: a watcher is a place: it misses nothing, sees nothing twice, costs nothing asleep."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemons.hub import feed as feeds
from daemons.hub.feed import Feed, Here, Line, Reset
from mezite.model.change import Change, ChangeKind
from mezite.storage.memory import open_memory
from mezite.storage.ports import Store
from tests.support.clock import FakeClock


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with open_memory(FakeClock()) as store:
        yield store


async def change(store: Store, count: int = 1, *, key: str = "usr_1") -> None:
    def unit(tx: object) -> None:
        for _ in range(count):
            tx.changed(ChangeKind.USER, key)  # type: ignore[attr-defined]

    await store.write(unit)


async def caught_up(lines: AsyncIterator[Line]) -> tuple[list[int], list[Reset], int]:
    """Everything up to the next `Here`: (revisions, resets, the place it names)."""
    revisions, resets = [], []
    async for line in lines:
        match line:
            case Change():
                revisions.append(line.revision)
            case Reset():
                resets.append(line)
            case Here():
                return revisions, resets, line.revision
    raise AssertionError("the feed ended")


async def test_from_now_on_means_what_comes(store: Store) -> None:
    feed = Feed(store)
    await change(store, 3)
    async with aclosing(feed.watch(None)) as lines:
        assert await caught_up(lines) == ([], [], 3)
        await change(store, 2)
        assert await caught_up(lines) == ([4, 5], [], 5)


@pytest.mark.parametrize("after", range(8))
async def test_any_place_resumes_without_gap_or_double(store: Store, after: int) -> None:
    await change(store, 3)  # before this feed listened: only storage knows them
    feed = Feed(store)
    await change(store, 4)
    async with aclosing(feed.watch(after)) as lines:
        assert await caught_up(lines) == (list(range(after + 1, 8)), [], 7)


async def test_batches_follow_one_another(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "BATCH", 4)
    await change(store, 10)
    feed = Feed(store)
    await change(store, 11)
    async with aclosing(feed.watch(0)) as lines:
        assert await caught_up(lines) == (list(range(1, 22)), [], 21)


async def test_behind_the_ring_storage_serves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RING", 5)
    feed = Feed(store)
    async with aclosing(feed.watch(0)) as lines:
        assert await caught_up(lines) == ([], [], 0)
        await change(store, 30)
        assert await caught_up(lines) == (list(range(1, 31)), [], 30)


async def test_a_place_no_longer_kept_is_told_so(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RING", 5)
    feed = Feed(store)
    await change(store, 30)
    await store.write(lambda tx: tx.trim_changes(keep=10))
    async with aclosing(feed.watch(3)) as lines:
        assert await caught_up(lines) == ([], [Reset(30)], 30)
        await change(store)
        assert await caught_up(lines) == ([31], [], 31)
    async with aclosing(feed.watch(20)) as lines:
        assert await caught_up(lines) == (list(range(21, 32)), [], 31)
    await store.write(lambda tx: tx.trim_changes(keep=0))
    async with aclosing(Feed(store).watch(29)) as lines:
        assert await caught_up(lines) == ([], [Reset(31)], 31)
    async with aclosing(Feed(store).watch(31)) as lines:
        assert await caught_up(lines) == ([], [], 31)


@pytest.mark.parametrize("heard", [True, False], ids=["in the ring", "in storage"])
@pytest.mark.parametrize("after", [4, 1_000, 2**64 - 1])
async def test_a_place_of_other_data_is_told_so(store: Store, after: int, *, heard: bool) -> None:
    """As after a restored backup: the watcher has seen more than there is."""
    feed = Feed(store)
    await change(store, 3)
    async with aclosing((feed if heard else Feed(store)).watch(after)) as lines:
        assert await caught_up(lines) == ([], [Reset(3)], 3)
        await change(store)
        assert await caught_up(lines) == ([4], [], 4)


async def test_a_watcher_that_sleeps_costs_a_bell(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeds, "RING", 50)
    feed = Feed(store)
    async with aclosing(feed.watch(0)) as asleep, aclosing(feed.watch(0)) as awake:
        await caught_up(asleep)
        await caught_up(awake)
        seen: list[int] = []
        for _ in range(200):
            await change(store)
            seen += (await caught_up(awake))[0]
        assert seen == list(range(1, 201))
        assert len(feed._ring) == 50
        assert (await caught_up(asleep))[0] == seen
        assert feed.watchers == 2
    assert feed.watchers == 0


async def test_without_news_it_says_from_time_to_time_that_there_are_none(store: Store) -> None:
    async with aclosing(Feed(store).watch(None, every_s=0.001)) as lines:
        for _ in range(3):
            assert await caught_up(lines) == ([], [], 0)


async def test_a_watch_that_is_cancelled_leaves_no_bell(store: Store) -> None:
    feed, begun = Feed(store), asyncio.Event()

    async def watch() -> None:
        async for _ in feed.watch(None):
            begun.set()

    async with asyncio.TaskGroup() as group:
        task = group.create_task(watch())
        await begun.wait()
        assert feed.watchers == 1
        task.cancel()
    assert feed.watchers == 0


@settings(max_examples=60)
@given(
    st.lists(st.one_of(st.integers(1, 9), st.just("read"), st.just("trim"), st.just("break")), max_size=25)
)
async def test_every_story_tells_each_revision_once_or_says_that_it_cannot(story: list[int | str]) -> None:
    """Commits, reads, trims, reconnections in any order: revisions rise by one, or a reset is told."""
    async with open_memory(FakeClock()) as store:
        feed = Feed(store)
        feed._ring = type(feed._ring)(maxlen=6)
        place, newest = 0, 0
        lines = feed.watch(0, every_s=0.001)
        for step in [*story, "read"]:
            match step:
                case int():
                    await change(store, step)
                    newest += step
                case "trim":
                    await store.write(lambda tx: tx.trim_changes(keep=4))
                case "break":
                    await lines.aclose()
                    lines = feed.watch(place, every_s=0.001)
                case _:
                    async for line in lines:
                        match line:
                            case Change():
                                assert line.revision == place + 1
                                place = line.revision
                            case Reset():
                                assert line.revision > place
                                place = line.revision
                            case Here():
                                assert line.revision == place == newest
                                break
        await lines.aclose()
