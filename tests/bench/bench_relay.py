"""What a relay costs: bulk both ways, the way of a keystroke and its echo, memory of two thousand pairs.

    python tests/bench/bench_relay.py [GIGABYTES]

Beside it stand the same two ends connected directly, and with a plain copying loop of Python between them.
All of it shares the cores of one machine: with two, the ends and the relay stand in each other's way.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import select
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from daemons.hub.relay.wire import Cut
from tests.support.relays import connected, new_pair, relay_process

GIGABYTE = 10**9
BYTES = int(float(sys.argv[1]) * GIGABYTE) if len(sys.argv) > 1 else 2 * GIGABYTE
PAIRS = 2_000
ECHOES = 20_000
WARM_UP = 2_000
PIECE = bytes(256 * 1024)


@dataclass(frozen=True, slots=True)
class Way:
    """Two ends, and the process between them, if there is one."""

    name: str
    client: socket.socket
    agent: socket.socket
    pid: int | None

    def cpu_s(self) -> float:
        if self.pid is None:
            return 0.0
        with open(f"/proc/{self.pid}/schedstat") as file:
            return int(file.read().split()[0]) / 1e9


@contextmanager
def direct() -> Iterator[Way]:
    client, agent = connected()
    agent.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    yield Way("direct", client, agent, None)


@contextmanager
def through_a_relay() -> Iterator[Way]:
    with tempfile.TemporaryDirectory() as name, relay_process(Path(name) / "relays") as relay:
        hub, pair = relay.hub(), new_pair()
        hub.take(pair)
        pair.agent.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield Way("relay", pair.client, pair.agent, relay.process.pid)
        hub.say(Cut(pair.id))


@contextmanager
def through_a_plain_copy() -> Iterator[Way]:
    pair = new_pair()
    between = other(copying, pair.to_client, pair.to_agent)
    pair.to_client.close()
    pair.to_agent.close()
    yield Way("plain copy", pair.client, pair.agent, between.pid)
    between.kill()


def copying(client: socket.socket, agent: socket.socket) -> None:
    """The loop that everybody writes first."""
    for end in (client, agent):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    opposite = {client: agent, agent: client}
    while True:
        for end in select.select(list(opposite), [], [])[0]:
            if not (data := end.recv(64 * 1024)):
                return
            opposite[end].sendall(data)


def other(work: object, *arguments: object) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments, daemon=True)  # type: ignore[arg-type] # typeshed wants to know what it calls
    process.start()
    return process


def echo(agent: socket.socket) -> None:
    for _ in range(WARM_UP + ECHOES):
        agent.send(agent.recv(100))


def receive(end: socket.socket) -> None:
    buffer, left = bytearray(1024 * 1024), BYTES
    while left > 0:
        left -= end.recv_into(buffer)
    end.send(b"!")


def send(end: socket.socket) -> None:
    left = BYTES
    while left > 0:
        left -= end.send(PIECE[: min(left, len(PIECE))])


def echoed(way: Way) -> list[float]:
    """Microseconds, sorted."""
    process = other(echo, way.agent)
    times = []
    for _ in range(WARM_UP + ECHOES):
        begun = time.perf_counter()
        way.client.send(b"k" * 40)
        way.client.recv(100)
        times.append((time.perf_counter() - begun) * 1e6)
    process.join()
    return sorted(times[WARM_UP:])


def bulk(way: Way, source: socket.socket, sink: socket.socket) -> tuple[float, float]:
    """MB/s, and seconds of CPU for each GB."""
    used, begun = way.cpu_s(), time.perf_counter()
    process = other(receive, sink)
    send(source)
    source.recv(1)
    took = time.perf_counter() - begun
    process.join()
    return BYTES / took / 1e6, (way.cpu_s() - used) / (BYTES / GIGABYTE)


def main() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    print(f"{BYTES / GIGABYTE:g} GB each way, {ECHOES} keystrokes, {os.cpu_count()} cores for everything")
    print("              up MB/s  CPU s/GB   down MB/s  CPU s/GB   echo p50 µs     p99")
    for kind in (direct, through_a_plain_copy, through_a_relay):
        with kind() as way:
            times = echoed(way)
            up, up_cpu = bulk(way, way.client, way.agent)
            down, down_cpu = bulk(way, way.agent, way.client)
        p50, p99 = statistics.median(times), times[len(times) * 99 // 100]
        print(f"{way.name:12}  {up:7.0f}  {up_cpu:8.2f}   {down:9.0f}  {down_cpu:8.2f}", end="   ")
        print(f"{p50:11.0f}  {p99:6.0f}")
    with tempfile.TemporaryDirectory() as name:
        command = [sys.executable, "-m", "tests.support.many_pairs", name, str(PAIRS)]
        told = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    each_kb, all_mb = told["bytes_per_pair"] / 1024, told["resident_bytes"] / 2**20
    print(f"{PAIRS} pairs: {each_kb:.1f} KB each, {all_mb:.0f} MB in all")


if __name__ == "__main__":
    main()
