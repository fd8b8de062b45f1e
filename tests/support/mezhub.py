"""`mezhub` as an operator has it: a process, settings, a data directory. To be killed and started again."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from mezite.client import local
from mezite.client.contact import Contact, meet, parse_proxy
from mezite.client.hub import Hub
from mezite.client.login import Password, log_in
from mezite.client.profile import Profile
from mezite.clock import SystemClock

PATIENCE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Serving:
    """A hub that has announced itself."""

    process: subprocess.Popen[str]
    facts: dict[str, Any]
    data_dir: Path

    def as_local(self) -> Hub:
        return Hub(local.admit(self.data_dir))

    @property
    def contact(self) -> Contact:
        return meet(parse_proxy(self.facts["web"]), None, pins=(self.facts["ca_pin"],), consent=_no)

    def log_in(self, name: str, password: str, ttl: timedelta | None = None) -> Profile:
        return log_in(self.contact, Password(name, password), ttl, SystemClock().now())

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE_S)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(PATIENCE_S)


@dataclass(frozen=True, slots=True)
class Mezhub:
    """A directory with settings and data; every start of it is the same hub."""

    directory: Path

    @property
    def data_dir(self) -> Path:
        return self.directory / "data"

    @property
    def log(self) -> str:
        return (self.directory / "hub.log").read_text()

    @property
    def config(self) -> Path:
        return self.directory / "mezite.yaml"

    def configure(self, **proxy: str) -> None:
        self.directory.mkdir(exist_ok=True)
        addresses = dict.fromkeys(("ssh_listen_addr", "tunnel_listen_addr", "web_listen_addr"), "127.0.0.1:0")
        settings = {
            "cluster_name": "test",
            "data_dir": str(self.data_dir),
            "auth": {"listen_addr": "127.0.0.1:0"},
            "proxy": addresses | proxy,
        }
        self.config.write_text(json.dumps(settings))

    @contextmanager
    def serving(self, failpoint: str = "") -> Iterator[Serving]:
        """A started hub; whatever is left of it at the end is killed."""
        process = self.launch(failpoint)
        try:
            line = first_line(process)
            assert line, f"the hub did not start: {self.log[-2_000:]}"
            yield Serving(process, json.loads(line), self.data_dir)
        finally:
            end(process)

    def dies(self, failpoint: str) -> int:
        """Starts it until it has announced itself or died, and ends it; how it ended."""
        process = self.launch(failpoint)
        try:
            first_line(process)
        finally:
            end(process)
        return process.returncode

    def launch(self, failpoint: str = "") -> subprocess.Popen[str]:
        if not self.config.exists():
            self.configure()
        with (self.directory / "hub.log").open("a") as log:
            return subprocess.Popen(
                [*self.command(failpoint), "--announce"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment(),
            )

    def command(self, failpoint: str = "") -> list[str]:
        options = ["-X", f"mezite-failpoint={failpoint}"] if failpoint else []
        start = ["-m", "daemons.hub.main", "start", "--config", str(self.config)]
        return [sys.executable, "-P", "-X", "faulthandler", *options, *start]

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One verb to its end."""
        if not self.config.exists():
            self.configure()
        verb, *rest = arguments
        return subprocess.run(
            [sys.executable, "-P", "-m", "daemons.hub.main", verb, "--config", str(self.config), *rest],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            env=environment(),
            check=False,
        )


def environment() -> dict[str, str]:
    """Of an operator who has set nothing; `-P` keeps the working directory off the path, so it is named."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MEZITE_")}
    # Nothing of a hub that is killed stays behind longer than the tests.
    stays_no_longer = {"MEZITE_RELAYS_END_WITH": str(os.getpid())}
    return {**kept, **stays_no_longer, "PYTHONPATH": str(Path(__file__).parents[2])}


def first_line(process: subprocess.Popen[str]) -> str:
    """What it announces; empty when it died before."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], PATIENCE_S)
    assert ready, "the hub neither starts nor ends"
    return process.stdout.readline()


def end(process: subprocess.Popen[str]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait(PATIENCE_S)
    if process.stdout is not None:
        process.stdout.close()


def _no(_cluster: str, _pins: tuple[str, ...]) -> bool:
    return False
