"""Pumps: every byte in order, no more held than said, and an end that comes after the last one."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from daemons.agent.pumps import MAX_WAITING, Inflow, Outflow


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:
            continue


@dataclass
class Taken:
    data: bytearray = field(default_factory=bytearray)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def flow(self, descriptor: int) -> Outflow:
        return Outflow(descriptor, self.data.extend, self.over.set)


async def test_an_end_comes_after_the_last_byte(pipe: tuple[int, int]) -> None:
    taken = Taken()
    taken.flow(pipe[0])
    os.write(pipe[1], b"last words")
    os.close(pipe[1])
    await taken.over.wait()
    assert taken.data == b"last words"


async def test_a_paused_flow_reads_nothing_and_goes_on_where_it_was(pipe: tuple[int, int]) -> None:
    taken = Taken()
    flow = taken.flow(pipe[0])
    flow.pause()
    os.write(pipe[1], b"wait")
    for _ in range(3):
        await asyncio.sleep(0)
    assert taken.data == b""
    flow.resume()
    os.close(pipe[1])
    await taken.over.wait()
    assert taken.data == b"wait"


async def test_a_held_descriptor_ends_when_nothing_more_is_there(pipe: tuple[int, int]) -> None:
    taken = Taken()
    flow = taken.flow(pipe[0])
    os.write(pipe[1], b"all there is")
    flow.finish()
    assert taken.over.is_set()
    assert taken.data == b"all there is"


async def test_finishing_waits_for_whoever_is_full(pipe: tuple[int, int]) -> None:
    taken = Taken()
    flow = taken.flow(pipe[0])
    flow.pause()
    os.write(pipe[1], b"rest")
    flow.finish()
    assert not taken.over.is_set()
    flow.resume()
    await taken.over.wait()
    assert taken.data == b"rest"


async def test_a_stopped_flow_tells_nobody(pipe: tuple[int, int]) -> None:
    taken = Taken()
    taken.flow(pipe[0]).stop()
    os.close(pipe[1])
    for _ in range(3):
        await asyncio.sleep(0)
    assert not taken.over.is_set()


@dataclass
class Sent:
    told: list[str] = field(default_factory=list)
    drained: asyncio.Event = field(default_factory=asyncio.Event)

    def flow(self, descriptor: int) -> Inflow:
        return Inflow(
            descriptor,
            wait=lambda: self.told.append("wait"),
            go=lambda: self.told.append("go"),
            drained=self.drained.set,
        )


async def test_everything_is_written_in_order_before_the_end(pipe: tuple[int, int]) -> None:
    sent, data = Sent(), os.urandom(MAX_WAITING * 3)
    flow = sent.flow(pipe[1])
    for start in range(0, len(data), 10_000):
        flow.write(data[start : start + 10_000])
    flow.end()
    flow.write(b"too late")
    assert sent.told == ["wait"]
    taken = Taken()
    taken.flow(pipe[0])
    await sent.drained.wait()
    os.close(pipe[1])
    await taken.over.wait()
    assert bytes(taken.data) == data
    assert sent.told == ["wait", "go"]


async def test_a_reader_that_has_gone_makes_nobody_wait(pipe: tuple[int, int]) -> None:
    sent = Sent()
    flow = sent.flow(pipe[1])
    os.close(pipe[0])
    flow.write(bytes(MAX_WAITING * 2))
    assert sent.drained.is_set()
    flow.write(b"more")
    assert "wait" not in sent.told
