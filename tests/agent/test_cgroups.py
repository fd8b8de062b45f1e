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


def test_a_session_is_within_its_connection(tmp_path: Path) -> None:
    connection = Cgroups(tmp_path).make("connection")
    assert connection is not None
    session = connection.make("session")
    assert session is not None
    assert session.path == tmp_path / "connection" / "session"


def test_a_connection_goes_after_what_its_sessions_left(tmp_path: Path) -> None:
    groups = Cgroups(tmp_path)
    connection = groups.make("first")
    assert connection is not None
    session = connection.make("session")
    assert session is not None
    (session.path / "busy").touch()
    session.retire()
    connection.retire()
    (session.path / "busy").unlink()
    groups.make("second")
    assert [path.name for path in tmp_path.iterdir()] == ["second"]


def test_what_an_agent_before_left_is_ended_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "connection" / "session").mkdir(parents=True)
    (tmp_path / "cgroup.kill").touch()
    groups = Cgroups(tmp_path)
    assert (tmp_path / "cgroup.kill").read_text() == "1"
    groups.make("next")
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["next"]


def test_nothing_left_nothing_ended(tmp_path: Path) -> None:
    (tmp_path / "cgroup.kill").touch()
    Cgroups(tmp_path)
    assert (tmp_path / "cgroup.kill").read_text() == ""
