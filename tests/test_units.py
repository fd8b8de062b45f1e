"""The unit files in docs/systemd are taken by systemd as they stand, and start programs that exist."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[1] / "docs/systemd"
PROGRAMS = Path(sys.executable).parent

pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units, with the programs where this environment has them."""
    for unit in UNITS.glob("*.service"):
        text = unit.read_text().replace("/usr/local/bin/", f"{PROGRAMS}/")
        (tmp_path / unit.name.replace("@.", "@0.")).write_text(text)
    return tmp_path


def _names() -> list[str]:
    return sorted(unit.name.replace("@.", "@0.") for unit in UNITS.glob("*.service"))


def test_there_is_one_for_each_daemon() -> None:
    assert _names() == ["mezd.service", "mezhub.service", "mezite-relay@0.service"]


@pytest.mark.parametrize("unit", _names())
def test_systemd_finds_nothing_wrong(installed: Path, unit: str) -> None:
    verdict = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--recursive-errors=no", str(installed / unit)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    complaints = [
        line
        for line in (verdict.stdout + verdict.stderr).splitlines()
        if str(installed) in line or "mez" in line
    ]
    assert complaints == []
    assert verdict.returncode == 0


@pytest.mark.parametrize("unit", ["mezhub.service", "mezite-relay@0.service"])
def test_what_faces_the_network_is_walled_in(installed: Path, unit: str) -> None:
    verdict = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", str(installed / unit)],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    exposure = re.search(r"Overall exposure level for \S+: ([0-9.]+)", verdict.stdout)
    assert exposure is not None
    assert float(exposure[1]) < 2.5


@pytest.mark.parametrize("unit", sorted(UNITS.glob("*.service")), ids=lambda path: path.name)
def test_it_starts_a_program_that_knows_its_arguments(unit: Path) -> None:
    started = re.search(r"^ExecStart=/usr/local/bin/(\S+) (\S+)", unit.read_text(), re.MULTILINE)
    assert started is not None
    subprocess.run([PROGRAMS / started[1], started[2], "--help"], capture_output=True, timeout=30, check=True)
