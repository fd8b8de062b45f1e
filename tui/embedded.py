"""A hub and agents as child processes of one command: what `mezite up` and `mezite demo` run.

The daemons are started by their own entry points, in their own processes, as on a server; nothing of them is
imported here. They die with this process, however it dies: the kernel sends them SIGTERM when it is gone.
No code of ours runs between fork and exec, for this process has gRPC's threads (see `tui.leash`).
"""

from __future__ import annotations

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
from tui import leash

PATIENCE_S: Final = 60.0
"""For a machine that is busy: a child that ends is noticed at once, whatever this says."""
GRACE_S: Final = 10.0


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

    def ending(self) -> str:
        """How it ended, as far as it has, and the last it said."""
        code = self.process.poll()
        by = f" by {_signal(-code)}" if code is not None and code < 0 else ""
        return f"{self.name} ended{by}: {self.last_words()}"


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
            hub = self.start(
                "hub", [*_module("daemons.hub.main"), "start", "--announce"], settings, stdout=writing
            )
        finally:
            os.close(writing)
        with open(reading, "rb") as lines:
            line = _first_line(lines.fileno(), hub)
        self.announcement = json.loads(line)
        return self.announcement

    def start_agent(self, name: str, settings: Mapping[str, str], token: str) -> None:
        """Starts `mezd`. The token goes by a pipe: an environment can be read as long as its process."""
        reading, writing = os.pipe()
        try:
            with open(writing, "w") as told:
                told.write(f"MEZITE_JOIN_TOKEN={token}\n")
            command = [*_module("daemons.agent.main"), "start", f"--config=/dev/fd/{reading}"]
            self.start(name, command, settings, stdout=subprocess.DEVNULL, passed=reading)
        finally:
            os.close(reading)

    def check(self) -> None:
        """Raises as soon as a child is gone that should be there."""
        for daemon in self.daemons:
            if not daemon.alive():
                raise Unavailable(daemon.ending())

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

    def start(
        self,
        name: str,
        command: list[str],
        settings: Mapping[str, str],
        *,
        stdout: int,
        passed: int | None = None,
    ) -> Daemon:
        """Starts a child under its name; `passed` is a descriptor that it finds under the same number."""
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("MEZITE_")}
        logs = self.directory / "logs"
        logs.mkdir(mode=0o700, exist_ok=True)
        log = logs / f"{name}.log"
        with open(log, "ab", opener=lambda path, flags: os.open(path, flags, 0o600)) as written:
            process = subprocess.Popen(
                [*_leashed(), *command],
                env={**inherited, **settings, "MEZITE_RELAYS_END_WITH": str(os.getpid())},
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=written,
                start_new_session=True,
                pass_fds=() if passed is None else (passed,),
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


def _leashed() -> list[str]:
    # -I -S: it needs nothing installed, and starts in a moment without looking for it.
    return [sys.executable, "-I", "-S", leash.__file__, str(os.getpid())]


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _first_line(descriptor: int, hub: Daemon) -> bytes:
    """The hub's announcement, or why there is none."""
    end, found = time.monotonic() + PATIENCE_S, b""
    while not found.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, end - time.monotonic()))
        piece = os.read(descriptor, 65_536) if ready else b""
        if not piece:
            if ready:
                hub.process.wait(GRACE_S)
            raise Unavailable(f"the hub did not start: {hub.ending() if ready else hub.last_words()}")
        found += piece
    return found
