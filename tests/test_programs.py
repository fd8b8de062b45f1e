"""The three programs of a machine with a cluster on it: whatever is wrong ends them by one line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mezite.errors import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE

PLACES = {"mezite": "tui.main", "mezhub": "daemons.hub.main", "mezd": "daemons.agent.main"}


def ends(program: str, *words: str, out: str = "/dev/null", **environ: str) -> tuple[int, list[str]]:
    with open(out, "w") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", PLACES[program], *words],
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
            env={"PATH": "/usr/bin:/bin", **environ},
            cwd=Path(__file__).parents[1],
        )
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize("program", PLACES)
def test_wrong_usage_is_one_line_that_points_to_help(program: str) -> None:
    code, [line] = ends(program, "no-such-verb")
    assert code == EXIT_USAGE
    assert line.startswith(f"{program}: No such command")
    assert line.endswith(f"see: {program} --help")


@pytest.mark.parametrize("place", ["/dev/null", "/proc/nowhere"])
@pytest.mark.parametrize("command", [("demo",), ("up",)], ids=lambda words: str(words[0]))
def test_a_directory_that_cannot_be_one_is_one_line(command: tuple[str, ...], place: str) -> None:
    code, [line] = ends("mezite", *command, "--headless", "--dir", place)
    assert code == EXIT_FAILURE
    assert line.startswith(f"mezite: {place}")


def test_a_full_disk_is_one_line() -> None:
    code, [line] = ends("mezhub", "check-config", out="/dev/full")
    assert code == EXIT_FAILURE
    assert line.startswith("mezhub: No space left on device")


def test_what_is_not_there_to_be_copied_is_one_line(tmp_path: Path) -> None:
    code, [line] = ends("mezhub", "backup", str(tmp_path / "copy"), MEZITE_DATA_DIR=str(tmp_path))
    assert code == EXIT_UNAVAILABLE
    assert "no database" in line


def test_an_agents_settings_that_are_none_are_one_line_each() -> None:
    code, lines = ends("mezd", "start")
    assert code == EXIT_USAGE
    assert [line for line in lines if line.startswith("mezd: ")] == lines
