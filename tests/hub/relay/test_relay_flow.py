"""One direction, in this process, where the kernel can be made to refuse."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress

import pytest

from daemons.hub.relay.flow import COPY_BYTES, TURN_BYTES, Flow
from daemons.hub.relay.pipes import Pipes
from daemons.hub.relay.states import Flowing
from tests.support.relays import connected

SPLICE = os.splice


class Bench:
    """A flow between two TCP connections, whose far ends the test holds."""

    def __init__(self, pipes: Pipes) -> None:
        self.speaker, source = connected()
        sink, self.listener = connected()
        source.settimeout(0)
        sink.settimeout(0)
        self.flow = Flow(source, sink, pipes, memoryview(bytearray(COPY_BYTES)), b"")

    def carries(self, data: bytes) -> bool:
        """Whether all of it arrives, pumped as often as needed."""
        self.speaker.settimeout(0)
        self.listener.settimeout(0)
        said, heard = 0, bytearray()
        while len(heard) < len(data):
            with suppress(BlockingIOError):
                said += self.speaker.send(data[said:])
            self.flow.pump()
            with suppress(BlockingIOError):
                heard += self.listener.recv(TURN_BYTES)
        return bytes(heard) == data


def refusing(number: int, *, into_pipe: bool) -> Callable[..., int]:
    def splice(source: int, target: int, count: int, *, flags: int) -> int:
        is_into_pipe = os.readlink(f"/proc/self/fd/{target}").startswith("pipe:")
        if is_into_pipe is into_pipe:
            raise OSError(number, os.strerror(number))
        return SPLICE(source, target, count, flags=flags)

    return splice


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.EPERM])
@pytest.mark.parametrize("into_pipe", [True, False], ids=["in", "out"])
def test_where_splicing_is_refused_the_bytes_are_copied(
    monkeypatch: pytest.MonkeyPatch, number: int, into_pipe: bool
) -> None:
    pipes = Pipes()
    bench = Bench(pipes)
    monkeypatch.setattr(os, "splice", refusing(number, into_pipe=into_pipe))
    data = os.urandom(3 * 1024 * 1024)
    assert bench.carries(data)
    assert bench.flow.moved == len(data)
    assert pipes.take() is None, "it is not tried again"
    assert pipes.lent == 0


def test_without_descriptors_for_pipes_the_bytes_are_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_flags: int) -> tuple[int, int]:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(os, "pipe2", refused)
    assert Bench(Pipes()).carries(os.urandom(1024 * 1024))


def test_pipes_are_lent_only_while_bytes_move() -> None:
    pipes = Pipes()
    bench = Bench(pipes)
    assert bench.carries(bytes(3 * 1024 * 1024))
    bench.flow.pump()
    assert pipes.lent == 0


def test_a_pipe_with_bytes_in_it_is_lent_to_nobody_else() -> None:
    pipes = Pipes(most=1)
    pipe = pipes.take()
    assert pipe is not None
    os.write(pipe.writer, b"somebody's")
    pipe.held = 10
    pipes.give_back(pipe)
    another = pipes.take()
    assert another is not None
    with pytest.raises(BlockingIOError):
        os.read(another.reader, 1)
    assert pipes.take() is None


def test_a_flow_lets_the_others_have_their_turn() -> None:
    bench = Bench(Pipes())
    bench.speaker.settimeout(0)
    bench.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * TURN_BYTES)
    turns = 0
    for _ in range(200):
        with suppress(BlockingIOError):
            bench.speaker.send(bytes(TURN_BYTES))
        before = bench.flow.moved
        turns += bench.flow.pump()
        assert bench.flow.moved - before < 2 * TURN_BYTES
        with suppress(BlockingIOError):
            bench.listener.recv(8 * TURN_BYTES)
    assert turns > 0


def test_a_lost_sink_lets_the_source_finish_and_throws_it_away() -> None:
    bench = Bench(Pipes())
    states = []
    bench.flow.sink_lost()
    bench.speaker.sendall(b"nobody hears this")
    for _ in range(2):
        assert not bench.flow.pump()
        states.append(bench.flow.state)
        bench.speaker.close()
    assert states == [Flowing.DISCARDING, Flowing.OVER]
    assert bench.flow.moved == 0
