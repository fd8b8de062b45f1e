"""A hub and agents as child processes of one command: what `mezite up` and `mezite demo` run.

The daemons are started by their own entry points, in their own processes, as on a server; nothing of them is
imported here. They die with this process, however it dies: the kernel sends them SIGTERM when it is gone.
"""

from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mezite.errors import Unavailable

PATIENCE_S: Final = 20.0
GRACE_S: Final = 10.0
_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Daemon:
    """One child process and the file its log goes to."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def alive(self) -> bool:
        return self.process.poll() is None

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return lines[-1] if lines else "it said nothing"


class Cluster:
    """The running children. The hub's own announcement says where it answers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.daemons: list[Daemon] = []
        self.announcement: dict[str, Any] = {}

    def start_hub(self, settings: Mapping[str, str]) -> dict[str, Any]:
        """Starts `mezhub` and waits until it answers; what it announced."""
        reading, writing = os.pipe()
        try:
            hub = self._start(
                "hub", [*_module("daemons.hub.main"), "start", "--announce"], settings, stdout=writing
            )
        finally:
            os.close(writing)
        with open(reading, "rb") as lines:
            line = _first_line(lines.fileno(), hub)
        self.announcement = json.loads(line)
        return self.announcement

    def start_agent(self, name: str, settings: Mapping[str, str]) -> None:
        self._start(name, [*_module("daemons.agent.main"), "start"], settings, stdout=subprocess.DEVNULL)

    def check(self) -> None:
        """Raises as soon as a child is gone that should be there."""
        for daemon in self.daemons:
            if not daemon.alive():
                raise Unavailable(f"{daemon.name} ended: {daemon.last_words()}")

    def stop(self) -> None:
        """Agents first, then the hub, each with a grace; what does not heed is killed."""
        for daemon in reversed(self.daemons):
            if daemon.alive():
                daemon.process.send_signal(signal.SIGTERM)
        end = time.monotonic() + GRACE_S
        for daemon in reversed(self.daemons):
            try:
                daemon.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                daemon.process.kill()
                daemon.process.wait()

    def _start(self, name: str, command: list[str], settings: Mapping[str, str], *, stdout: int) -> Daemon:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MEZITE_")}
        logs = self.directory / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        log = logs / f"{name}.log"
        with log.open("ab") as written:
            process = subprocess.Popen(
                command,
                env={**inherited, **settings, "MEZITE_RELAYS_END_WITH": str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=written,
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )
        daemon = Daemon(name, process, log)
        self.daemons.append(daemon)
        return daemon


@contextmanager
def cluster(directory: Path) -> Iterator[Cluster]:
    """An empty cluster in `directory`; whatever was started in it is stopped at the end."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    running = Cluster(directory)
    try:
        yield running
    finally:
        running.stop()


def _module(name: str) -> list[str]:
    # -P: a folder called `daemons` in the working directory must not be taken for ours.
    return [sys.executable, "-P", "-m", name]


def _die_with(parent: int) -> Any:
    libc = ctypes.CDLL(None, use_errno=True)

    def arrange() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os.kill(os.getpid(), signal.SIGTERM)

    return arrange


def _first_line(descriptor: int, hub: Daemon) -> bytes:
    """The hub's announcement, or why there is none."""
    end, found = time.monotonic() + PATIENCE_S, b""
    while not found.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        piece = os.read(descriptor, 65_536) if ready else b""
        if not piece:
            if ready:
                hub.process.wait(GRACE_S)
            raise Unavailable(f"the hub did not start: {hub.last_words()}")
        found += piece
    return found
