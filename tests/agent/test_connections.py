"""The table of users' connections: orders that make one, orders about none, and what goes wrong."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemons.agent import connections as connections_
from daemons.agent.asking import Questions
from daemons.agent.cgroups import Cgroups
from daemons.agent.connections import Connections
from daemons.agent.reports import Reports
from daemons.agent.sshd import Surroundings
from daemons.lifecycle import crew
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.messages import AnyMessage
from mezite.api.tunnel.orders import Answer, Cut, Declined, Dial, Holding, Update
from mezite.errors import Unavailable
from mezite.ids import mint_uuid
from tests.support.clock import FakeClock
from tests.support.sshd import alice, dev, node_trust, rights


class Table:
    """The table under test, what it said to the hub, and when its calls come through: never."""

    def __init__(self) -> None:
        self.said: list[AnyMessage] = []
        self.heard = asyncio.Event()
        self.calls = 0
        self.fault: Exception | None = None
        self.connections: Connections

    def say(self, message: AnyMessage) -> None:
        self.said.append(message)
        self.heard.set()

    async def dial(self) -> TunnelLine:
        self.calls += 1
        if self.fault is not None:
            raise self.fault
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")


@pytest.fixture
async def table(tmp_path: Path) -> AsyncIterator[Table]:
    clock, made = FakeClock(), Table()
    around = Surroundings(clock, Questions(), Reports(tmp_path, clock), Cgroups(None), lambda: 0.0)
    trust = node_trust()
    async with crew() as start:
        made.connections = Connections(around, dial=made.dial, trust=lambda: trust, start=start)
        made.connections.line_is(made.say)
        made.said.clear()
        made.heard.clear()
        yield made


def order() -> Dial:
    return Dial(connection_id=mint_uuid(), token=secrets.token_bytes(32), rights=rights(alice(), dev()))


async def turned() -> None:
    for _ in range(3):
        await asyncio.sleep(0)


async def test_a_hub_that_cannot_be_called_back_is_told_so(table: Table) -> None:
    table.fault = Unavailable("cannot reach the hub")
    dial = order()
    table.connections.hear(dial)
    await turned()
    assert table.said == [Declined(connection_id=dial.connection_id, message="cannot reach the hub")]
    table.connections.line_is(table.say)
    assert table.said[-1] == Holding(connection_ids=())


async def test_a_call_that_takes_too_long_is_declined(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_, "DIAL_S", 0.01)
    table.connections.hear(order())
    await table.heard.wait()
    [said] = table.said
    assert isinstance(said, Declined)
    assert "does not answer" in said.message


async def test_an_order_that_comes_twice_is_followed_once(table: Table) -> None:
    dial = order()
    table.connections.hear(dial)
    table.connections.hear(dial)
    await turned()
    assert table.calls == 1
    assert table.said == []


async def test_one_too_many_is_declined(table: Table, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_, "MAX_CONNECTIONS", 1)
    first, second = order(), order()
    table.connections.hear(first)
    table.connections.hear(second)
    [said] = table.said
    assert isinstance(said, Declined)
    assert said.connection_id == second.connection_id


async def test_a_fresh_line_learns_what_is_open(table: Table) -> None:
    dial = order()
    table.connections.hear(dial)
    table.connections.line_is(None)
    table.connections.line_is(table.say)
    assert table.said == [Holding(connection_ids=(dial.connection_id,))]


async def test_orders_about_no_connection_of_ours_change_nothing(table: Table) -> None:
    table.connections.hear(Cut(connection_id=mint_uuid(), message="x"))
    table.connections.hear(Update(connection_id=mint_uuid(), rights=rights(alice())))
    table.connections.hear(Answer(number=7, allowed=True))
    assert table.said == []


async def test_a_fault_of_ours_ends_one_connection_alone(
    table: Table, caplog: pytest.LogCaptureFixture
) -> None:
    table.fault = ZeroDivisionError()
    table.connections.hear(order())
    await turned()
    assert "a connection ended by a fault of ours" in caplog.text
    table.fault = Unavailable("later")
    table.connections.hear(order())
    await turned()
    assert len(table.said) == 1
