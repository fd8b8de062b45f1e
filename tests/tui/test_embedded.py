"""A whole cluster as children of one command: it starts every time, says why when not, and ends with it."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mezite.errors import Invalid, Unavailable
from tui import demo as demo_of
from tui import seed
from tui.embedded import Cluster, cluster

WAIT_S = 30


def child(running: Cluster, name: str, code: str, *, stdout: int = subprocess.DEVNULL) -> None:
    running.start(name, [sys.executable, "-I", "-S", "-c", code], {}, stdout=stdout)


def test_a_child_ends_when_the_command_is_killed(tmp_path: Path) -> None:
    starter = """if True:
        import sys, time
        from pathlib import Path
        from tui.embedded import cluster
        with cluster(Path(sys.argv[1])) as running:
            running.start("it", [sys.executable, "-I", "-S", "-c",
                          "import os, time; os.write(1, b'up\\\\n'); time.sleep(600)"], {}, stdout=1)
            time.sleep(600)
    """
    with subprocess.Popen([sys.executable, "-c", starter, str(tmp_path)], stdout=subprocess.PIPE) as command:
        assert command.stdout is not None
        assert command.stdout.readline() == b"up\n"
        command.send_signal(signal.SIGKILL)
        # The child holds the other end; only its death closes it.
        ready, _, _ = select.select([command.stdout], [], [], WAIT_S)
        assert ready
        assert command.stdout.read() == b""


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("import os; os.kill(os.getpid(), 6)", "it ended by SIGABRT: it said nothing"),
        ("import sys; sys.exit('no database')", "it ended: no database"),
    ],
)
def test_how_a_child_ended_is_said(tmp_path: Path, code: str, told: str) -> None:
    with cluster(tmp_path) as running:
        child(running, "it", code)
        running.daemons[0].process.wait(WAIT_S)
        with pytest.raises(Unavailable) as refusal:
            running.check()
    assert str(refusal.value) == told


def test_what_a_child_writes_is_for_its_owner_alone(tmp_path: Path) -> None:
    with cluster(tmp_path) as running:
        child(running, "it", "")
        assert running.daemons[0].log.stat().st_mode & 0o777 == 0o600


def test_a_token_is_in_no_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = "import sys; sys.stderr.write(open(sys.argv[-1].partition('=')[2]).read())"
    monkeypatch.setattr("tui.embedded._module", lambda _name: [sys.executable, "-I", "-S", "-c", told])
    monkeypatch.setenv("MEZITE_JOIN_TOKEN", "another-one")
    with cluster(tmp_path) as running:
        running.start_agent("it", {"MEZITE_NODE_NAME": "it"}, "the-token")
        running.daemons[0].process.wait(WAIT_S)
        assert running.daemons[0].last_words() == "MEZITE_JOIN_TOKEN=the-token"


@pytest.mark.parametrize("existed", [True, False])
def test_a_demo_that_fails_leaves_a_directory_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, existed: bool
) -> None:
    where = tmp_path / "demo"
    if existed:
        where.mkdir()

    def fails(_self: Cluster, _settings: object) -> None:
        (where / "logs").mkdir()
        (where / "logs/hub.log").write_text("half")
        (where / "seal.key").write_text("half")
        (where / "out").symlink_to(tmp_path)
        raise Unavailable("it did not start")

    monkeypatch.setattr(Cluster, "start_hub", fails)
    for _ in range(2):
        with pytest.raises(Unavailable, match="did not start"), demo_of.demo(where):
            pytest.fail("it runs")
    assert where.exists() == existed
    assert not existed or not any(where.iterdir())
    assert tmp_path.exists()


def test_a_demo_takes_no_directory_that_holds_anything(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(Invalid, match="not empty"), demo_of.demo(tmp_path):
        pytest.fail("it runs")
    assert (tmp_path / "thesis.tex").read_text() == "years"


@pytest.mark.slow
def test_a_demo_starts_each_time_and_is_gone_when_left() -> None:
    """Between fork and exec, gRPC's locks and its other threads' absence ended one child in twenty."""
    for _ in range(3):
        with demo_of.demo(None) as running:
            assert running.facts["nodes"] == [node.name for node in seed.nodes()]
            where = Path(running.facts["dir"])
            for daemon in running.cluster.daemons:
                environ = Path(f"/proc/{daemon.process.pid}/environ").read_bytes()
                assert b"JOIN_TOKEN" not in environ
        assert not where.exists()
        assert not [one for one in running.cluster.daemons if os.path.exists(f"/proc/{one.process.pid}/exe")]
