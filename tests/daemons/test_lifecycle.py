"""The story of a process, told by real ones: what they print is the order of events, signals are real."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from daemons.lifecycle import crew

PRELUDE = """
import asyncio, os, signal, sys
from contextlib import asynccontextmanager
from datetime import timedelta
from daemons import lifecycle
from mezite.errors import Conflict, SettingsError

def say(word): print(word, flush=True)

def hurry(seconds): return timedelta(seconds=seconds)
"""


@contextmanager
def process(program: str, **environ: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", PRELUDE + textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | environ,
    ) as child:
        try:
            yield child
        finally:
            child.kill()


def line(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().rstrip()


def rest(child: subprocess.Popen[str]) -> tuple[list[str], list[str]]:
    out, err = child.communicate()
    return out.splitlines(), err.splitlines()


ORDERLY = """
@asynccontextmanager
async def part(name):
    say(name + " in")
    yield
    say(name + " out")

@asynccontextmanager
async def service():
    async with part("store"), part("ports"):
        say("serving")
        yield

sys.exit(lifecycle.run(service))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stop_leaves_everything_in_the_reverse_order(number: signal.Signals) -> None:
    with process(ORDERLY) as child:
        assert [line(child.stdout) for _ in range(3)] == ["store in", "ports in", "serving"]
        child.send_signal(number)
        out, err = rest(child)
    assert out == ["ports out", "store out"]
    assert err == []
    assert child.returncode == 0


def test_an_interrupt_that_was_inherited_as_ignored_still_stops() -> None:
    program = "signal.signal(signal.SIGINT, signal.SIG_IGN)\nsignal.signal(signal.SIGQUIT, signal.SIG_IGN)\n"
    checked = ORDERLY.replace(
        'say("serving")', 'say(signal.getsignal(signal.SIGQUIT).name)\n        say("serving")'
    )
    with process(program + checked) as child:
        assert [line(child.stdout) for _ in range(4)][2:] == ["SIG_DFL", "serving"]
        child.send_signal(signal.SIGINT)
        assert rest(child)[0] == ["ports out", "store out"]
    assert child.returncode == 0


def test_as_many_files_may_be_open_as_the_administrator_allows() -> None:
    program = """
import resource
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
"""
    limits = 'say(resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard))\n        say("serving")'
    with process(program + ORDERLY.replace('say("serving")', limits)) as child:
        assert [line(child.stdout) for _ in range(4)][2:] == ["True", "serving"]
        child.send_signal(signal.SIGTERM)
        rest(child)


def test_a_hangup_that_was_asked_to_be_ignored_is() -> None:
    with process("signal.signal(signal.SIGHUP, signal.SIG_IGN)\n" + ORDERLY) as child:
        assert [line(child.stdout) for _ in range(3)][2] == "serving"
        child.send_signal(signal.SIGHUP)
        child.send_signal(signal.SIGTERM)
        rest(child)
    assert child.returncode == 0


SLOW_DRAIN = """
@asynccontextmanager
async def service():
    try:
        say("serving")
        yield
        say("draining")
        await asyncio.Event().wait()
    finally:
        say("closed")

sys.exit(lifecycle.run(service, grace=hurry({grace})))
"""


def test_a_second_signal_cuts_the_drain_short() -> None:
    with process(SLOW_DRAIN.format(grace=3600)) as child:
        assert line(child.stdout) == "serving"
        child.send_signal(signal.SIGTERM)
        assert line(child.stdout) == "draining"
        child.send_signal(signal.SIGTERM)
        out, err = rest(child)
    assert out == ["closed"]
    assert err == ["stopping at once: asked again"]
    assert child.returncode == 1


def test_a_drain_that_outlasts_its_grace_is_cut_short() -> None:
    with process(SLOW_DRAIN.format(grace=0.01)) as child:
        assert line(child.stdout) == "serving"
        child.send_signal(signal.SIGTERM)
        out, err = rest(child)
    assert out == ["draining", "closed"]
    assert err == ["stopping at once: not drained after 0.01 s"]
    assert child.returncode == 1


def test_what_heeds_nothing_is_left_behind_with_its_stacks_printed() -> None:
    program = """
    @asynccontextmanager
    async def service():
        say("serving")
        yield
        import threading
        threading.Event().wait()

    sys.exit(lifecycle.run(service, grace=hurry(0.01), last_word=hurry(0.01)))
    """
    with process(program) as child:
        assert line(child.stdout) == "serving"
        child.send_signal(signal.SIGTERM)
        _, err = rest(child)
    assert child.returncode == 1
    assert any("in service" in text for text in err)


def test_a_stop_while_starting_abandons_the_start() -> None:
    program = """
    @asynccontextmanager
    async def service():
        try:
            say("binding")
            await asyncio.Event().wait()
            yield
        finally:
            say("closed")

    sys.exit(lifecycle.run(service))
    """
    with process(program) as child:
        assert line(child.stdout) == "binding"
        child.send_signal(signal.SIGTERM)
        assert rest(child) == (["closed"], [])
    assert child.returncode == 0


FAILING = """
@asynccontextmanager
async def service():
    try:
        {before}
        async with lifecycle.crew() as start:
            {inside}
            yield
    finally:
        say("closed")

sys.exit(lifecycle.run(service))
"""

FAIL_LATER = """
            async def fail():
                raise {error}
            start(fail(), name="worker")
"""


@pytest.mark.parametrize(
    ("error", "status", "told"),
    [
        ('Conflict("/data is in use; stop the other hub")', 1, ["/data is in use; stop the other hub"]),
        ('SettingsError(["a: wrong", "b: wrong"])', 2, ["a: wrong", "b: wrong"]),
        ('OSError(98, "Address already in use", "127.0.0.1:1")', 1, ["[Errno 98] Address already in use"]),
    ],
)
@pytest.mark.parametrize("when", ["before", "inside"])
def test_a_failure_ends_the_process_with_its_line(
    when: str, error: str, status: int, told: list[str]
) -> None:
    parts = {"before": "pass", "inside": "pass"} | {when: f"raise {error}"}
    with process(FAILING.format(**parts)) as child:
        out, err = rest(child)
    assert out == ["closed"]
    assert [text.split(": '")[0] for text in err] == told
    assert child.returncode == status


def test_a_task_that_fails_ends_the_process() -> None:
    inside = FAIL_LATER.format(error='Conflict("the disk is full")')
    with process(FAILING.format(before="pass", inside=inside)) as child:
        assert rest(child) == (["closed"], ["the disk is full"])
    assert child.returncode == 1


def test_a_fault_of_ours_is_told_with_its_traceback() -> None:
    inside = FAIL_LATER.format(error='ZeroDivisionError("secret text")')
    with process(FAILING.format(before="pass", inside=inside)) as child:
        out, err = rest(child)
    assert out == ["closed"]
    assert err[0] == "ended by a fault of ours: ZeroDivisionError"
    assert child.returncode == 1


@pytest.mark.parametrize("abstract", [False, True])
def test_the_service_manager_hears_ready_and_stopping(tmp_path: Path, abstract: bool) -> None:
    # A path of a Unix socket has room for 107 bytes; pytest's can be longer.
    name = f"@mezite-{os.getpid()}" if abstract else os.path.relpath(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.settimeout(20)
        manager.bind("\0" + name[1:] if abstract else name)
        program = ORDERLY.replace('say("serving")', 'say(os.environ.get("NOTIFY_SOCKET", "taken away"))')
        with process(program, NOTIFY_SOCKET=name) as child:
            assert manager.recv(100) == b"READY=1"
            child.send_signal(signal.SIGTERM)
            assert manager.recv(100) == b"STOPPING=1"
            out, err = rest(child)
    assert "taken away" in out
    assert err == []
    assert child.returncode == 0


def test_a_service_manager_that_is_gone_stops_nothing(tmp_path: Path) -> None:
    with process(ORDERLY, NOTIFY_SOCKET=str(tmp_path / "absent")) as child:
        assert [line(child.stdout) for _ in range(3)][2] == "serving"
        child.send_signal(signal.SIGTERM)
        _, err = rest(child)
    assert child.returncode == 0
    assert err[0] == "the service manager does not hear READY=1: No such file or directory"


async def test_leaving_a_crew_cancels_its_tasks_and_waits_for_them() -> None:
    at_work, put_away = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        try:
            at_work.set()
            await asyncio.Event().wait()
        finally:
            put_away.set()

    async with crew() as start:
        task = start(work(), name="worker")
        assert task.get_name() == "worker"
        await at_work.wait()
    assert put_away.is_set()
    assert task.cancelled()


async def test_a_failing_task_leaves_the_crew_and_stops_the_others() -> None:
    stopped = asyncio.Event()

    async def wait() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()

    async def fail() -> None:
        raise LookupError("gone")

    async def body() -> None:
        async with crew() as start:
            start(wait(), name="waiter")
            start(fail(), name="failing")
            await asyncio.Event().wait()

    with pytest.raises(ExceptionGroup) as failure:
        await body()
    assert [type(error) for error in failure.value.exceptions] == [LookupError]
    assert stopped.is_set()


async def test_a_crew_does_not_keep_what_has_ended() -> None:
    async def end() -> str:
        return "done"

    async with crew() as start:
        assert await start(end(), name="short") == "done"
