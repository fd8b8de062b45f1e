"""What holds on one engine only. What holds on all is in tests/conformance/stores."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from mezite.storage.sqlite import SqliteStore, open_sqlite
from tests.support.clock import FakeClock
from tests.support.postgres import postgres
from tests.support.stores import NOON

__all__ = ["postgres"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(NOON)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest_asyncio.fixture
async def embedded(data_dir: Path, clock: FakeClock) -> AsyncIterator[SqliteStore]:
    async with open_sqlite(data_dir, clock) as store:
        assert isinstance(store, SqliteStore)
        yield store
