"""One session on an SSH connection: its channel on one side, its process on the other.

What may follow what is the table of `session`; how bytes flow is for `pumps`, which may pass for a `Sieve`
where files are copied. A refusal is one line on the user's terminal and status 255, as of an ssh that failed
itself. Environment from the client is taken by a list: `LANG`, `LC_*`, and `TERM` with a terminal.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final, Protocol

import asyncssh

from daemons.agent import process
from daemons.agent.accounts import Account
from daemons.agent.cgroups import Cgroup
from daemons.agent.copying import Copy, allows, found_in
from daemons.agent.process import Ending, Order, Process
from daemons.agent.pty import Pty, Size, Wanted
from daemons.agent.pumps import Inflow, Outflow
from daemons.agent.session import Stage, Turn, after
from mezite import ids
from mezite.api.tunnel.orders import Answer, Fact, Told
from mezite.errors import Denied, Invalid, MeziteError
from mezite.model.role import FileCopy
from mezite.rbac.options import Terms

log = logging.getLogger(__name__)

REFUSED_STATUS: Final = 255
HIGH_WATER: Final = 256 * 1024
"""Output the client has not taken; beyond it the program is not read."""
MAX_ENVIRONMENT: Final = 64
MAX_VALUE: Final = 4_096
_ENVIRONMENT: Final = re.compile(rb"LANG|LC_[A-Z]{1,32}")
_TERM: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,63}")
_SIGNALS: Final = frozenset(
    ("ABRT", "ALRM", "FPE", "HUP", "ILL", "INT", "KILL", "PIPE", "QUIT", "SEGV", "TERM", "USR1", "USR2")
)
_SFTP_SERVERS: Final = (
    "/usr/lib/openssh/sftp-server",
    "/usr/libexec/openssh/sftp-server",
    "/usr/lib/ssh/sftp-server",
    "/usr/libexec/sftp-server",
)


class Sieve(Protocol):
    """Sees both directions of a session that copies files, and lets through what may pass."""

    def from_client(self, data: bytes) -> tuple[bytes, bytes]:
        """What goes on to the program, and what the client is answered at once."""
        ...

    def from_program(self, data: bytes) -> bytes: ...

    def over(self, *, ok: bool) -> None:
        """The program has ended."""
        ...


class Host(Protocol):
    """The connection that a session is on."""

    account: Account
    terms: Terms
    client: str
    """`SSH_CONNECTION`, as the login's programs may know it."""
    pam: str

    def start(self, work: Coroutine[Any, Any, object], /, *, name: str) -> asyncio.Task[object]: ...
    async def may_begin(self, session_id: str, what: str) -> Answer: ...
    def cgroup(self, session_id: str) -> Cgroup | None: ...
    def touched(self) -> None:
        """The client did something."""
        ...

    def report(self, kind: Told, session_id: str, **facts: Fact) -> None: ...
    def sieve(self, session_id: str, copy: Copy) -> Sieve | None: ...
    def tap(self, session_id: str, data: bytes) -> None:
        """Every byte of output, before it goes to the network."""
        ...

    def ended(self, session: SessionChannel) -> None: ...


class SessionChannel(asyncssh.SSHServerSession[bytes]):
    def __init__(self, host: Host) -> None:
        self.id = ids.mint_uuid()
        self._host = host
        self._channel: asyncssh.SSHServerChannel[bytes] | None = None
        self._stage = Stage.OPEN
        self._wanted: Wanted | None = None
        self._what = "shell"
        self._command: str | None = None
        self._pty: Pty | None = None
        self._process: Process | None = None
        self._inflow: Inflow | None = None
        self._outflows: list[Outflow] = []
        self._flowing = 0
        self._descriptors: set[int] = set()
        self._early = bytearray()
        self._has_eof = self._is_leaving = False
        self._sieve: Sieve | None = None
        self._came = self._went = 0
        self._why_cut = ""

    # What asyncssh calls.

    def connection_made(self, chan: asyncssh.SSHServerChannel[bytes]) -> None:
        self._channel = chan
        chan.set_write_buffer_limits(HIGH_WATER, HIGH_WATER // 4)

    def pty_requested(
        self, term_type: str, term_size: tuple[int, int, int, int], term_modes: Mapping[int, int]
    ) -> bool:
        self._wanted = Wanted(term_type, Size(*term_size), term_modes)
        return True

    def shell_requested(self) -> bool:
        return self._want("shell", None)

    def exec_requested(self, command: str) -> bool:
        return self._want("exec", command)

    def subsystem_requested(self, subsystem: str) -> bool:
        server = next((path for path in _SFTP_SERVERS if os.access(path, os.X_OK)), None)
        if subsystem != "sftp" or server is None:
            return False
        return self._want("sftp", server)

    def data_received(self, data: bytes, datatype: int | None) -> None:
        self._host.touched()
        self._came += len(data)
        if self._inflow is None:
            # The program is not there yet; a client that goes on regardless is told to wait.
            self._early += data
            self._channel_do(lambda channel: channel.pause_reading())
        else:
            self._in(data)

    def eof_received(self) -> bool:
        self._has_eof = True
        if self._inflow is not None and self._pty is None:
            self._inflow.end()
        # The other direction stays open.
        return True

    def pause_writing(self) -> None:
        for flow in self._outflows:
            flow.pause()

    def resume_writing(self) -> None:
        if self._is_leaving:
            self._leave()
        for flow in self._outflows:
            flow.resume()

    def terminal_size_changed(self, width: int, height: int, pixwidth: int, pixheight: int) -> None:
        self._host.touched()
        size = Size(width, height, pixwidth, pixheight)
        if self._wanted is not None:
            self._wanted = Wanted(self._wanted.term, size, self._wanted.modes)
        if self._pty is not None:
            self._pty.resize(size)

    def signal_received(self, signal: str) -> None:
        self._host.touched()
        if self._process is not None and signal in _SIGNALS:
            group = self._pty.foreground if self._pty is not None else None
            self._process.signal(_number(signal), group=group)

    def break_received(self, msec: int) -> bool:
        if self._pty is None:
            return False
        self._pty.send_break()
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        self._close()

    # What the connection calls.

    def cut(self, message: str) -> None:
        """Ends it with all that runs under it, and says why."""
        if self._stage is Stage.ENDED:
            return
        self._why_cut = message
        self._say(message)
        if self._process is not None:
            self._process.kill()
        self._close()
        self._channel_do(lambda channel: channel.exit(REFUSED_STATUS))

    # Its life.

    def _want(self, what: str, command: str | None) -> bool:
        if self._stage is not Stage.OPEN:
            return False
        self._take(Turn.WANTED)
        self._what, self._command = what, command
        self._host.touched()
        self._host.start(self._begin(), name=f"session {self.id}")
        return True

    async def _begin(self) -> None:
        try:
            copy = self._copy()
            answer = await self._host.may_begin(self.id, self._what)
            if self._is(Stage.ENDED):
                return
            if not answer.allowed:
                raise Denied(answer.message or "the hub does not allow this session")
            self._take(Turn.ALLOWED)
            if copy is not None:
                self._sieve = self._host.sieve(self.id, copy)
            await self._launch()
        except MeziteError as error:
            self._refuse(error.message)
        except OSError as error:
            self._refuse(f"this node cannot start a session: {error.strerror}")

    def _copy(self) -> Copy | None:
        """What it copies; `Denied`, and told of, when that is not allowed. Files go through no terminal."""
        copy = found_in(self._command) if self._command is not None else None
        if copy is None:
            return None
        why = _refusal(copy, self._host.terms.file_copy)
        if why is not None:
            facts = {"tool": str(copy.tool), "path": copy.path, "direction": str(copy.direction or "")}
            self._host.report(Told.FILE, self.id, bytes=0, ok=False, reason=why, **facts)
            raise Denied(why)
        return copy

    async def _launch(self) -> None:
        theirs = self._open()
        try:
            order = Order(
                account=self._host.account,
                command=self._command,
                environment=self._environment(),
                tty=self._pty.path if self._pty is not None else "",
                client=self._host.client.partition(" ")[0],
                cgroup=self._host.cgroup(self.id),
            )
            started = await process.start(order, *theirs, pam=self._host.pam)
        finally:
            for descriptor in {*theirs} - {self._pty.slave if self._pty is not None else -1}:
                os.close(descriptor)
            if self._pty is not None:
                self._pty.release_slave()
            if self._is(Stage.ENDED):
                self._let_go()
        self._process = started
        if self._is(Stage.ENDED):
            started.kill()
            return
        self._take(Turn.STARTED)
        if self._command is not None and self._what == "exec":
            self._host.report(Told.EXEC, self.id, command=self._command)
        self._flow()
        started.ended.add_done_callback(lambda ended: self._exited(ended.result()))

    def _open(self) -> tuple[int, int, int]:
        """The program's descriptors; ours are kept."""
        if self._wanted is not None:
            self._pty = Pty(self._wanted, self._host.account)
            return (self._pty.slave,) * 3
        (stdin, to_program), (out, stdout), (err, stderr) = (os.pipe2(os.O_CLOEXEC) for _ in range(3))
        self._descriptors = {to_program, out, err}
        self._ends = (to_program, out, err)
        return stdin, stdout, stderr

    def _flow(self) -> None:
        if self._pty is not None:
            self._outflows = [Outflow(self._pty.master, self._out, self._flowed)]
            stdin = self._pty.master
        else:
            stdin, out, err = self._ends
            self._outflows = [Outflow(out, self._out, self._flowed), Outflow(err, self._err, self._flowed)]
        self._flowing = len(self._outflows)
        self._inflow = Inflow(
            stdin,
            wait=lambda: self._channel_do(lambda channel: channel.pause_reading()),
            go=lambda: self._channel_do(lambda channel: channel.resume_reading()),
            drained=lambda: self._shut(stdin),
        )
        if self._early:
            self._in(bytes(self._early))
            self._early.clear()
        self._channel_do(lambda channel: channel.resume_reading())
        if self._has_eof and self._pty is None:
            self._inflow.end()

    def _in(self, data: bytes) -> None:
        assert self._inflow is not None, "called once there is one"
        if self._sieve is not None:
            try:
                data, answer = self._sieve.from_client(data)
            except Invalid as error:
                self.cut(error.message)
                return
            if answer:
                self._channel_do(lambda channel: channel.write(answer))
        if data:
            self._inflow.write(data)

    def _out(self, data: bytes) -> None:
        if self._sieve is not None:
            try:
                data = self._sieve.from_program(data)
            except Invalid as error:
                self.cut(error.message)
                return
        self._going(data)
        self._channel_do(lambda channel: channel.write(data))

    def _err(self, data: bytes) -> None:
        self._going(data)
        self._channel_do(lambda channel: channel.write(data, asyncssh.EXTENDED_DATA_STDERR))

    def _going(self, data: bytes) -> None:
        self._host.tap(self.id, data)
        self._went += len(data)
        if self._pty is None:
            self._host.touched()

    def _flowed(self) -> None:
        self._flowing -= 1
        self._end_if_drained()

    def _exited(self, ending: Ending) -> None:
        if self._is(Stage.ENDED):
            return
        self._take(Turn.EXITED)
        if self._pty is not None:
            # A program left running in the background may hold the terminal; nobody waits for it.
            self._outflows[0].finish()
        self._end_if_drained()

    def _end_if_drained(self) -> None:
        if self._stage is Stage.DRAINING and self._flowing == 0:
            self._is_leaving = True
            # Every byte is gone before the status goes: some clients take that for the end.
            self._channel_do(lambda channel: channel.set_write_buffer_limits(0, 0))
            if self._channel is None or not self._channel.get_write_buffer_size():
                self._leave()

    def _leave(self) -> None:
        if self._stage is not Stage.DRAINING:
            return
        assert self._process is not None, "only what was started drains"
        ending = self._process.ended.result()
        self._take(Turn.DRAINED)
        if ending.signal in _SIGNALS:
            self._channel_do(lambda channel: channel.exit_with_signal(ending.signal))
        else:
            self._channel_do(lambda channel: channel.exit(ending.code))
        self._settle()

    def _refuse(self, message: str) -> None:
        if self._is(Stage.ENDED):
            return
        self._take(Turn.REFUSED)
        self._say(message)
        self._channel_do(lambda channel: channel.exit(REFUSED_STATUS))
        self._settle()

    def _close(self) -> None:
        if self._stage is Stage.ENDED:
            return
        was = self._stage
        self._take(Turn.CLOSED)
        if self._process is not None:
            self._process.hang_up()
        if was is not Stage.STARTING:
            # A start under way still holds the descriptors, and lets go of them itself.
            self._let_go()
        self._settle(cut=True)

    def _settle(self, *, cut: bool = False) -> None:
        """The end, once: what it came to is told."""
        self._let_go()
        ended = self._process.ended if self._process is not None else None
        ending = ended.result() if ended is not None and ended.done() else None
        if self._sieve is not None:
            self._sieve.over(ok=ending is not None and ending == Ending())
        if self._process is not None or cut:
            self._host.report(
                Told.SESSION_END,
                self.id,
                what=self._what,
                exit_status=ending.status if ending is not None else -1,
                signal=ending.signal if ending is not None else "",
                bytes_in=self._came,
                bytes_out=self._went,
                **_reason(self._why_cut),
            )
        self._host.ended(self)

    def _let_go(self) -> None:
        for flow in self._outflows:
            flow.stop()
        if self._inflow is not None:
            self._inflow.stop()
        for descriptor in list(self._descriptors):
            self._shut(descriptor)
        if self._pty is not None:
            self._pty.close()

    def _shut(self, descriptor: int) -> None:
        if descriptor in self._descriptors:
            self._descriptors.discard(descriptor)
            os.close(descriptor)

    def _say(self, message: str) -> None:
        if self._wanted is not None:
            self._channel_do(lambda channel: channel.write(f"\r\nmezite: {message}\r\n".encode()))
        else:
            line = f"mezite: {message}\n".encode()
            self._channel_do(lambda channel: channel.write(line, asyncssh.EXTENDED_DATA_STDERR))

    def _environment(self) -> dict[str, str]:
        assert self._channel is not None, "what has begun has its channel"
        allowed = {
            os.fsdecode(name): os.fsdecode(value)
            for name, value in list(self._channel.get_environment_bytes().items())[:MAX_ENVIRONMENT]
            if _ENVIRONMENT.fullmatch(name) and len(value) <= MAX_VALUE and b"\0" not in value
        }
        ours = {"SSH_CONNECTION": self._host.client, "MEZITE_SESSION_ID": self.id}
        if self._wanted is not None and self._pty is not None:
            term = self._wanted.term if _TERM.fullmatch(self._wanted.term) else "dumb"
            ours |= {"TERM": term, "SSH_TTY": self._pty.path}
        return {**allowed, **ours}

    def _channel_do(self, act: Callable[[asyncssh.SSHServerChannel[bytes]], object]) -> None:
        """On the channel, unless the client has closed it: then its end is already on its way to us."""
        if self._channel is not None:
            with contextlib.suppress(OSError):
                act(self._channel)

    def _take(self, turn: Turn) -> None:
        self._stage = after(self._stage, turn)

    def _is(self, stage: Stage) -> bool:
        return self._stage is stage


def _reason(why_cut: str) -> dict[str, str]:
    return {"reason": why_cut} if why_cut else {}


def _refusal(copy: Copy, rule: FileCopy) -> str | None:
    if copy.direction is None:
        # Which way its files go is judged one by one.
        return "copying files is not allowed here" if rule is FileCopy.NONE else None
    if not allows(rule, copy.direction):
        return f"{copy.tool}: to {copy.direction} files is not allowed here"
    return None


def _number(name: str) -> int:
    return int(signal.Signals["SIG" + name])
