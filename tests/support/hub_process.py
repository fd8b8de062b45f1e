"""A real hub in a process of its own, as an operator starts it, and programs run against it in this one."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import click
import pytest

from mezite.exits import run

ADMIN: Final = "admin"
PASSWORD: Final = "correct horse battery"
START_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class RunningHub:
    """Where it answers. `first_admin_token` has not been used."""

    web: str
    auth: str
    ca_pin: str
    data_dir: Path
    first_admin_token: str
    process: subprocess.Popen[str]


@contextmanager
def running_hub(directory: Path) -> Iterator[RunningHub]:
    """A hub on free ports with its data below `directory`; ended by SIGTERM."""
    config = directory / "mezite.yaml"
    data_dir = directory / "data"
    config.write_text(
        json.dumps(
            {
                "cluster_name": "production",
                "data_dir": str(data_dir),
                "auth": {"listen_addr": "127.0.0.1:0"},
                "proxy": dict.fromkeys(
                    ("ssh_listen_addr", "web_listen_addr", "tunnel_listen_addr"), "127.0.0.1:0"
                ),
            }
        )
    )
    command = [sys.executable, "-m", "daemons.hub.main", "start", "--config", str(config), "--announce"]
    with (directory / "hub.log").open("w") as log:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            assert line, f"the hub did not start: {(directory / 'hub.log').read_text()[-2000:]}"
            said = json.loads(line)
            yield RunningHub(
                web=said["web"],
                auth=said["auth"],
                ca_pin=said["ca_pin"],
                data_dir=data_dir,
                first_admin_token=said["first_admin_token"],
                process=process,
            )
        finally:
            process.terminate()
            process.wait(START_S)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a program ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Prompt:
    """Runs `msh` and `mezctl` in this process, as the console scripts do, with a home of its own."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
    ) -> None:
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        self.home = home
        monkeypatch.setenv("MEZITE_HOME", str(home))

    def msh(self, *arguments: str, stdin: str = "") -> Outcome:
        from mezite.cli.msh.verbs import msh

        return self.run(msh, "msh", arguments, stdin)

    def mezctl(self, *arguments: str, stdin: str = "") -> Outcome:
        from mezite.cli.mezctl.main import mezctl

        return self.run(mezctl, "mezctl", arguments, stdin)

    def run(self, program: click.Command, name: str, arguments: tuple[str, ...], stdin: str = "") -> Outcome:
        self._capsys.readouterr()
        self._monkeypatch.setattr(sys, "argv", [name, *arguments])
        self._monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin.encode())))
        with pytest.raises(SystemExit) as end:
            run(program, name)
        captured = self._capsys.readouterr()
        assert isinstance(end.value.code, int)
        return Outcome(end.value.code, captured.out, captured.err)


def program(name: str) -> list[str]:
    """The start of a command line that runs `msh` or `mezctl` in a process of its own."""
    return [sys.executable, "-c", f"from mezite.cli.{name}.main import main; main()"]


def environment(home: Path) -> dict[str, str]:
    """For programs that are started for real."""
    return {**os.environ, "MEZITE_HOME": str(home)}
