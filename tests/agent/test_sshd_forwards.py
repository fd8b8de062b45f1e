"""Forwards through the agent with real ssh: -L, -R and -D, each asked of the hub, refused without its yes."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mezite.api.tunnel.orders import Ask, Asked
from tests.support.openssh import MISSING
from tests.support.sshd import Node, alice, dev, node, rights

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as served:
        served.standing = lambda: rights(alice(), dev(port_forwarding=True))
        yield served


@asynccontextmanager
async def echo() -> AsyncIterator[int]:
    """A server that gives back what it gets, until the end of it."""

    async def give_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(give_back, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def through(port: int, data: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(data)
    writer.write_eof()
    got = await reader.read()
    writer.close()
    return got


async def closed_at_once(port: int) -> bool:
    try:
        return await through(port, b"x") == b""
    except ConnectionResetError:
        return True


def stdio(host: str, port: int) -> list[str]:
    """`ssh -W`, which opens the very channel that -L does, without a port that could be taken."""
    return ["-W", f"{host}:{port}"]


async def test_direct_reaches_there_and_back(served: Node) -> None:
    data = bytes(range(256)) * 2_000
    async with echo() as port:
        done = await served.ssh(flags=stdio("127.0.0.1", port), stdin=data)
    assert done.stdout == data
    [ask] = served.asked
    assert (ask.kind, ask.what, ask.host, ask.address, ask.port) == (
        Asked.FORWARD,
        "direct",
        "127.0.0.1",
        "127.0.0.1",
        port,
    )


async def test_a_name_is_judged_with_the_address_that_is_dialled(served: Node) -> None:
    async with echo() as port:
        done = await served.ssh(flags=stdio("localhost", port), stdin=b"x")
    assert done.stdout == b"x"
    assert {ask.host for ask in served.asked} == {"localhost"}
    assert served.asked[-1].address == "127.0.0.1"


async def test_the_hubs_no_is_administratively_prohibited(served: Node) -> None:
    served.decide = lambda _ask: "no role of yours reaches there"
    async with echo() as port:
        done = await served.ssh(flags=stdio("127.0.0.1", port), stdin=b"x")
    assert done.returncode != 0
    assert done.stdout == b""
    assert b"administratively prohibited: no role of yours reaches there" in done.stderr


async def test_no_name_is_resolved_without_a_yes(served: Node) -> None:
    served.decide = lambda _ask: "no role of yours reaches there"
    done = await served.ssh(flags=stdio("no-such-name.invalid", 22), stdin=b"x")
    assert b"administratively prohibited" in done.stderr
    [ask] = served.asked
    assert (ask.host, ask.address) == ("no-such-name.invalid", "")


async def test_a_name_too_long_for_a_question_is_not_asked_for(served: Node) -> None:
    # ssh itself sends no such name; others may.
    async with served.talking("echo ready; cat") as talk:
        await talk.until(b"ready")
        answer = await served.connections[0].may_forward("direct", "a" * 1_025, "", 22)
    assert (answer.allowed, answer.message) == (False, "the name is too long")
    assert [ask.kind for ask in served.asked] == [Asked.SESSION]


async def test_no_line_to_the_hub_is_a_no(served: Node) -> None:
    served.around.questions.line_is(None)
    async with echo() as port:
        done = await served.ssh(flags=stdio("127.0.0.1", port), stdin=b"x")
    assert b"administratively prohibited" in done.stderr


async def test_the_rights_at_hand_must_allow_it_too(served: Node) -> None:
    served.standing = lambda: rights(alice(), dev())
    async with echo() as port:
        done = await served.ssh(flags=stdio("127.0.0.1", port), stdin=b"x")
    assert b"administratively prohibited" in done.stderr


async def test_nobody_there_is_told_as_such(served: Node) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    done = await served.ssh(flags=stdio("127.0.0.1", port), stdin=b"x")
    assert b"connect failed" in done.stderr


async def test_remote_listens_on_loopback_whatever_was_asked(served: Node) -> None:
    async with echo() as port:
        flags = ["-N", "-v", "-R", f"0.0.0.0:0:127.0.0.1:{port}"]
        async with served.talking("", *flags) as talk:
            said = await talk.until(b" for remote forward to ")
            there = int(said.partition(b"Allocated port ")[2].split()[0])
            assert await through(there, b"back and forth") == b"back and forth"
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.2", there), timeout=1).close()
    assert {(ask.what, ask.address) for ask in served.asked} == {("remote", "127.0.0.1")}


async def test_remote_without_a_yes_is_refused(served: Node) -> None:
    def decide(ask: Ask) -> str | None:
        return "no" if ask.kind is Asked.FORWARD else None

    served.decide = decide
    done = await served.ssh("true", flags=["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"])
    assert done.returncode == 255
    assert b"remote port forwarding failed" in done.stderr


async def test_each_connection_to_a_listener_is_asked_for(served: Node) -> None:
    async with echo() as port, served.talking("", "-N", "-v", "-R", f"0:127.0.0.1:{port}") as talk:
        said = await talk.until(b" for remote forward to ")
        there = int(said.partition(b"Allocated port ")[2].split()[0])
        served.decide = lambda _ask: "no role of yours forwards ports"
        assert await closed_at_once(there)
        served.around.questions.line_is(None)
        assert await closed_at_once(there)
    assert len(served.asked) == 2


async def test_listeners_go_with_the_right_to_have_them(served: Node) -> None:
    async with echo() as port, served.talking("", "-N", "-v", "-R", f"0:127.0.0.1:{port}") as talk:
        said = await talk.until(b" for remote forward to ")
        there = int(said.partition(b"Allocated port ")[2].split()[0])
        served.connections[0].update(rights(alice(), dev(), revision=2))
        with pytest.raises(ConnectionRefusedError):
            await through(there, b"x")


async def test_unix_sockets_are_prohibited(served: Node, tmp_path: Path) -> None:
    listening = await asyncio.start_unix_server(lambda _reader, writer: writer.close(), tmp_path / "socket")
    async with listening:
        local = tmp_path / "local"
        async with served.talking("echo ready; cat", "-L", f"{local}:{tmp_path}/socket") as talk:
            await talk.until(b"ready")
            reader, writer = await asyncio.open_unix_connection(local)
            assert await reader.read() == b""
            writer.close()
            await talk.until(b"administratively prohibited: this node forwards no unix sockets")
    assert [ask.host for ask in served.asked if ask.what == "unix"] == [f"{tmp_path}/socket"]


async def test_no_unix_socket_listens(served: Node, tmp_path: Path) -> None:
    flags = ["-o", "ExitOnForwardFailure=yes", "-R", f"{tmp_path}/far:127.0.0.1:1"]
    done = await served.ssh("true", flags=flags)
    assert done.returncode == 255
    assert not (tmp_path / "far").exists()
    assert [ask.host for ask in served.asked if ask.what == "unix"] == [f"{tmp_path}/far"]


async def test_an_agent_is_not_forwarded(served: Node) -> None:
    done = await served.ssh("echo agent=$SSH_AUTH_SOCK display=$DISPLAY", flags=["-A", "-X"])
    assert b"agent= display=\n" in done.stdout


async def test_a_cut_takes_the_listeners_along(served: Node) -> None:
    async with echo() as port:
        async with served.talking("", "-N", "-v", "-R", f"0:127.0.0.1:{port}") as talk:
            said = await talk.until(b" for remote forward to ")
            there = int(said.partition(b"Allocated port ")[2].split()[0])
            served.connections[0].cut("locked")
            assert await talk.status() == 255
            with pytest.raises(ConnectionRefusedError):
                await through(there, b"x")
