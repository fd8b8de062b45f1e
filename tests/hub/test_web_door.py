"""The door of 3080: whoever holds connections open keeps nobody else out, before TLS and after."""

from __future__ import annotations

import asyncio
import resource
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from fastapi import FastAPI

from daemons.hub.binding import bind, port_of
from daemons.hub.metrics import Metrics
from daemons.hub.server_tls import ServerTls
from daemons.hub.web import server
from daemons.hub.web.door import Limits
from daemons.hub.web.login import Addresses
from mezite.config import Address
from tests.support.desk import Office

PING = b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n"
CROWD = 40
FEW = Limits(connections=12, per_address=8)


@pytest.fixture
def app(office: Office) -> FastAPI:
    where = Addresses(None, ":3025", None, ":3024", ":3080")
    return server.application(office.logins, Metrics(), {}, lambda: where, office.clock.now)


@asynccontextmanager
async def serving(office: Office, app: FastAPI, limits: Limits) -> AsyncIterator[int]:
    tls = ServerTls(office.desk.keyring, "hub_test", office.clock, ["127.0.0.1"])
    with bind("proxy.web_listen_addr", Address("127.0.0.1", 0)) as listener:
        port = port_of(listener)
        async with server.serving(app, listener, tls.context(), limits):
            yield port


def blind() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def line(port: int, *, tls: bool, host: str = "127.0.0.1") -> AsyncIterator[Line]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=blind() if tls else None, local_addr=(host, 0)
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def answers(port: int, host: str = "127.0.0.1") -> bool:
    async with line(port, tls=True, host=host) as (reader, writer):
        writer.write(PING)
        return (await reader.readline()).startswith(b"HTTP/1.1 200")


async def ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


@pytest.mark.parametrize("tls", [False, True], ids=["before TLS", "after TLS"])
async def test_a_crowd_that_says_nothing_keeps_only_itself_out(
    office: Office, app: FastAPI, *, tls: bool
) -> None:
    async with serving(office, app, FEW) as port, AsyncExitStack() as stack:
        crowd = [await stack.enter_async_context(line(port, tls=tls)) for _ in range(CROWD)]
        assert await answers(port, host="127.0.0.2")
        assert await answers(port)
        for reader, _ in crowd[: CROWD - FEW.per_address]:
            assert await ended(reader)


async def test_a_crowd_of_many_addresses_loses_its_oldest(office: Office, app: FastAPI) -> None:
    async with serving(office, app, FEW) as port, AsyncExitStack() as stack:
        for number in range(CROWD):
            await stack.enter_async_context(line(port, tls=False, host=f"127.0.1.{number % 20 + 1}"))
        assert await answers(port, host="127.0.0.2")


async def test_who_does_not_begin_tls_is_dropped(office: Office, app: FastAPI) -> None:
    async with serving(office, app, Limits(handshake_s=0.05)) as port, line(port, tls=False) as (reader, _):
        assert await ended(reader)


async def test_noise_in_place_of_tls_is_dropped(office: Office, app: FastAPI) -> None:
    async with serving(office, app, FEW) as port:
        async with line(port, tls=False) as (reader, writer):
            writer.write(PING)
            await ended(reader)
        assert await answers(port)


async def test_leaving_ends_connections_that_are_open(office: Office, app: FastAPI) -> None:
    async with AsyncExitStack() as stack:
        async with serving(office, app, FEW) as port:
            silent = await stack.enter_async_context(line(port, tls=False))
            idle = await stack.enter_async_context(line(port, tls=True))
        for reader, _ in (silent, idle):
            assert await ended(reader)


async def test_a_failure_to_accept_is_said_and_survived(
    office: Office, app: FastAPI, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("daemons.hub.web.door.ACCEPT_AGAIN_S", 0)
    loop, failed = asyncio.get_running_loop(), False
    accept = loop.sock_accept

    async def first_fails(listener: socket.socket) -> tuple[socket.socket, object]:
        nonlocal failed
        if not failed:
            failed = True
            raise OSError(24, "Too many open files")
        return await accept(listener)

    monkeypatch.setattr(loop, "sock_accept", first_fails)
    async with serving(office, app, FEW) as port:
        assert await answers(port)
    assert "cannot accept: Too many open files" in caplog.text
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize(("files", "connections"), [(1024, 256), (524_288, 1_000)])
def test_the_web_takes_a_part_of_the_descriptors(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _which: (files, files))
    assert Limits.affordable().connections == connections
