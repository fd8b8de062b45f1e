"""A hub and its relays: real processes, which outlive it or not, as asked."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import select
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

import pytest

from daemons.hub.proxy import carrier, relays
from daemons.hub.proxy.carrier import LOST
from daemons.hub.proxy.relays import Leaving, Relays, RelaySettings, process_to_end_with
from daemons.hub.relay.wire import End
from mezite.errors import SettingsError, Unavailable
from tests.support.relays import Pair, new_pair, relay_process

PATIENCE_S = 30.0
MEGABYTE = 1024 * 1024


class Ending(NamedTuple):
    connection: str
    up: int
    down: int
    why: str


class Endings:
    """What the pool's callback heard. While `out_of_order` it refuses to hear."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[Ending] = asyncio.Queue()
        self.out_of_order = False

    async def told(self, connection_id: str, up: int, down: int, why: str) -> None:
        if self.out_of_order:
            raise Unavailable("the database cannot be reached")
        self.heard.put_nowait(Ending(connection_id, up, down, why))

    async def next(self) -> Ending:
        async with asyncio.timeout(PATIENCE_S):
            return await self.heard.get()


@pytest.fixture
def endings() -> Endings:
    return Endings()


@pytest.fixture
def settings(tmp_path: Path) -> RelaySettings:
    return RelaySettings(tmp_path / "relays", count=2, leaving=Leaving.END, idle_s=30)


@asynccontextmanager
async def serving(settings: RelaySettings, endings: Endings) -> AsyncIterator[Relays]:
    async with relays.relays(settings, endings.told) as pool:
        yield pool


async def taken(pool: Relays, pair: Pair, client_first: bytes = b"", agent_first: bytes = b"") -> str:
    """As the proxy does it; the connection's id."""
    connection_id = str(UUID(bytes=pair.id))
    try:
        await pool.take(connection_id, pair.to_client, pair.to_agent, client_first, agent_first)
    finally:
        pair.to_client.close()
        pair.to_agent.close()
    return connection_id


def answers(pair: Pair) -> bool:
    pair.client.sendall(b"are you there?")
    return pair.agent.recv(100) == b"are you there?"


def is_gone(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], PATIENCE_S)[0])
    finally:
        os.close(descriptor)


def other_hub(directory: str, connection_id: str, *descriptors: int) -> subprocess.Popen[bytes]:
    """In a process of its own."""
    command = [sys.executable, "-m", "tests.support.relay_hub", directory, connection_id]
    return subprocess.Popen([*command, *map(str, descriptors)], pass_fds=descriptors, stdout=subprocess.PIPE)


def environment(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


async def test_pairs_are_joined_counted_and_told_of_at_their_end(
    settings: RelaySettings, endings: Endings
) -> None:
    async with serving(settings, endings) as pool:
        pair = new_pair()
        connection_id = await taken(pool, pair, b"SSH-2.0-client\r\n", b"SSH-2.0-agent\r\n")
        assert pool.pairs() == {connection_id}
        assert pair.agent.recv(100) == b"SSH-2.0-client\r\n"
        assert pair.client.recv(100) == b"SSH-2.0-agent\r\n"
        pair.client.close()
        pair.agent.close()
        assert await endings.next() == Ending(connection_id, 16, 15, End.CLOSED.words)
        assert not pool.pairs()


async def test_the_least_loaded_relay_takes_the_next(settings: RelaySettings, endings: Endings) -> None:
    async with serving(settings, endings) as pool:
        pairs = [new_pair() for _ in range(6)]
        for pair in pairs:
            await taken(pool, pair)
        os.kill(pool.pids[0], signal.SIGKILL)
        assert {(await endings.next()).why for _ in range(3)} == {LOST}
        assert len(pool.pairs()) == 3


async def test_many_at_once_are_all_taken(settings: RelaySettings, endings: Endings) -> None:
    async with serving(settings, endings) as pool:
        pairs = [new_pair() for _ in range(100)]
        async with asyncio.TaskGroup() as group:
            for pair in pairs:
                group.create_task(taken(pool, pair, bytes(50_000)))
        assert len(pool.pairs()) == 100
        for pair in pairs:
            pair.close()
        assert {(await endings.next()).up for _ in pairs} == {50_000}


async def test_when_a_cut_returns_nothing_moves_any_more(settings: RelaySettings, endings: Endings) -> None:
    async with serving(settings, endings) as pool:
        pair, other = new_pair(), new_pair()
        await taken(pool, other)
        connection_id = await taken(pool, pair)
        assert answers(pair)
        await pool.cut(connection_id)
        with pytest.raises(ConnectionResetError):
            pair.client.recv(1)
        assert await endings.next() == Ending(connection_id, 14, 0, End.CUT.words)
        await pool.cut(connection_id)
        assert answers(other)


async def test_a_relay_that_dies_is_replaced_and_its_pairs_are_told_lost(
    settings: RelaySettings, endings: Endings
) -> None:
    settings = replace(settings, count=1)
    async with serving(settings, endings) as pool:
        pair = new_pair()
        connection_id = await taken(pool, pair)
        (pid,) = pool.pids
        os.kill(pid, signal.SIGKILL)
        assert await endings.next() == Ending(connection_id, 0, 0, LOST)
        assert pair.client.recv(1) == b""
        another = new_pair()
        await taken(pool, another)
        assert answers(another)
        assert len(list(settings.directory.glob("*.sock"))) == 1


@pytest.mark.slow
async def test_a_hub_is_killed_while_bytes_flow_and_the_next_adopts_the_pair(
    settings: RelaySettings, endings: Endings, rng: random.Random
) -> None:
    pair, piece, pieces = new_pair(), rng.randbytes(MEGABYTE), 64
    connection_id = str(UUID(bytes=pair.id))
    descriptors = [pair.to_client.fileno(), pair.to_agent.fileno()]
    hub = other_hub(str(settings.directory), connection_id, *descriptors)
    pair.to_client.close()
    pair.to_agent.close()
    assert hub.stdout is not None
    assert hub.stdout.readline() == b"taken\n"

    def says() -> str:
        digest = hashlib.sha256()
        for number in range(pieces):
            if number == pieces // 4:
                hub.kill()
                hub.wait()
            pair.agent.sendall(piece)
            digest.update(piece)
        return digest.hexdigest()

    def hears() -> str:
        digest, left = hashlib.sha256(), pieces * MEGABYTE
        while left:
            data = pair.client.recv(MEGABYTE)
            assert data
            digest.update(data)
            left -= len(data)
        return digest.hexdigest()

    with ThreadPoolExecutor(2) as threads:
        said, heard = threads.submit(says), threads.submit(hears)
        assert await asyncio.wrap_future(heard) == await asyncio.wrap_future(said)
    async with serving(settings, endings) as pool:
        assert pool.pairs() == {connection_id}
        assert answers(pair)
        pair.client.close()
        pair.agent.close()
        assert await endings.next() == Ending(connection_id, 14, pieces * MEGABYTE, End.CLOSED.words)


async def test_what_ended_while_no_hub_was_there_is_told_to_the_next(
    settings: RelaySettings, endings: Endings
) -> None:
    settings = replace(settings, leaving=Leaving.STAY)
    ends, stays = new_pair(), new_pair()
    async with serving(settings, endings) as pool:
        ending, staying = await taken(pool, ends), await taken(pool, stays)
        pids = pool.pids
    ends.client.sendall(b"last")
    ends.client.close()
    assert ends.agent.recv(10) == b"last"
    ends.agent.close()
    async with serving(replace(settings, leaving=Leaving.END), endings) as pool:
        assert set(pool.pids) == set(pids), "those that ran were adopted"
        assert await endings.next() == Ending(ending, 4, 0, End.CLOSED.words)
        assert pool.pairs() == {staying}
        assert answers(stays)
    assert await endings.next() == Ending(staying, 14, 0, End.STOPPED.words)


async def test_an_end_that_was_not_taken_note_of_is_told_again(
    settings: RelaySettings, endings: Endings
) -> None:
    pair, endings.out_of_order = new_pair(), True
    async with serving(replace(settings, leaving=Leaving.STAY), endings) as pool:
        connection_id = await taken(pool, pair)
        await pool.cut(connection_id)
    assert endings.heard.empty()
    endings.out_of_order = False
    async with serving(settings, endings):
        assert await endings.next() == Ending(connection_id, 0, 0, End.CUT.words)


async def test_an_orderly_stop_drains(settings: RelaySettings, endings: Endings) -> None:
    settings, pair = replace(settings, leaving=Leaving.DRAIN), new_pair()
    async with serving(settings, endings) as pool:
        connection_id = await taken(pool, pair)
        first, second = pool.pids
    assert answers(pair)
    async with serving(replace(settings, leaving=Leaving.END), endings) as pool:
        assert pool.pairs() == {connection_id}
        assert len({first, second} & set(pool.pids)) == 1, "the one without pairs has ended"
        pair.close()
        assert (await endings.next()).connection == connection_id
    assert is_gone(first)
    assert is_gone(second)


async def test_a_relay_of_the_service_manager_is_adopted_at_any_time_and_outlasts_the_hub(
    settings: RelaySettings, endings: Endings
) -> None:
    settings = replace(settings, count=1, leaving=Leaving.DRAIN)
    with relay_process(settings.directory) as managed:
        async with serving(settings, endings) as pool:
            assert pool.pids == (managed.process.pid,)
        assert not managed.hub().ready.draining
    async with serving(settings, endings) as pool:
        (own,), pair = pool.pids, new_pair()
        await taken(pool, pair)
        with relay_process(settings.directory) as managed:
            os.kill(own, signal.SIGKILL)
            assert (await endings.next()).why == LOST
            await taken(pool, new_pair())
            assert pool.pids == (managed.process.pid,)


async def test_relays_of_another_release_keep_their_pairs_and_get_no_others(
    settings: RelaySettings, endings: Endings
) -> None:
    old, late = new_pair(), new_pair()
    async with serving(replace(settings, release="0.0.9", leaving=Leaving.STAY), endings) as pool:
        await taken(pool, old)
        pids = pool.pids
    async with serving(settings, endings) as pool:
        await taken(pool, late)
        assert answers(old)
        assert answers(late)
        old.close()
        await endings.next()
        assert all(map(is_gone, pids))
        assert answers(late)


async def test_relays_end_with_the_process_that_started_it_all(
    settings: RelaySettings, endings: Endings
) -> None:
    process = await asyncio.create_subprocess_exec("cat", stdin=subprocess.PIPE)
    environment = {"MEZITE_RELAYS_END_WITH": str(process.pid)}
    lasting = replace(settings, end_with=process_to_end_with(environment), leaving=Leaving.STAY)
    async with serving(lasting, endings) as pool:
        pids = pool.pids
    process.kill()
    await process.wait()
    assert all(map(is_gone, pids))


@pytest.mark.parametrize("text", ["-1", "one", "1 2", "\u0661", "9" * 5_000])
def test_the_process_to_end_with_is_a_number(text: str) -> None:
    assert process_to_end_with({}) is None
    with pytest.raises(SettingsError, match=r"MEZITE_RELAYS_END_WITH: .* is no process id"):
        process_to_end_with({"MEZITE_RELAYS_END_WITH": text})


async def test_a_relay_that_does_not_answer_is_given_nothing_more(
    settings: RelaySettings, endings: Endings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(carrier, "ANSWER_S", 0.2)
    async with serving(replace(settings, count=1), endings) as pool:
        (pid,), pair, another = pool.pids, new_pair(), new_pair()
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(Unavailable):
                await taken(pool, pair)
            await taken(pool, another)
            assert answers(another)
        finally:
            os.kill(pid, signal.SIGCONT)
        # Its caller was told that it failed, so it does not come about after all.
        with pytest.raises(ConnectionResetError):
            await asyncio.to_thread(pair.client.recv, 1)


@pytest.mark.parametrize("is_known_to_hang", [False, True])
async def test_a_relay_that_ignores_a_cut_is_killed_and_replaced(
    settings: RelaySettings, endings: Endings, monkeypatch: pytest.MonkeyPatch, *, is_known_to_hang: bool
) -> None:
    monkeypatch.setattr(carrier, "ANSWER_S", 0.3)
    monkeypatch.setattr(carrier, "ASK_AGAIN_S", 0)
    async with serving(replace(settings, count=1), endings) as pool:
        pair, refused, another = new_pair(), new_pair(), new_pair()
        connection_id, (pid,) = await taken(pool, pair), pool.pids
        os.kill(pid, signal.SIGSTOP)
        if is_known_to_hang:
            with pytest.raises(Unavailable):
                await taken(pool, refused)
        await pool.cut(connection_id)
        assert is_gone(pid)
        assert pair.client.recv(1) == b""
        assert await endings.next() == Ending(connection_id, 0, 0, LOST)
        await taken(pool, another)
        assert answers(another)


async def test_whoever_gives_up_waiting_gets_no_pair(settings: RelaySettings, endings: Endings) -> None:
    async with serving(replace(settings, count=1), endings) as pool:
        (pid,), pair = pool.pids, new_pair()
        os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.1):
                    await taken(pool, pair)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert (await endings.next()).why == End.CUT.words
        assert not pool.pairs()


async def test_without_a_relay_the_answer_is_one_clear_line(
    settings: RelaySettings, endings: Endings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relays, "REPLACED_S", 0.0)
    async with serving(replace(settings, count=0), endings) as pool:
        with pytest.raises(Unavailable, match="no relay has room for the connection; try again"):
            await taken(pool, new_pair())


async def test_a_relay_that_cannot_start_is_said_so(
    settings: RelaySettings, endings: Endings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(BaseExceptionGroup) as failure:
        async with serving(settings, endings):
            pass
    assert failure.group_contains(Unavailable, match=r"not every relay could be started; see .*relays\.log")


async def test_their_environment_and_log_tell_nothing(
    settings: RelaySettings, endings: Endings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEZITE_AUTH_CA_KEY_PASSPHRASE", "correct horse")
    async with serving(settings, endings) as pool:
        for pid in pool.pids:
            assert b"correct horse" not in environment(pid)
    assert settings.directory.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in settings.directory.iterdir()} == {0o600}
    assert (settings.directory / "relays.log").read_text() == ""


async def test_nobody_answers_behind_what_a_dead_relay_left(
    settings: RelaySettings, endings: Endings
) -> None:
    settings.directory.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as leftover:
        leftover.bind(str(settings.directory / "dead.sock"))
    (settings.directory / "dead.lock").touch()
    async with serving(settings, endings) as pool:
        assert len(pool.pids) == 2
        assert not (settings.directory / "dead.sock").exists()
        assert not (settings.directory / "dead.lock").exists()
