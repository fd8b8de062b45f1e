"""A hub killed with -9 at any instant: units are whole or not there, nothing acknowledged is lost."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from mezite.audit.body import decode
from mezite.storage.failpoints import POINTS
from mezite.storage.ports import Reading
from mezite.storage.sqlite import open_sqlite
from tests.storage.test_sqlite_files import chain_holds
from tests.support.clock import FakeClock

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


def writer(data_dir: Path, first: int, *options: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, *options, "-m", "tests.storage.crash_writer", str(data_dir), str(first)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        bufsize=0,
    )


def heard_until_dead(process: subprocess.Popen[bytes], heard: Sequence[bytes] = ()) -> set[int]:
    """The units that were acknowledged. Whole lines only: the last may have been cut by the kill."""
    assert process.stdout is not None
    with process.stdout:
        text = b"".join(heard) + process.stdout.read()
    assert process.wait(timeout=30) == -signal.SIGKILL
    return {int(line) for line in text.split(b"\n")[:-1] if line.isdigit()}


def units(reading: Reading) -> set[int]:
    """Those that took effect; fails when one did so in part."""
    users = {int(u.id.removeprefix("user_")) for u in reading.users.all()}
    told = [int(line.key) for line in reading.changes.after(0, limit=1_000_000)]
    records = reading.audit.records(after=0, limit=1_000_000)
    recorded = [decode(record.body).details["unit"] for record in records]
    assert users == {half for number in told for half in (number * 2, number * 2 + 1)}
    assert recorded == [number for number in told for _ in range(2)]
    assert reading.changes.span() == ((1, len(told)) if told else (0, 0))
    return set(told)


async def look(data_dir: Path) -> set[int]:
    async with open_sqlite(data_dir, FakeClock()) as store:
        found = await store.read(units)
        assert not found or await store.read(chain_holds)
        assert await store.read(lambda r: r.audit.misfiled(limit=1)) == []
    return found


@pytest.mark.parametrize("nth", [1, 5])
@pytest.mark.parametrize("point", POINTS)
async def test_killed_at_a_named_point(data_dir: Path, point: str, nth: int) -> None:
    first = heard_until_dead(writer(data_dir, 0, "-X", f"mezite-failpoint={point}:{nth}"))
    found = await look(data_dir)
    assert first <= found
    if nth == 1 and point in ("store.unit-done", "store.before-commit"):
        assert found == set()
    if nth == 1 and point in ("store.after-commit", "store.after-told"):
        assert found
    # What was made on the ruins is as sound.
    again = heard_until_dead(writer(data_dir, 1000, "-X", "mezite-failpoint=store.after-told:3"))
    assert again
    assert found | again <= await look(data_dir)


async def test_killed_at_twenty_random_instants(data_dir: Path) -> None:
    chance = random.Random(20261120)
    kept: set[int] = set()
    for round_ in range(20):
        process = writer(data_dir, round_ * 100_000)
        assert process.stdout is not None
        heard = [process.stdout.readline() for _ in range(1 + chance.randrange(40))]
        assert all(heard)
        # A moment of anything up to a group's length after an answer, so not only right behind one.
        deadline = time.perf_counter() + chance.random() * 0.004
        while time.perf_counter() < deadline:
            pass
        process.kill()
        acknowledged = heard_until_dead(process, heard)
        found = await look(data_dir)
        assert kept | acknowledged <= found
        kept = found
    assert len(kept) > 100
