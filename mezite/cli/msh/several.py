"""`msh ssh env=staging -- COMMAND`: one command on several nodes, each line under its node's name.

Every node has an `ssh` of its own, a bounded number at a time; none has a terminal, so nothing can be asked.
Their output is read as fast as it can be printed: a slow reader slows the commands, and nothing piles up.
"""

from __future__ import annotations

import os
import selectors
import subprocess
import sys
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Final

import click

from mezite.cli.msh.here import logged_in
from mezite.cli.msh.openssh import Destination, arguments, at, checked_login, found, with_code
from mezite.cli.output import show_table
from mezite.plain import plain, width

if TYPE_CHECKING:
    from mezite.client.profile import Profile
    from mezite.client.profiles import Profiles

AT_ONCE: Final = 10
MAX_LINE: Final = 8 * 1024
"""A longer line is shown in pieces."""
_PIECE: Final = 64 * 1024
_OURS: Final = 255


@dataclass(slots=True)
class Run:
    """One node's part: why it did not come to it, or how it ended."""

    node: str
    words: list[str] = field(default_factory=list)
    refusal: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def status(self) -> int:
        if self.process is None or self.process.returncode is None:
            return _OURS
        code = self.process.returncode
        return code if code >= 0 else 128 - code


def run(
    labels: str,
    command: tuple[str, ...],
    login: str | None,
    flags: list[str],
    preferences: tuple[str, ...],
    otp: str | None,
) -> int:
    """Runs it everywhere; 0 when it went well everywhere, else the highest status."""
    from mezite.client.profiles import Profiles

    if not command:
        raise click.UsageError("several nodes need a command: msh ssh LABEL=VALUE -- COMMAND")
    profiles = Profiles()
    profile, _ = logged_in(profiles)
    runs = list(_planned(profiles, profile, labels, command, login, flags, preferences))
    if not runs:
        raise click.UsageError(f"no node you may reach has {labels}; `msh ls` lists them with their labels")
    try:
        Fleet(runs, with_code(otp)).go()
    finally:
        for each in runs:
            _stop(each)
    summary = [{"node": each.node, "status": each.status, "why": each.refusal} for each in runs]
    _print_summary(summary)
    return max(each.status for each in runs)


def _planned(
    profiles: Profiles,
    profile: Profile,
    labels: str,
    command: tuple[str, ...],
    login: str | None,
    flags: list[str],
    preferences: tuple[str, ...],
) -> Iterable[Run]:
    from mezite.client.nodes import visible
    from mezite.errors import MeziteError

    wanted = dict(_pair(part) for part in labels.split(","))
    named = checked_login(login) if login else None
    for node in visible(profile.as_pass(), wanted):
        try:
            where = at(profile, node, named)
        except MeziteError as refused:
            yield Run(node.name, refusal=refused.message)
            continue
        yield Run(node.name, _words(profiles, where, command, flags, preferences))


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key.strip() or not equals:
        raise click.UsageError(f"{text!a} is not LABEL=VALUE")
    return key.strip(), value.strip()


def _words(
    profiles: Profiles,
    where: Destination,
    command: tuple[str, ...],
    flags: list[str],
    preferences: tuple[str, ...],
) -> list[str]:
    given = arguments(profiles, where, ("BatchMode=yes", *preferences))
    return [found("ssh"), *given, *flags, "-l", where.login, "--", where.host, *command]


class Fleet:
    """The processes at work, and the lines that come from them."""

    def __init__(self, runs: list[Run], environment: dict[str, str]) -> None:
        self._waiting = deque(run for run in runs if run.words)
        self._environment = environment
        self._selector = selectors.DefaultSelector()
        self._column = max(width(plain(run.node)) for run in runs)
        self._unfinished: dict[IO[bytes], bytes] = {}
        for run in runs:
            if run.refusal:
                self._show(run.node, run.refusal.encode(), sys.stderr)

    def go(self) -> None:
        with self._selector:
            for _ in range(AT_ONCE):
                self._start_next()
            while self._selector.get_map():
                for key, _ in self._selector.select():
                    run, screen = key.data
                    self._read(key.fileobj, run, screen)  # type: ignore[arg-type]  # only pipes are registered

    def _start_next(self) -> None:
        if not self._waiting:
            return
        run = self._waiting.popleft()
        run.process = subprocess.Popen(
            run.words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self._environment,
            start_new_session=True,
        )
        for pipe, screen in ((run.process.stdout, sys.stdout), (run.process.stderr, sys.stderr)):
            assert pipe is not None
            self._unfinished[pipe] = b""
            self._selector.register(pipe, selectors.EVENT_READ, (run, screen))

    def _read(self, pipe: IO[bytes], run: Run, screen: IO[str]) -> None:
        piece = os.read(pipe.fileno(), _PIECE)
        *lines, rest = (self._unfinished[pipe] + piece).split(b"\n")
        while len(rest) > MAX_LINE:
            lines, rest = [*lines, rest[:MAX_LINE]], rest[MAX_LINE:]
        if not piece and rest:
            lines, rest = [*lines, rest], b""
        for line in lines:
            self._show(run.node, line, screen)
        self._unfinished[pipe] = rest
        if not piece:
            self._over(pipe, run)

    def _over(self, pipe: IO[bytes], run: Run) -> None:
        self._selector.unregister(pipe)
        del self._unfinished[pipe]
        pipe.close()
        assert run.process is not None
        if all(end is None or end.closed for end in (run.process.stdout, run.process.stderr)):
            run.process.wait()
            self._start_next()

    def _show(self, node: str, line: bytes, screen: IO[str]) -> None:
        text = line.decode(errors="replace").rstrip("\r")
        # A terminal is shown what would act on it: lines of several nodes are no session of anybody's.
        shown = plain(text) if screen.isatty() else text
        name = plain(node)
        click.echo(f"{name}{' ' * (self._column - width(name))} | {shown}", file=screen, color=True)


def _stop(run: Run) -> None:
    if run.process is not None and run.process.poll() is None:
        run.process.terminate()
        run.process.wait()


def _print_summary(rows: list[dict[str, object]]) -> None:
    """On stderr, so that a pipe gets the nodes' words alone."""
    from contextlib import redirect_stdout

    click.echo(err=True)
    with redirect_stdout(sys.stderr):
        show_table(rows, (("NODE", "node"), ("EXIT", "status"), ("WHY", "why")))
