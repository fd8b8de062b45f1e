from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.relays import HubEnd, RelayProcess, relay_process


@pytest.fixture
def relay(tmp_path: Path) -> Iterator[RelayProcess]:
    with relay_process(tmp_path / "relays") as relay:
        yield relay


@pytest.fixture
def hub(relay: RelayProcess) -> HubEnd:
    return relay.hub()
