"""The first program of every session: it becomes the login user, then the shell. The only place that forks.

Run by path as `python -I -S child.py FD`: it imports the standard library alone and nothing of the project.
FD is a socket: one JSON request comes in, up to its end. Lines go back: `P` and the process id of the
session's leader, or `F` and one line of why there is none. It closes by itself once the shell runs.

Order matters, and each step is here because of what breaks without it:

1. As few files may be open as at any login, until PAM says otherwise: programs that select() break with more,
   and the agent itself may have many.
2. PAM opens its session in this process, never in the agent, whose own login uid it would set.
3. With PAM, what follows happens in a child; this process stays root to close PAM, and ends as the child did.
4. The child enters its cgroup while it still may, so that no process of the session is ever outside.
5. It leads a session of its own, with the terminal, if there is one, as the controlling one.
6. All signals get their default and none is blocked: a daemon's ignored SIGINT would make Ctrl-C do nothing.
7. Groups, then group, then user: the other way round it would no longer be allowed to.
8. The home directory is entered as the user, who may be the only one who can.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import fcntl
import json
import os
import resource
import signal
import socket
import sys
import termios
from collections.abc import Callable
from typing import Any, NoReturn

MAX_REQUEST = 4 * 1024 * 1024
OPEN_FILES = 1024
PAM_TTY, PAM_RHOST = 3, 4
PAM_ESTABLISH_CRED, PAM_DELETE_CRED = 2, 4
PAM_CONV_ERR = 19


class Refused(Exception):
    """One line for the user."""


def main() -> None:
    line = socket.socket(fileno=int(sys.argv[1]))
    line.set_inheritable(False)
    request = json.loads(_read(line))
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, OPEN_FILES), hard))
        if request["pam"]:
            _under_pam(request, line)
        else:
            _become(request, {}, line)
    except Refused as refusal:
        _refuse(line, str(refusal))
    except OSError as error:
        _refuse(line, f"the session cannot start: {error.strerror}")


def _read(line: socket.socket) -> bytes:
    parts = bytearray()
    while part := line.recv(65_536):
        parts += part
        if len(parts) > MAX_REQUEST:
            raise SystemExit(70)
    return bytes(parts)


def _refuse(line: socket.socket, why: str) -> NoReturn:
    line.sendall(f"F{why}\n".encode("utf-8", "replace"))
    os._exit(70)


def _under_pam(request: dict[str, Any], line: socket.socket) -> NoReturn:
    pam = Pam(request["pam"], request["login"], request["tty"], request["client"])
    pam.open()
    child = os.fork()
    if child == 0:
        try:
            _become(request, pam.environment(), line)
        except Refused as refusal:
            _refuse(line, str(refusal))
        except OSError as error:
            _refuse(line, f"the session cannot start: {error.strerror}")
        finally:
            os._exit(70)
    line.close()
    # A terminal that hangs up, or an agent that stops, must not keep the session from being closed.
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT):
        signal.signal(number, signal.SIG_IGN)
    # The pipes of the session end when its processes let go of them, this one not among them.
    nowhere = os.open("/dev/null", os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    _, status = os.waitpid(child, 0)
    pam.close()
    _end_like(status)


def _end_like(status: int) -> NoReturn:
    if os.WIFSIGNALED(status):
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        number = os.WTERMSIG(status)
        if number != signal.SIGKILL:
            signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
    os._exit(os.waitstatus_to_exitcode(status) & 0xFF)


def _become(request: dict[str, Any], added: dict[str, str], line: socket.socket) -> NoReturn:
    if request["cgroup"]:
        with open(os.path.join(request["cgroup"], "cgroup.procs"), "w") as procs:
            procs.write("0")
    os.setsid()
    if request["tty"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    _reset_signals()
    os.umask(0o022)
    if request["switch"]:
        os.initgroups(request["login"], request["gid"])
        os.setgid(request["gid"])
        os.setuid(request["uid"])
    try:
        os.chdir(request["home"])
    except OSError:
        os.chdir("/")
    line.sendall(b"P%d\n" % os.getpid())
    shell = request["shell"]
    try:
        environment = {**request["defaults"], **added, **request["environment"]}
        os.execve(shell, request["arguments"], environment)  # noqa: S606  what this program is for
    except OSError as error:
        raise Refused(f"{shell}: {error.strerror}") from None


def _reset_signals() -> None:
    for number in range(1, signal.NSIG):
        try:
            signal.signal(number, signal.SIG_DFL)
        except (OSError, ValueError):
            continue
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


class _Conversation(ctypes.Structure):
    _fields_ = (("ask", ctypes.c_void_p), ("data", ctypes.c_void_p))


_ASK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p)


class Pam:
    """An account checked and a session opened. Nothing is asked: who it is was proved by certificate."""

    def __init__(self, service: str, login: str, tty: str, client: str) -> None:
        self._library = ctypes.CDLL(ctypes.util.find_library("pam") or "libpam.so.0")
        self._ask = _ASK(lambda *_: PAM_CONV_ERR)
        self._conversation = _Conversation(ctypes.cast(self._ask, ctypes.c_void_p), None)
        self._handle = ctypes.c_void_p()
        self._do(
            "pam_start", service.encode(), login.encode(), ctypes.byref(self._conversation),
            ctypes.byref(self._handle),
        )  # fmt: skip
        for item, value in ((PAM_TTY, tty or "ssh"), (PAM_RHOST, client)):
            self._do("pam_set_item", self._handle, item, value.encode())

    def open(self) -> None:
        self._do("pam_acct_mgmt", self._handle, 0)
        self._do("pam_setcred", self._handle, PAM_ESTABLISH_CRED)
        self._do("pam_open_session", self._handle, 0)

    def environment(self) -> dict[str, str]:
        listed: Callable[..., Any] = self._library.pam_getenvlist
        listed.restype = ctypes.POINTER(ctypes.c_char_p)  # type: ignore[attr-defined]  # a ctypes function's own
        entries = listed(self._handle)
        found: dict[str, str] = {}
        for index in range(1_024):
            if not entries or entries[index] is None:
                break
            name, _, value = os.fsdecode(entries[index]).partition("=")
            found[name] = value
        return found

    def close(self) -> None:
        """What fails here fails too late to matter."""
        self._library.pam_close_session(self._handle, 0)
        self._library.pam_setcred(self._handle, PAM_DELETE_CRED)
        self._library.pam_end(self._handle, 0)

    def _do(self, name: str, *arguments: Any) -> None:
        if getattr(self._library, name)(*arguments) != 0:
            raise Refused(f"this node's login rules (PAM) refuse the session ({name})")


if __name__ == "__main__":
    main()
