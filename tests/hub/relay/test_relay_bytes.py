"""Real bytes through a real relay process: none lost, none added, in both directions at once."""

from __future__ import annotations

import fcntl
import hashlib
import random
import select
import socket
import struct
import termios
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

import pytest

from daemons.hub.relay.pipes import MOST
from daemons.hub.relay.wire import Cut, End, Ended
from tests.support.relays import HubEnd, Pair, RelayProcess, connected, new_pair

MEGABYTE = 1024 * 1024
RESET = struct.pack("ii", 1, 0)


def write_all(end: socket.socket, data: bytes, times: int = 1) -> str:
    digest = hashlib.sha256()
    for _ in range(times):
        end.sendall(data)
        digest.update(data)
    end.shutdown(socket.SHUT_WR)
    return digest.hexdigest()


def read_all(end: socket.socket) -> tuple[int, str]:
    digest, length = hashlib.sha256(), 0
    while data := end.recv(MEGABYTE):
        digest.update(data)
        length += len(data)
    return length, digest.hexdigest()


def fill(end: socket.socket, data: bytes) -> int:
    """Sends until nobody takes any more; how much was taken."""
    end.setblocking(False)
    sent = 0
    while select.select([], [end], [], 0.3)[1]:
        with suppress(BlockingIOError):
            sent += end.send(data)
    end.setblocking(True)
    return sent


def arrived(end: socket.socket) -> None:
    """Until the kernel behind the other end has all that was sent."""
    unacknowledged = b"\x01"
    while any(unacknowledged):
        unacknowledged = fcntl.ioctl(end, termios.TIOCOUTQ, bytes(4))


@pytest.mark.slow
def test_both_ways_at_once_every_byte_arrives_in_its_place(hub: HubEnd, rng: random.Random) -> None:
    pair = new_pair()
    hub.take(pair)
    up, down, times = rng.randbytes(MEGABYTE + 1), rng.randbytes(MEGABYTE - 1), 64
    with ThreadPoolExecutor(4) as threads:
        said: list[Future[str]] = [
            threads.submit(write_all, pair.client, up, times),
            threads.submit(write_all, pair.agent, down, times),
        ]
        heard = [threads.submit(read_all, pair.agent), threads.submit(read_all, pair.client)]
    assert heard[0].result() == (len(up) * times, said[0].result())
    assert heard[1].result() == (len(down) * times, said[1].result())
    assert hub.hear(Ended) == Ended(pair.id, len(up) * times, len(down) * times, End.CLOSED)


def test_what_was_said_before_the_pair_was_joined_comes_first(hub: HubEnd) -> None:
    pair = new_pair()
    pair.client.sendall(b" and later")
    hub.take(pair, client_first=b"early" * 10_000, agent_first=b"SSH-2.0-agent\r\n")
    pair.client.shutdown(socket.SHUT_WR)
    assert read_all(pair.agent)[1] == hashlib.sha256(b"early" * 10_000 + b" and later").hexdigest()
    assert pair.client.recv(100) == b"SSH-2.0-agent\r\n"


def test_small_things_go_to_and_fro(hub: HubEnd) -> None:
    pair = new_pair()
    hub.take(pair)
    for number in range(500):
        pair.client.sendall(b"k%d" % number)
        assert pair.agent.recv(100) == b"k%d" % number
        pair.agent.sendall(b"e%d" % number)
        assert pair.client.recv(100) == b"e%d" % number


def test_one_end_may_fall_silent_and_still_listen(hub: HubEnd, rng: random.Random) -> None:
    pair, answer = new_pair(), rng.randbytes(3 * MEGABYTE)
    hub.take(pair)
    pair.client.sendall(b"the question")
    pair.client.shutdown(socket.SHUT_WR)
    assert read_all(pair.agent)[0] == len(b"the question")
    with ThreadPoolExecutor(1) as threads:
        threads.submit(write_all, pair.agent, answer)
        assert read_all(pair.client) == (len(answer), hashlib.sha256(answer).hexdigest())
    assert hub.hear(Ended) == Ended(pair.id, len(b"the question"), len(answer), End.CLOSED)


def test_whoever_does_not_read_stops_the_other_end_and_nobody_else(
    relay: RelayProcess, hub: HubEnd, rng: random.Random
) -> None:
    stuck, other, data = new_pair(), new_pair(), rng.randbytes(MEGABYTE)
    hub.take(stuck)
    hub.take(other)
    before = relay.resident_bytes()
    sent = fill(stuck.client, data)
    assert sent > MEGABYTE // 4
    assert relay.resident_bytes() - before < 2 * MEGABYTE
    other.client.sendall(b"still here")
    assert other.agent.recv(100) == b"still here"
    stuck.client.shutdown(socket.SHUT_WR)
    assert read_all(stuck.agent)[0] == sent


@pytest.mark.slow
def test_when_there_are_no_more_pipes_the_rest_is_copied(
    relay: RelayProcess, hub: HubEnd, rng: random.Random
) -> None:
    stream = rng.randbytes(16 * MEGABYTE)
    sent: dict[socket.socket, int] = {}
    agents: dict[socket.socket, socket.socket] = {}
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        for _ in range(MOST + 10):
            pair = new_pair(listener)
            pair.agent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
            pair.to_agent.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 32 * 1024)
            hub.take(pair)
            pair.client.settimeout(0)
            sent[pair.client], agents[pair.client] = 0, pair.agent
    while ready := select.select([], list(sent), [], 0.5)[1]:
        for client in ready:
            with suppress(BlockingIOError):
                sent[client] += client.send(stream[sent[client] : sent[client] + MEGABYTE // 4])
    assert relay.descriptors() >= 2 * len(sent) + 2 * MOST, "all pipes are lent"
    for client, length in sent.items():
        client.shutdown(socket.SHUT_WR)
        assert read_all(agents[client]) == (length, hashlib.sha256(stream[:length]).hexdigest())


def test_the_last_bytes_of_an_agent_that_breaks_off_still_arrive(hub: HubEnd, rng: random.Random) -> None:
    pair, last = new_pair(), rng.randbytes(MEGABYTE // 2)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32 * 1024)
    hub.take(pair)
    pair.client.sendall(b"never read")
    assert select.select([pair.agent], [], [], 30)[0]
    pair.agent.sendall(last)
    arrived(pair.agent)
    pair.agent.close()  # With something unread: its kernel says RST.
    pair.client.sendall(b"and more that nobody will read")
    assert read_all(pair.client) == (len(last), hashlib.sha256(last).hexdigest())
    pair.client.close()
    ended = hub.hear(Ended)
    assert (ended.down, ended.end) == (len(last), End.BROKEN)


def test_a_client_that_breaks_off_is_an_end_to_the_agent(hub: HubEnd) -> None:
    pair = new_pair()
    hub.take(pair)
    pair.client.sendall(b"bye")
    assert pair.agent.recv(100) == b"bye"
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    pair.client.close()
    assert pair.agent.recv(100) == b""
    pair.agent.close()
    assert hub.hear(Ended) == Ended(pair.id, 3, 0, End.BROKEN)


def test_a_cut_is_at_once_and_counted(relay: RelayProcess, hub: HubEnd) -> None:
    pair, other = new_pair(), new_pair()
    hub.take(other)
    before = relay.descriptors()
    hub.take(pair)
    pair.client.sendall(b"12345")
    assert pair.agent.recv(100) == b"12345"
    hub.say(Cut(pair.id))
    assert hub.hear(Ended) == Ended(pair.id, 5, 0, End.CUT)
    for end in (pair.client, pair.agent):
        with pytest.raises(ConnectionResetError):
            end.recv(1)
    assert relay.descriptors() == before
    hub.say(Cut(pair.id))
    other.client.sendall(b"untouched")
    assert other.agent.recv(100) == b"untouched"


def test_unix_sockets_are_joined_as_well(hub: HubEnd) -> None:
    client, to_client = socket.socketpair()
    agent, to_agent = connected()
    pair = Pair(bytes(range(16)), client, agent, to_client, to_agent)
    hub.take(pair)
    client.sendall(b"hello")
    assert agent.recv(10) == b"hello"
    agent.sendall(b"x" * MEGABYTE)
    agent.close()
    assert read_all(client)[0] == MEGABYTE
