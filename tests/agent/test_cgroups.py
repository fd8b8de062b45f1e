"""Where a process's cgroup v2 is: pure machines, hybrid ones, and those without."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemons.agent.cgroups import Cgroups, find

HYBRID = (
    "30 23 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro\n"
    "31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid - cgroup2 cgroup2 rw\n"
    "32 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
)
PURE = "31 30 0:27 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n"


@pytest.mark.parametrize(
    ("mountinfo", "own", "found"),
    [
        (HYBRID, "1:cpu:/x\n0::/\n", "/sys/fs/cgroup/unified"),
        (PURE, "0::/system.slice/mezd.service\n", "/sys/fs/cgroup/system.slice/mezd.service"),
        (PURE, "0::/../../elsewhere\n", None),
        (PURE, "1:cpu:/x\n", None),
        ("", "0::/\n", None),
        (PURE.replace(" / /sys", " /part /sys"), "0::/\n", None),
    ],
)
def test_the_directory_of_this_process(mountinfo: str, own: str, found: str | None) -> None:
    assert find(mountinfo, own) == (None if found is None else Path(found))


def test_without_a_root_there_is_none() -> None:
    assert Cgroups(None).make("session") is None


def test_what_cannot_go_yet_goes_when_the_next_one_is_made(tmp_path: Path) -> None:
    groups = Cgroups(tmp_path)
    first = groups.make("first")
    assert first is not None
    (first.path / "busy").touch()
    first.retire()
    assert first.path.exists()
    (first.path / "busy").unlink()
    second = groups.make("second")
    assert second is not None
    assert [path.name for path in tmp_path.iterdir()] == ["second"]
