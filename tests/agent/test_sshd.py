"""The agent's SSH server under real ssh: programs, terminals, statuses, signals, and the last byte."""

from __future__ import annotations

import asyncio
import hashlib
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mezite.api.tunnel.orders import Told
from tests.support.openssh import MISSING
from tests.support.sshd import Node, node, run

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as served:
        yield served


async def test_a_command_runs_and_its_status_comes_back(served: Node) -> None:
    done = await served.ssh("echo out; echo err >&2; exit 7")
    assert (done.returncode, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


async def test_stdin_arrives_and_ends(served: Node) -> None:
    done = await served.ssh("cat; echo end", stdin=b"some input\n")
    assert (done.returncode, done.stdout) == (0, b"some input\nend\n")


async def test_the_last_byte_of_much_output_arrives_with_the_status(served: Node) -> None:
    done = await served.ssh("head -c 3000000 /dev/zero; printf THE-END; exit 3")
    assert done.returncode == 3
    assert len(done.stdout) == 3_000_007
    assert done.stdout.endswith(b"THE-END")


async def test_much_input_arrives_whole(served: Node) -> None:
    data = bytes(range(256)) * 20_000
    done = await served.ssh("sleep 0.3; sha256sum", stdin=data)
    assert done.stdout.split()[0].decode() == hashlib.sha256(data).hexdigest()


async def test_a_terminal_is_one_and_its_last_byte_arrives(served: Node) -> None:
    done = await served.ssh("tty; stty size; seq 20000; printf THE-END; exit 5", flags=["-tt"])
    assert done.returncode == 5, done
    assert done.stdout.startswith(b"/dev/pts/")
    assert done.stdout.endswith(b"20000\r\nTHE-END")


async def test_what_is_left_running_does_not_hold_a_terminal(served: Node) -> None:
    done = await served.ssh("(trap '' HUP; sleep 30) & echo gone", flags=["-tt"])
    assert done.returncode == 0
    assert b"gone" in done.stdout


async def test_a_signal_is_told_as_one(served: Node) -> None:
    done = await served.ssh("kill -TERM $$")
    assert done.returncode == 255
    [end] = served.tells(Told.SESSION_END)
    assert end["signal"] == "TERM"


async def test_a_session_may_open_as_many_files_as_at_any_login(served: Node) -> None:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    try:
        done = await served.ssh("ulimit -Sn; ulimit -Hn")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert done.stdout.decode().split() == [str(min(1024, before[1])), str(before[1])]


async def test_ctrl_c_interrupts_what_runs_on_a_terminal(served: Node) -> None:
    async with served.talking("trap 'exit 9' INT; echo ready; while :; do sleep 0.1; done", "-tt") as talk:
        await talk.until(b"ready")
        talk.type(b"\x03")
        assert await talk.status() == 9


async def test_a_window_change_arrives_as_one(served: Node) -> None:
    async with served.talking(
        "trap 'stty size; exit 4' WINCH; echo ready; while :; do sleep 0.1; done", "-tt"
    ) as talk:
        await talk.until(b"ready")
        [session] = served.connections[0].sessions
        session.terminal_size_changed(101, 37, 0, 0)
        await talk.until(b"37 101")
        assert await talk.status() == 4


async def test_the_environment_is_taken_by_a_list(served: Node) -> None:
    done = await served.ssh("env", flags=["-o", "SetEnv=LC_TEST=ja LD_PRELOAD=/tmp/x PATH=/evil LANG=C"])
    seen = dict(line.split("=", 1) for line in done.stdout.decode().splitlines() if "=" in line)
    assert seen["LC_TEST"] == "ja"
    assert seen["LANG"] == "C"
    assert "LD_PRELOAD" not in seen
    assert "/evil" not in seen["PATH"]
    assert seen["SSH_CONNECTION"].startswith("192.0.2.7 ")
    assert len(seen["MEZITE_SESSION_ID"]) == 36


async def test_many_sessions_share_one_connection(served: Node, tmp_path: Path) -> None:
    control = ["-o", f"ControlPath={tmp_path}/control"]
    there = f"{served.login}@127.0.0.1"
    # It goes to the background once it is connected.
    assert (await run([*served.ssh_words("-M", "-N", "-f", *control), there], quiet=True)).returncode == 0
    try:
        done = await asyncio.gather(*(served.ssh(f"echo {n}; exit {n}", flags=control) for n in range(8)))
    finally:
        await run([*served.ssh_words("-O", "exit", *control), there])
    assert [(one.returncode, one.stdout) for one in done] == [(n, f"{n}\n".encode()) for n in range(8)]
    assert len(served.connections) == 1
