"""Processes of sessions, as the agent sees them: started through the helper, waited for, signalled, ended.

The agent forks nothing but the helper, and that by `subprocess`, which runs no Python between fork and exec.
Nothing here waits in a thread: a process's end is an event on its pidfd.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from daemons.agent.accounts import Account
from daemons.agent.cgroups import Cgroup
from mezite.errors import Denied, Unavailable

HELPER: Final = Path(__file__).with_name("child.py")
START_S: Final = 10.0
"""PAM modules may ask a directory far away; a session that waits longer for them is refused."""
MAX_WORD: Final = 4_096
PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
USER_PATH: Final = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, slots=True)
class Order:
    """What is to run. `command` is for the login shell; none is the shell itself, as at a login."""

    account: Account
    command: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    tty: str = ""
    client: str = ""
    cgroup: Cgroup | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a process ended: by itself, or by a signal."""

    status: int = 0
    signal: str = ""

    @property
    def code(self) -> int:
        return self.status if not self.signal else 128 + int(getattr(signal, "SIG" + self.signal, 0))


def pam_service() -> str:
    """The PAM service to open sessions under; none without root, without PAM, or without rules for it."""
    if os.geteuid() != 0 or ctypes.util.find_library("pam") is None:
        return ""
    return next((name for name in ("mezd", "sshd", "login") if Path("/etc/pam.d", name).exists()), "")


def request(order: Order, pam: str) -> dict[str, object]:
    """What the helper reads."""
    account = order.account
    name = os.path.basename(account.shell)
    return {
        "login": account.login,
        "uid": account.uid,
        "gid": account.gid,
        "home": account.home,
        "switch": account.switch,
        "shell": account.shell,
        "arguments": [f"-{name}"] if order.command is None else [name, "-c", order.command],
        "defaults": {"PATH": PATH if account.uid == 0 else USER_PATH},
        "environment": {
            **order.environment,
            "HOME": account.home,
            "USER": account.login,
            "LOGNAME": account.login,
            "SHELL": account.shell,
        },
        "tty": order.tty,
        "client": order.client,
        "cgroup": str(order.cgroup.path) if order.cgroup is not None else "",
        "pam": pam,
    }


class Process:
    """A started one. `ended` is done once it is over and reaped, whether anybody waits or not."""

    def __init__(self, popen: subprocess.Popen[bytes], cgroup: Cgroup | None) -> None:
        self._popen = popen
        self._cgroup = cgroup
        self.leader = popen.pid
        """The session's first process: the helper's child, where the helper stays to close PAM."""
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[Ending] = loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        loop.add_reader(self._pidfd, self._over)

    def signal(self, number: int, *, group: int | None = None) -> None:
        """To a process group; the leader's own when none is named."""
        if not self.ended.done():
            with contextlib.suppress(OSError):
                os.killpg(group or self.leader, number)

    def hang_up(self) -> None:
        """What a terminal's end says; whoever asked to outlive that, as under nohup, does."""
        self.signal(signal.SIGHUP)
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """All of it: the whole tree where there is a cgroup, else the leader's process group."""
        if self._cgroup is None or not self._cgroup.kill():
            self.signal(signal.SIGKILL)
        if not self.ended.done() and self.leader == self._popen.pid:
            self._popen.kill()

    def _over(self) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = self._popen.wait()
        self.ended.set_result(ending(code))
        if self._cgroup is not None:
            self._cgroup.retire()


def ending(code: int) -> Ending:
    """From what `subprocess` calls a return code."""
    if code >= 0:
        return Ending(status=code)
    try:
        return Ending(signal=signal.Signals(-code).name.removeprefix("SIG"))
    except ValueError:
        return Ending(status=128 - code)


async def start(order: Order, stdin: int, stdout: int, stderr: int, *, pam: str) -> Process:
    """Runs it on these descriptors, which stay the caller's to close. Raises what the user is told."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.settimeout(0)
        try:
            popen = subprocess.Popen(  # noqa: ASYNC220  ends with the exec; the process is not waited for
                [sys.executable, "-I", "-S", str(HELPER), str(theirs.fileno())],
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                pass_fds=(theirs.fileno(),),
                env={},
                cwd="/",
            )
        except OSError as error:
            raise Unavailable(f"this node cannot start a session: {error.strerror}") from None
        process = Process(popen, order.cgroup)
        theirs.close()
        try:
            async with asyncio.timeout(START_S):
                said = await _exchange(ours, json.dumps(request(order, pam)).encode())
            process.leader = _leader(said)
        except BaseException as error:
            process.kill()
            if isinstance(error, TimeoutError):
                raise Unavailable("this node took too long to start the session; try again") from None
            raise
    return process


async def _exchange(line: socket.socket, asked: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    said = b""
    with contextlib.suppress(OSError):
        await loop.sock_sendall(line, asked)
        line.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):
        while len(said) < MAX_WORD and (part := await loop.sock_recv(line, MAX_WORD)):
            said += part
    return said


def _leader(said: bytes) -> int:
    lines = said.decode("utf-8", "replace").splitlines()
    refusal = next((line[1:] for line in lines if line.startswith("F")), None)
    if refusal is not None:
        raise Denied(refusal)
    leader = next((line[1:] for line in lines if line.startswith("P") and line[1:].isdecimal()), None)
    if leader is None:
        raise Unavailable("the session ended before it began; the agent's log may say why")
    return int(leader)
