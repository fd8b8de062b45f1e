"""The console on real hubs: one that is killed and comes back, and the demo in a real terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mezite.api.generated import locks_pb2
from mezite.client import methods
from mezite.client.contact import meet, parse_proxy
from mezite.client.hub import Hub
from mezite.client.local import admit
from mezite.client.login import Password, enrol, log_in
from mezite.client.profiles import Profiles
from mezite.clock import SystemClock
from tests.support.console import shown
from tui.app import Console
from tui.embedded import cluster
from tui.themes import DARK

pytestmark = pytest.mark.slow
PASSWORD = "correct horse battery"


def hub_settings(directory: Path, said: dict[str, Any] | None) -> dict[str, str]:
    """Free ports at first; afterwards those it had, so that whoever knew it finds it again."""
    ports = {"AUTH": "auth", "PROXY_SSH": "ssh", "PROXY_TUNNEL": "tunnel", "PROXY_WEB": "web"}
    addresses = {
        f"MEZITE_{key}_LISTEN_ADDR": said[name] if said else "127.0.0.1:0" for key, name in ports.items()
    }
    return {"MEZITE_CLUSTER_NAME": "production", "MEZITE_DATA_DIR": str(directory), **addresses}


def log_in_first(said: dict[str, Any], home: Path) -> Profiles:
    contact = meet(parse_proxy(said["web"]), None, pins=(said["ca_pin"],), consent=lambda *_: False)
    enrol(contact, said["first_admin_token"], PASSWORD)
    profiles = Profiles(home)
    profiles.save(log_in(contact, Password("admin", PASSWORD), None, SystemClock().now()))
    return profiles


async def test_a_hub_that_is_killed_is_missed_and_caught_up_with_when_it_is_back(tmp_path: Path) -> None:
    data = tmp_path / "hub"
    with cluster(data) as running:
        said = running.start_hub(hub_settings(data, None))
        app = Console(log_in_first(said, tmp_path / "home"), SystemClock(), DARK)
        async with app.run_test(size=(120, 36)) as pilot:

            async def until(holds: Callable[[], bool], what: str) -> None:
                end = time.monotonic() + 60
                while not holds():
                    assert time.monotonic() < end, f"{what}: {chr(10).join(shown(app))}"
                    await pilot.pause(0.05)

            await until(lambda: app.state.link.up and bool(app.state.events), "nothing was read")
            running.daemons[-1].process.kill()
            running.daemons[-1].process.wait()
            await until(lambda: app.state.link.lost_at is not None, "the loss was not noticed")
            await pilot.pause()
            assert "Hub lost" in shown(app)[1]
            running.start_hub(hub_settings(data, said))
            with Hub(admit(data)) as hub:
                hub.call(methods.LOCKS_CREATE, locks_pb2.CreateLockRequest(target="login", name="nobody"))
            await pilot.press("R")
            await until(lambda: app.state.link.up, "the hub is back and was not found")

            def caught_up() -> bool:
                return any(e.event and e.event.type == "lock.created" for e in app.state.events or ())

            await until(caught_up, "what was missed did not come")
            seqs = [entry.seq for entry in app.state.events or ()]
            assert seqs == list(range(seqs[0], seqs[-1] + 1))


class Terminal:
    """The demo in a private tmux, as a person has it."""

    def __init__(self, directory: Path) -> None:
        self._socket = directory / "tmux"
        self._env = {**os.environ, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8", "TMPDIR": str(directory)}
        self._env.pop("TMUX", None)
        command = shlex.join([sys.executable, "-P", "-m", "tui.main", "demo"])
        self.call("new-session", "-d", "-x", "120", "-y", "36", f"{command}; echo ended $?; exec sleep 600")

    def call(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), "-f", "/dev/null", "-u", *words]
        return subprocess.run(command, env=self._env, check=True, capture_output=True, text=True).stdout

    def press(self, *keys: str) -> None:
        self.call("send-keys", *keys)

    def until(self, words: str) -> str:
        end = time.monotonic() + 90
        while words not in (screen := self.call("capture-pane", "-p")):
            assert time.monotonic() < end, f"{words!r} did not come:\n{screen}"
            time.sleep(0.05)
        return screen


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.call("kill-server")


def test_the_demo_opens_the_console_and_leaves_nothing_behind(terminal: Terminal, tmp_path: Path) -> None:
    terminal.until("4 online")
    assert list(tmp_path.glob("mezite-demo-*"))
    terminal.press("6")
    terminal.until("node.joined")
    terminal.press("q")
    terminal.until("ended 0")
    assert not list(tmp_path.glob("mezite-demo-*"))
    assert not _processes_about(tmp_path)


def _processes_about(directory: Path) -> list[str]:
    """Daemons whose environment names the demo's directory."""
    found = []
    for environ in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"MEZITE_DATA_DIR={directory}".encode() in environ.read_bytes():
                found.append(environ.parent.name)
        except OSError:
            continue  # it ended meanwhile, or is somebody else's
    return found
