from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.support.desk import Office, open_office


@pytest.fixture
async def office() -> AsyncIterator[Office]:
    async with open_office() as office:
        yield office
