"""A relay in a process of its own, a hub's end of its socket without asyncio, and pairs to give to it."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from daemons.hub.relay import wire
from daemons.hub.relay.door import short
from daemons.hub.relay.wire import Hello, Message, Ready, Take, Taken

PATIENCE_S: Final = 30.0
Kind = TypeVar("Kind", bound=Message)


class HubEnd:
    """One connection to a relay; blocking, with a bound."""

    def __init__(self, path: Path, *, greet: bool = True) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(PATIENCE_S)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            self.socket.connect(short(directory, path.name))
        finally:
            os.close(directory)
        if greet:
            self.say(Hello(wire.PROTOCOL))
            self.ready = self.hear(Ready)

    def say(self, message: Message, descriptors: Sequence[int] = ()) -> None:
        socket.send_fds(self.socket, [wire.encode(message)], list(descriptors))

    def hear(self, kind: type[Kind]) -> Kind:
        message = wire.decode(self.socket.recv(wire.LARGEST))
        assert isinstance(message, kind), message
        return message

    def hears_the_end(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def take(self, pair: Pair, *, client_first: bytes = b"", agent_first: bytes = b"") -> None:
        """Hands the relay's two ends over, and keeps none of them."""
        self.say(Take(pair.id, client_first, agent_first), [pair.to_client.fileno(), pair.to_agent.fileno()])
        pair.to_client.close()
        pair.to_agent.close()
        assert self.hear(Taken) == Taken(pair.id)


@dataclass(slots=True)
class Pair:
    """The client's and the agent's sockets, and the hub's ends of both."""

    id: bytes
    client: socket.socket
    agent: socket.socket
    to_client: socket.socket
    to_agent: socket.socket

    def close(self) -> None:
        for end in (self.client, self.agent, self.to_client, self.to_agent):
            end.close()


def new_pair(listener: socket.socket | None = None) -> Pair:
    """Over TCP on the loopback."""
    client, to_client = connected(listener)
    agent, to_agent = connected(listener)
    return Pair(uuid.uuid4().bytes, client, agent, to_client, to_agent)


def connected(listener: socket.socket | None = None) -> tuple[socket.socket, socket.socket]:
    opened = listener or socket.create_server(("127.0.0.1", 0), backlog=64)
    try:
        near = socket.create_connection(opened.getsockname(), timeout=PATIENCE_S)
        far, _ = opened.accept()
    finally:
        if listener is None:
            opened.close()
    near.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


@dataclass(frozen=True, slots=True)
class RelayProcess:
    process: subprocess.Popen[bytes]
    path: Path

    def hub(self) -> HubEnd:
        return HubEnd(self.path)

    def resident_bytes(self) -> int:
        with open(f"/proc/{self.process.pid}/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def ends(self) -> int:
        """Its exit status, waited for."""
        return self.process.wait(PATIENCE_S)


@contextmanager
def relay_process(
    directory: Path, *arguments: str, limit: tuple[int, int] | None = None
) -> Iterator[RelayProcess]:
    """A relay whose socket is below `directory`; killed when left, unless it has ended."""
    command = [sys.executable, "-P", "-m", "daemons.hub.relay.main", "--directory", str(directory)]
    if limit is not None:
        command = ["prlimit", f"--nofile={limit[0]}:{limit[1]}", *command]
    process = subprocess.Popen([*command, "--name", "relay", *arguments])
    try:
        wait_for_socket(process, directory / "relay.sock")
        yield RelayProcess(process, directory / "relay.sock")
    finally:
        process.kill()
        process.wait(PATIENCE_S)


def wait_for_socket(process: subprocess.Popen[bytes], path: Path) -> None:
    """Until it listens. There is nothing to wait on for that but the thing itself."""
    exit_or_turn = os.pidfd_open(process.pid)
    try:
        while not _listens(path):
            ended, _, _ = select.select([exit_or_turn], [], [], 0.005)
            assert not ended, f"the relay ended with status {process.wait()}"
    finally:
        os.close(exit_or_turn)


def _listens(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        directory = os.open(path.parent, os.O_RDONLY) if path.parent.is_dir() else None
        if directory is None:
            return False
        try:
            probe.connect(short(directory, path.name))
        except OSError:
            return False
        finally:
            os.close(directory)
    return True


def stop(process: RelayProcess, number: signal.Signals) -> None:
    process.process.send_signal(number)
