"""Each test of this directory runs on every engine; what holds on one of them only is in tests/storage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mezite.storage.memory import open_memory
from mezite.storage.ports import Store
from mezite.storage.postgres import open_postgres
from mezite.storage.sqlite import open_sqlite
from tests.support.clock import FakeClock
from tests.support.postgres import Cluster, postgres
from tests.support.stores import NOON

__all__ = ["postgres"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest_asyncio.fixture(params=["memory", "sqlite", "postgres"])
async def store(request: pytest.FixtureRequest, clock: FakeClock, tmp_path: Path) -> AsyncIterator[Store]:
    match request.param:
        case "memory":
            opening = open_memory(clock)
        case "sqlite":
            opening = open_sqlite(tmp_path / "data", clock)
        case _:
            cluster: Cluster = request.getfixturevalue("postgres")
            opening = open_postgres(cluster.url(await cluster.shared_database()), clock)
    async with opening as opened:
        yield opened
