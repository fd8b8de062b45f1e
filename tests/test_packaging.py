"""What is shipped: the wheel, opened, installed where nothing else is, and every program in it started."""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = {"mezite", "tui", "daemons", "recordings"}
PROGRAMS = ["mezite", "mezhub", "mezd", "msh", "mezctl"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    # The backend alone: a build front end would make an environment first, and want a network for it.
    build = f"import hatchling.build; print(hatchling.build.build_wheel({str(out)!r}))"
    subprocess.run([sys.executable, "-c", build], cwd=ROOT, check=True, capture_output=True)
    (made,) = out.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty environment with the wheel in it. The dependencies are lent to it by path, ours are not."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False, symlinks=True)
    python = home / "bin/python"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--quiet",
            "--no-deps",
            "--no-index",
            str(wheel),
        ],
        check=True,
        capture_output=True,
    )
    site = Path(
        subprocess.check_output(
            [python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], text=True
        ).strip()
    )
    # As a path on sys.path, not as a site directory: the checkout's own .pth file is not obeyed there.
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return home


def names_in(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_four_packages_and_nothing_else(wheel: Path) -> None:
    tops = {name.split("/")[0] for name in names_in(wheel)}
    assert {top for top in tops if not top.endswith(".dist-info")} == PACKAGES


def test_the_wheel_says_it_is_typed_and_carries_its_licence(wheel: Path) -> None:
    names = names_in(wheel)
    assert {f"{package}/py.typed" for package in PACKAGES} <= set(names)
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)


def test_the_wheel_carries_every_file_of_the_packages(wheel: Path) -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*") if file.is_file()]
    kept = {str(file.relative_to(ROOT)) for file in files if "__pycache__" not in file.parts}
    assert kept <= set(names_in(wheel))


def test_the_wheel_names_the_programs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (entry,) = [name for name in archive.namelist() if name.endswith("entry_points.txt")]
        parser = configparser.ConfigParser()
        parser.read_string(archive.read(entry).decode())
    assert sorted(parser["console_scripts"]) == sorted(PROGRAMS)


@pytest.mark.parametrize("argument", ["--help", "--version"])
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_program_starts_from_the_wheel(
    installed: Path, tmp_path: Path, program: str, argument: str
) -> None:
    done = subprocess.run(
        [installed / "bin" / program, argument], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert program in done.stdout


def test_the_programs_run_what_is_in_the_wheel(installed: Path, tmp_path: Path) -> None:
    where = f"import {', '.join(PACKAGES)}; print(*(each.__file__ for each in [{', '.join(PACKAGES)}]))"
    told = subprocess.check_output([installed / "bin/python", "-P", "-c", where], cwd=tmp_path, text=True)
    assert all(path.startswith(str(installed) + os.sep) for path in told.split())
