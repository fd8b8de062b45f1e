"""Two thousand pairs, as an ordinary user, with nothing installed but Python: the relay needs no more."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
ANOTHER_PYTHON = shutil.which("python3", path="/usr/bin")
NEEDED = [
    "mezite/__init__.py",
    "mezite/errors.py",
    "daemons/__init__.py",
    "daemons/hub/__init__.py",
    *(str(path.relative_to(ROOT)) for path in (ROOT / "daemons/hub/relay").glob("*.py")),
    "tests/support/relays.py",
    "tests/support/many_pairs.py",
]


@pytest.fixture
def elsewhere() -> Iterator[Path]:
    """Only what a relay needs, where anybody can read it."""
    with tempfile.TemporaryDirectory(prefix="relay-") as name:
        place = Path(name)
        for file in NEEDED:
            (place / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, place / file)
        for path in (place, *place.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)
        yield place


def test_a_relay_loads_little() -> None:
    code = "import sys, daemons.hub.relay.main; print(*sys.modules)"
    loaded = set(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, text=True).split())
    assert not loaded & {
        "asyncio",
        "ssl",
        "logging",
        "subprocess",
        "mezite.config",
        "mezite.model",
        "msgspec",
    }


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process of another user")
@pytest.mark.skipif(ANOTHER_PYTHON is None, reason="no Python that another user can start")
def test_an_ordinary_user_s_relay_manages_two_thousand_pairs(elsewhere: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    directory = elsewhere / "relays"
    directory.mkdir()
    os.chown(directory, nobody.pw_uid, nobody.pw_gid)
    directory.chmod(0o700)
    done = subprocess.run(
        [ANOTHER_PYTHON or "", "-m", "tests.support.many_pairs", str(directory), "2000"],
        cwd=elsewhere,
        env={"PYTHONPATH": str(elsewhere)},
        user=nobody.pw_uid,
        group=nobody.pw_gid,
        extra_groups=[],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    told = json.loads(done.stdout)
    assert told["pairs"] == 2_000
    assert told["bytes_per_pair"] < 8 * 1024
    assert told["descriptors"] < 4_200
