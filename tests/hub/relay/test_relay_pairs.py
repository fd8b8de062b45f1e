"""The table of pairs, in this process: ends that nobody hears of, pages, and faults of ours."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from daemons.hub.relay import pairs as pairs_module
from daemons.hub.relay import wire
from daemons.hub.relay.flow import Flow
from daemons.hub.relay.pairs import Pairs
from daemons.hub.relay.pipes import Pipes
from daemons.hub.relay.watch import Watch
from daemons.hub.relay.wire import End, Refusal, Take


class Table:
    def __init__(self) -> None:
        self.watch = Watch()
        self.now = 100.0
        self.said: list[str] = []
        self.pairs = Pairs(
            self.watch, room=10, linger_s=60, clock=lambda: self.now, pipes=Pipes(), say=self.said.append
        )

    def take(self, number: int) -> tuple[socket.socket, socket.socket]:
        client, to_client = socket.socketpair()
        agent, to_agent = socket.socketpair()
        assert self.pairs.take(Take(number.to_bytes(16, "big"), b"", b""), to_client, to_agent) is None
        return client, agent

    def turn(self) -> None:
        self.watch.wait(0)
        self.pairs.turn()


@pytest.fixture
def table() -> Iterator[Table]:
    table = Table()
    yield table
    table.pairs.stop_all()
    table.watch.close()


def numbers(page: wire.Pairs) -> list[int]:
    return [int.from_bytes(entry.pair, "big") for entry in page.entries]


def test_pages_tell_of_every_pair_once_and_in_order(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "PAGE", 2)
    ends = [table.take(number) for number in (5, 3, 9, 1, 7)]
    found, page = [], table.pairs.page(bytes(16))
    while page.more:
        found += numbers(page)
        page = table.pairs.page(page.entries[-1].pair)
    assert found + numbers(page) == [1, 3, 5, 7, 9]
    assert len(ends) == len(table.pairs)


def test_ends_that_nobody_hears_are_forgotten_oldest_first(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairs_module, "UNHEARD_MAX", 2)
    for number in (1, 2, 3):
        table.take(number)
        table.pairs.cut(number.to_bytes(16, "big"))
    assert [pair[-1] for pair in table.pairs.unheard] == [2, 3]
    table.pairs.heard((2).to_bytes(16, "big"))
    assert len(table.pairs.unheard) == 1


def test_an_id_is_in_use_until_its_end_was_heard(table: Table) -> None:
    number, order = (1).to_bytes(16, "big"), Take((1).to_bytes(16, "big"), b"", b"")
    table.take(1)
    table.pairs.cut(number)
    assert table.pairs.take(order, *socket.socketpair()) is Refusal.KNOWN
    table.pairs.heard(number)
    table.take(1)


def test_a_fault_of_ours_in_one_pair_ends_no_other(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    client, agent = table.take(1)
    other_client, other_agent = table.take(2)
    table.turn()
    pump = Flow.pump

    def faulty(flow: Flow) -> bool:
        monkeypatch.setattr(Flow, "pump", pump)
        raise RuntimeError("what a user typed")

    monkeypatch.setattr(Flow, "pump", faulty)
    client.send(b"x")
    table.turn()
    assert agent.recv(1) == b""
    assert [ended.end for ended in table.pairs.unheard.values()] == [End.BROKEN]
    assert table.said == ["a fault of ours ended a pair: RuntimeError"]
    other_client.send(b"y")
    table.turn()
    assert other_agent.recv(1) == b"y"


def test_there_is_nothing_due_while_nobody_speaks(table: Table) -> None:
    table.take(1)
    table.turn()
    assert table.pairs.due is None


def test_who_only_waits_for_silence_waits_so_long(table: Table) -> None:
    client, agent = table.take(1)
    agent.close()
    table.turn()
    client.send(b"nobody takes this")
    table.turn()
    assert table.pairs.due == table.now + 60
    client.send(b"nor this")
    table.now += 59
    table.turn()
    assert len(table.pairs) == 1
    table.now += 1
    table.turn()
    assert len(table.pairs) == 0
    assert [ended.end for ended in table.pairs.unheard.values()] == [End.BROKEN]
