from __future__ import annotations

import stat
from pathlib import Path

import pytest

from daemons.hub.hub_id import FILE, hub_id
from mezite.errors import Unavailable


def test_it_is_the_same_at_every_start(tmp_path: Path) -> None:
    first = hub_id(tmp_path)
    assert hub_id(tmp_path) == first
    assert stat.S_IMODE((tmp_path / FILE).stat().st_mode) == 0o600


@pytest.mark.parametrize("left", ["", "hub_", "hub_short", "no id at all\n" * 3])
def test_a_half_written_one_is_made_anew(tmp_path: Path, left: str) -> None:
    (tmp_path / FILE).write_text(left)
    made = hub_id(tmp_path)
    assert made != left
    assert hub_id(tmp_path) == made


def test_one_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).mkdir()
    with pytest.raises(Unavailable, match=FILE):
        hub_id(tmp_path)
