"""A real sshd on loopback, and the real ssh that calls it: what conformance is measured against.

sshd has no way to be given a listening socket or to say which port it took, so a port that was free is tried
and, if somebody took it in between, another one.
"""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

SSHD: Final = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin") or ""
SSH: Final = shutil.which("ssh") or ""
SSH_KEYGEN: Final = shutil.which("ssh-keygen") or ""
MISSING: Final = "" if SSHD and SSH and SSH_KEYGEN else "needs OpenSSH's sshd, ssh and ssh-keygen"
CALL_SECONDS: Final = 40
_ATTEMPTS: Final = 10


def me() -> str:
    """The OS user that runs the tests, the one whom an unprivileged sshd can let in."""
    return pwd.getpwuid(os.getuid()).pw_name


class Sshd:
    """A running sshd. `said` is its log so far."""

    def __init__(self, port: int, process: subprocess.Popen[str]) -> None:
        self.port = port
        self._process = process
        self._lines: list[str] = []
        self._listener = threading.Thread(target=self._listen, name="sshd's log")

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def is_up(self) -> bool:
        """Waits until sshd says that it listens, or until it has said its last."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line)
            if line.startswith("Server listening"):
                self._listener.start()
                return True
        self._process.wait()
        return False

    def stop(self) -> None:
        """Ends it; after that `said` is whole."""
        self._process.terminate()
        self._process.wait()
        if self._listener.ident is not None:
            self._listener.join()
        assert self._process.stderr is not None
        self._process.stderr.close()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._lines.append(line)


@dataclass(frozen=True, slots=True)
class Client:
    """Calls one sshd with `options` of ssh_config and none of the user's own configuration."""

    place: Path
    port: int
    options: Mapping[str, str] = field(default_factory=dict)

    def run(
        self, *command: str, login: str = "", flags: Sequence[str] = ()
    ) -> subprocess.CompletedProcess[str]:
        """`ssh flags login@127.0.0.1 command`, never asking anything."""
        given = {
            "BatchMode": "yes",
            "IdentitiesOnly": "yes",
            "IdentityAgent": "none",
            "PasswordAuthentication": "no",
            "GlobalKnownHostsFile": "/dev/null",
            "ConnectTimeout": "20",
            "LogLevel": "VERBOSE",
            **self.options,
        }
        words = [word for name, value in given.items() for word in ("-o", f"{name}={value}")]
        return subprocess.run(
            [SSH, "-F", "none", "-p", str(self.port), *words, *flags, f"{login or me()}@127.0.0.1", *command],
            cwd=self.place,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS,
            check=False,
        )


def keygen(*words: str | Path, place: Path) -> str:
    """What ssh-keygen prints."""
    return subprocess.run(
        [SSH_KEYGEN, *map(str, words)],
        cwd=place,
        capture_output=True,
        text=True,
        check=True,
        timeout=CALL_SECONDS,
    ).stdout


def write_private(path: Path, key: bytes) -> Path:
    """A private key file that OpenSSH accepts: nobody else may read it."""
    path.touch(mode=0o600)
    path.write_bytes(key)
    return path


@contextmanager
def running_sshd(place: Path, *, host_key: Path, settings: Mapping[str, str] | None = None) -> Iterator[Sshd]:
    """An sshd that runs until the block ends. Keys and certificates only; no PAM, no user's own rules."""
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    sshd = _started(place, host_key, settings or {})
    try:
        yield sshd
    finally:
        sshd.stop()


def _started(place: Path, host_key: Path, settings: Mapping[str, str]) -> Sshd:
    for _ in range(_ATTEMPTS):
        sshd = _start(place, host_key, settings)
        if sshd.is_up():
            return sshd
        sshd.stop()
        if "Address already in use" not in sshd.said:
            raise RuntimeError(f"sshd does not start:\n{sshd.said}")
    raise RuntimeError(f"sshd found no free port in {_ATTEMPTS} attempts")


def _start(place: Path, host_key: Path, settings: Mapping[str, str]) -> Sshd:
    port = _free_port()
    lines = {
        "ListenAddress": f"127.0.0.1:{port}",
        "HostKey": str(host_key),
        "PidFile": "none",
        "UsePAM": "no",
        "StrictModes": "no",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "AuthorizedKeysFile": "none",
        "LogLevel": "VERBOSE",
        **settings,
    }
    config = place / f"sshd-{port}.conf"
    config.write_text("".join(f"{name} {value}\n" for name, value in lines.items()))
    process = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", str(config)], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    return Sshd(port, process)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
