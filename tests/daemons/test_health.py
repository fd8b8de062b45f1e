from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from daemons.health import Health, ask
from mezite.errors import Unavailable


async def well() -> None:
    pass


async def away() -> None:
    raise Unavailable("the database cannot be reached")


async def broken() -> None:
    raise LookupError("postgresql://mz:hunter2@db")


async def silent() -> None:
    await asyncio.Event().wait()


async def test_ready_is_when_every_check_holds() -> None:
    assert await ask({"database": well, "tunnels": well}) == Health({})
    assert (await ask({})).ready


async def test_each_fault_is_kept_by_name() -> None:
    health = await ask({"database": away, "tunnels": well})
    assert not health.ready
    assert health.faults == {"database": "the database cannot be reached"}


async def test_a_check_that_breaks_is_a_no_and_tells_nobody_why(caplog: pytest.LogCaptureFixture) -> None:
    health = await ask({"database": broken, "tunnels": away})
    assert health.faults == {
        "database": "failed; the log says why",
        "tunnels": "the database cannot be reached",
    }
    assert "health check database failed" in caplog.text


async def test_a_check_that_does_not_answer_is_a_no() -> None:
    health = await ask({"database": silent, "tunnels": well}, patience=timedelta(milliseconds=1))
    assert health.faults == {"database": "no answer within 0.001 s"}
