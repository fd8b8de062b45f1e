"""A whole demo cluster in processes of its own, and people who work in it with the programs they have."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mezite.api.generated.roles_pb2 import PutRolesRequest
from mezite.api.generated.users_pb2 import CreateUserRequest
from mezite.client.hub import Hub
from mezite.client.local import admit
from mezite.client.methods import ROLES_PUT, USERS_CREATE
from tests.support.hub_process import PASSWORD, environment, program

STEP_S: Final = 120
STOP_S: Final = 30


@dataclass(frozen=True, slots=True)
class Demo:
    """What `mezite demo --headless --format json` said, and its process."""

    facts: dict[str, Any]
    process: subprocess.Popen[str]

    @property
    def directory(self) -> Path:
        return Path(self.facts["dir"])

    def add_role(self, text: str) -> None:
        with Hub(admit(self.directory)) as hub:
            hub.call(ROLES_PUT, PutRolesRequest(text=text))

    def add_user(self, name: str, *roles: str) -> None:
        with Hub(admit(self.directory)) as hub:
            hub.call(USERS_CREATE, CreateUserRequest(name=name, roles=roles, password=PASSWORD))


@contextmanager
def running_demo(directory: Path) -> Iterator[Demo]:
    """A demo in `directory`, up when this returns; ended by SIGTERM."""
    directory.mkdir(exist_ok=True)
    with (directory.parent / "demo.log").open("w+") as log:
        process = subprocess.Popen(
            [
                sys.executable,
                "-P",
                "-m",
                "tui.main",
                "demo",
                "--headless",
                "--format=json",
                "--dir",
                directory,
            ],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            log.seek(0)
            assert line, f"the demo did not start: {log.read()[-2000:]}"
            yield Demo(json.loads(line), process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(STOP_S)
            assert process.stdout is not None
            process.stdout.close()


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody logged in, at a shell prompt whose working directory is `files`."""

    home: Path
    files: Path

    @property
    def config(self) -> Path:
        return self.home / "config"

    def run(
        self, *words: str | Path, stdin: bytes | None = None, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        """A program, with no terminal to ask on."""
        return subprocess.run(
            [str(word) for word in words],
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
            env={**self.environment, **(variables or {})},
            cwd=self.files,
            timeout=STEP_S,
            start_new_session=True,
        )

    def done(
        self, *words: str | Path, stdin: bytes | None = None, variables: Mapping[str, str] | None = None
    ) -> str:
        """What a program printed that went well."""
        ended = self.run(*words, stdin=stdin, variables=variables)
        assert ended.returncode == 0, f"{words} ended with {ended.returncode}: {ended.stderr!r}"
        return ended.stdout.decode()

    def msh(self, *words: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
        return self.run(*program("msh"), *words, stdin=stdin)

    @property
    def environment(self) -> dict[str, str]:
        return {**environment(self.home / "mezite"), "HOME": str(self.home)}


def log_in(demo: Demo, place: Path, user: str, password: str) -> Person:
    """Somebody with nothing but a login and `msh config >> config`."""
    person = Person(place / "home", place / "files")
    for directory in (person.home, person.files):
        directory.mkdir()
    facts = demo.facts
    person.done(
        *program("msh"), "login", f"--proxy={facts['web']}", f"--user={user}", f"--ca-pin={facts['ca_pin']}",
        "--password-stdin", stdin=f"{password}\n".encode(),
    )  # fmt: skip
    person.config.write_text(person.done(*program("msh"), "config"))
    return person


def missing(*programs: str) -> str:
    """Why a test cannot run here; empty when it can."""
    absent = [name for name in programs if shutil.which(name) is None]
    return f"needs {', '.join(absent)}" if absent else ""
