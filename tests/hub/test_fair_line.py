"""The waiting line of logins: in turn by address, bounded for each and overall, and never stuck."""

from __future__ import annotations

import asyncio

import pytest

from daemons.hub.proof.fair_line import FairLine
from mezite.errors import Throttled


class Story:
    """A line with one lane that is taken, so that whoever comes waits until `serve`."""

    def __init__(self, group: asyncio.TaskGroup, *, overall: int = 6, per_source: int = 3) -> None:
        self.line = FairLine(lanes=1, overall=overall, per_source=per_source)
        self.group = group
        self.served: list[str] = []
        self.refused: list[str] = []

    async def begin(self) -> None:
        await self.line.enter("first")

    async def come(self, *sources: str) -> list[asyncio.Task[None]]:
        tasks = [self.group.create_task(self._one(source), name=source) for source in sources]
        await asyncio.sleep(0)
        return tasks

    async def _one(self, source: str) -> None:
        try:
            await self.line.enter(source)
        except Throttled:
            self.refused.append(source)
        else:
            self.served.append(source)

    async def serve(self) -> None:
        while len(self.line):
            self.line.leave()
            for _ in range(3):
                await asyncio.sleep(0)
        self.line.leave()


async def test_addresses_are_served_in_turn() -> None:
    async with asyncio.TaskGroup() as group:
        story = Story(group)
        await story.begin()
        await story.come("a", "a", "a", "b", "c")
        await story.serve()
    assert story.served == ["a", "b", "c", "a", "a"]


async def test_one_address_has_only_so_many() -> None:
    async with asyncio.TaskGroup() as group:
        story = Story(group)
        await story.begin()
        await story.come("a", "a", "a", "a", "a", "b")
        assert story.refused == ["a", "a"]
        await story.serve()


async def test_a_full_line_takes_from_the_longest_and_lets_a_newcomer_in() -> None:
    async with asyncio.TaskGroup() as group:
        story = Story(group)
        await story.begin()
        await story.come("a", "a", "a", "b", "b", "b")
        await story.come("c")
        await asyncio.sleep(0)
        assert story.refused == ["a"]
        assert len(story.line) == 6
        await story.serve()
    assert sorted(story.served) == ["a", "a", "b", "b", "b", "c"]


async def test_a_line_full_of_single_ones_refuses() -> None:
    async with asyncio.TaskGroup() as group:
        story = Story(group)
        await story.begin()
        await story.come(*"abcdef", "g")
        assert story.refused == ["g"]
        await story.serve()


@pytest.mark.parametrize("granted", [False, True], ids=["waiting", "just granted"])
async def test_who_goes_away_costs_nobody_a_turn(*, granted: bool) -> None:
    async with asyncio.TaskGroup() as group:
        story = Story(group)
        await story.begin()
        gone, _ = await story.come("a", "b")
        if granted:
            story.line.leave()
        gone.cancel()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await story.serve()
    assert story.served == ["b"]
    assert len(story.line) == 0
    await asyncio.wait_for(story.line.enter("c"), 1)
