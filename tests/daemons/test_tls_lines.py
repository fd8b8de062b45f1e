"""TLS on memory BIOs, both ends on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from daemons import tls_lines
from daemons.tls_lines import Raw, TlsLine, client_context, load_pair, narrow, new_inbox
from mezite.ca import keys, tls_authority, tls_certs
from mezite.ca.keys import Seal
from mezite.ca.tls_authority import TlsAuthority
from mezite.errors import NotLoggedIn, Unavailable
from mezite.model.identity import Identity, IdentityKind

NAME = tls_certs.hub_name("production")


def authority() -> TlsAuthority:
    seal = Seal.from_key(bytes(32))
    now = datetime.now(UTC)
    return tls_authority.open_authority(
        tls_authority.new_authority(id="ca", cluster="production", now=now, seal=seal), seal
    )


@dataclass
class Pki:
    ca: TlsAuthority

    @property
    def authorities(self) -> bytes:
        return tls_authority.to_pem(self.ca.certificate)

    def pair(self, kind: IdentityKind, *, ago: timedelta = timedelta()) -> tuple[bytes, bytes]:
        key, now = keys.new_leaf_key(), datetime.now(UTC) - ago
        who = Identity(kind, "id", "web-1", 7, now, now + timedelta(hours=1))
        issue = tls_certs.issue_server if kind is IdentityKind.HUB else tls_certs.issue_client
        certificate = issue(self.ca, who, public_key=key.public_key(), cluster="production")
        return keys.private_pem(key), tls_authority.to_pem(certificate)

    def server(self) -> ssl.SSLContext:
        context = narrow(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(cadata=self.authorities.decode())
        load_pair(context, *self.pair(IdentityKind.HUB))
        return context

    def client(self, kind: IdentityKind | None = None, **more: timedelta) -> ssl.SSLContext:
        return client_context(self.authorities, *(self.pair(kind, **more) if kind else ()))


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki(authority())


@asynccontextmanager
async def listening(context: ssl.SSLContext) -> AsyncIterator[tuple[int, asyncio.Queue[TlsLine]]]:
    """A port, and the server's ends of what connects to it."""
    accepted: asyncio.Queue[TlsLine] = asyncio.Queue()
    inbox = new_inbox()
    server = await asyncio.get_running_loop().create_server(
        lambda: TlsLine(context, inbox, accepted=accepted.put_nowait), "127.0.0.1", 0
    )
    try:
        yield server.sockets[0].getsockname()[1], accepted
    finally:
        server.close()


async def dial(port: int, context: ssl.SSLContext, name: str = NAME) -> TlsLine:
    _, line = await asyncio.get_running_loop().create_connection(
        lambda: TlsLine(context, new_inbox(), server_name=name), "127.0.0.1", port
    )
    return line


@asynccontextmanager
async def both_ends(pki: Pki, client: ssl.SSLContext | None = None) -> AsyncIterator[tuple[TlsLine, TlsLine]]:
    async with listening(pki.server()) as (port, accepted):
        near = await dial(port, client or pki.client())
        far = await accepted.get()
        await asyncio.gather(near.handshake(), far.handshake())
        yield near, far
        near.abort()
        far.abort()


async def read_all(line: TlsLine) -> bytes:
    parts = []
    while part := await line.read():
        parts.append(part)
    return b"".join(parts)


async def shaken_and_read(line: TlsLine) -> bytes:
    await line.handshake()
    return await read_all(line)


async def test_what_one_end_writes_the_other_reads_until_it_closes(pki: Pki) -> None:
    async with both_ends(pki) as (near, far):
        near.write(b"question")
        assert await far.read() == b"question"
        far.write(b"ans")
        far.write(b"wer")
        far.close()
        assert await read_all(near) == b"answer"
        assert near.is_over
        assert await near.read() == b"", "an end stays an end"


async def test_the_last_byte_of_much_arrives_whoever_is_slow(pki: Pki) -> None:
    data = bytes(range(256)) * 800
    async with both_ends(pki) as (near, far):
        near.write(data)
        near.close()
        await asyncio.sleep(0)
        assert await read_all(far) == data


async def test_a_peer_that_is_not_read_is_paused_and_loses_nothing(pki: Pki) -> None:
    chunk = b"x" * 50_000
    async with both_ends(pki) as (near, far):

        async def send() -> None:
            for _ in range(40):
                near.write(chunk)
                await asyncio.sleep(0.001)
            near.close()

        # The kernel's buffers take the rest, so that the writer is not cut off for the reader's slowness.
        sending = asyncio.gather(send())
        await asyncio.sleep(0.02)
        assert sum(map(len, far._plain)) <= tls_lines.MAX_UNREAD + tls_lines.INBOX_BYTES
        assert len(await read_all(far)) == 40 * len(chunk)
        await sending


async def test_a_peer_that_never_reads_is_cut_off(pki: Pki) -> None:
    async with listening(pki.server()) as (port, accepted):
        near = await dial(port, pki.client())
        far = await accepted.get()
        await asyncio.gather(near.handshake(), far.handshake())
        assert near._transport is not None
        near._transport.pause_reading()
        async with asyncio.timeout(10):
            while not far.is_over:
                far.write(b"x" * 100_000)
                await asyncio.sleep(0)
        with pytest.raises(Unavailable) as fault:
            await read_all(far)
        assert fault.value.code == "line_stuck"
        near.abort()


async def test_the_hub_sees_which_certificate_was_shown_if_any(pki: Pki) -> None:
    async with both_ends(pki) as (near, far):
        assert far.peer_certificate is None
        assert near.peer_certificate is not None
        assert far.peer_host == "127.0.0.1"
    async with both_ends(pki, pki.client(IdentityKind.NODE)) as (_, far):
        assert far.peer_certificate is not None
        assert tls_certs.read_claims(tls_certs.parse(far.peer_certificate)).identity.name == "web-1"


@pytest.mark.parametrize("why", ["expired", "foreign", "a server's"])
async def test_a_certificate_that_is_not_taken_is_said_to_its_owner(pki: Pki, why: str) -> None:
    client = {
        "expired": lambda: pki.client(IdentityKind.NODE, ago=timedelta(hours=2)),
        "foreign": lambda: client_context(pki.authorities, *Pki(authority()).pair(IdentityKind.NODE)),
        "a server's": lambda: pki.client(IdentityKind.HUB),
    }[why]()
    async with listening(pki.server()) as (port, accepted):
        near = await dial(port, client)
        far = await accepted.get()
        with pytest.raises(Unavailable) as fault:
            await far.handshake()
        assert fault.value.code == "untrusted_peer"
        # A client has shaken hands before the server has looked at its certificate; the alert comes after.
        with pytest.raises(NotLoggedIn) as told:
            await shaken_and_read(near)
        assert told.value.code == "certificate_refused"


@pytest.mark.parametrize("why", ["another authority", "another name", "a client's"])
async def test_a_hub_that_is_not_the_one_meant_is_not_talked_to(pki: Pki, why: str) -> None:
    server = pki.server()
    if why == "a client's":
        load_pair(server, *pki.pair(IdentityKind.NODE))
    context = Pki(authority()).client() if why == "another authority" else pki.client()
    async with listening(server) as (port, accepted):
        near = await dial(port, context, "hub.staging.mezite" if why == "another name" else NAME)
        far = await accepted.get()
        with pytest.raises(Unavailable) as fault:
            await near.handshake()
        assert fault.value.code == "untrusted_peer"
        with pytest.raises((Unavailable, NotLoggedIn)):
            await far.handshake()


async def test_without_authorities_anybody_is_talked_to(pki: Pki) -> None:
    async with both_ends(pki, client_context(None)) as (near, far):
        near.write(b"x")
        assert await far.read() == b"x"
        assert near.peer_certificate is not None


@pytest.mark.parametrize("garbage", [b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01" + b"\xff" * 200, bytes(100)])
async def test_what_is_not_tls_ends_in_a_typed_fault(pki: Pki, garbage: bytes) -> None:
    async with listening(pki.server()) as (port, accepted):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        far = await accepted.get()
        writer.write(garbage)
        with pytest.raises(Unavailable) as fault:
            await far.handshake()
        assert fault.value.code == "tls"
        writer.close()


async def test_a_peer_that_leaves_before_the_handshake_ends_it(pki: Pki) -> None:
    async with listening(pki.server()) as (port, accepted):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        far = await accepted.get()
        writer.close()
        with pytest.raises(Unavailable) as fault:
            await far.handshake()
        assert fault.value.code == "line_lost"
        far.write(b"nobody hears this")
        far.close()


async def test_a_connection_that_is_reset_raises_at_the_reader(pki: Pki) -> None:
    async with both_ends(pki) as (near, far):
        assert near._transport is not None
        raw: socket.socket = near._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        near.abort()
        with pytest.raises(Unavailable) as fault:
            await far.read()
        assert fault.value.code == "line_lost"


async def test_many_lines_share_one_inbox_and_never_mix(pki: Pki) -> None:
    async with listening(pki.server()) as (port, accepted):
        context, inbox = pki.client(), new_inbox()
        ends: list[TlsLine] = []
        for _ in range(12):
            _, line = await asyncio.get_running_loop().create_connection(
                lambda: TlsLine(context, inbox, server_name=NAME), "127.0.0.1", port
            )
            ends.append(line)

        async def echo(line: TlsLine) -> None:
            await line.handshake()
            while part := await line.read():
                line.write(part)

        async def ask(line: TlsLine, mark: bytes) -> bytes:
            await line.handshake()
            line.write(mark * 5_000)
            got = b""
            while len(got) < 5_000 * len(mark):
                got += await line.read()
            line.close()
            return got

        async with asyncio.TaskGroup() as group:
            for _ in ends:
                group.create_task(echo(await accepted.get()))
            asked = [group.create_task(ask(line, bytes([65 + n]))) for n, line in enumerate(ends)]
        assert [task.result() for task in asked] == [bytes([65 + n]) * 5_000 for n in range(12)]


# Back to plain TCP.


@pytest.mark.parametrize("behind", [0, 1, 21, 100_000], ids=lambda count: f"{count} bytes behind")
async def test_both_ends_leave_tls_and_go_on_over_the_same_connection(pki: Pki, behind: int) -> None:
    """Whatever comes in one packet with the end of TLS belongs to what follows it, and is not lost."""
    following = bytes(range(256)) * (behind // 256) + bytes(range(behind % 256))
    async with listening(pki.server()) as (port, accepted), asyncio.TaskGroup() as group:
        client = group.create_task(asyncio.to_thread(_leaving_client, pki.client(), port, following))
        far = await accepted.get()
        await far.handshake()
        assert await far.read() == b"over"
        far.write(b"yes")
        raw = await far.detach()
        got, loop = raw.first, asyncio.get_running_loop()
        assert raw.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY), "Nagle costs 44 ms an answer"
        while len(got) < behind:
            got += await loop.sock_recv(raw.socket, 65_536)
        assert got == following
        await loop.sock_sendall(raw.socket, b"plain")
        raw.close()
    assert client.result() == (b"yes", b"plain")


def _leaving_client(context: ssl.SSLContext, port: int, following: bytes) -> tuple[bytes, bytes]:
    """A client of the standard library: leaves TLS and, in the same write, goes on in plain."""
    encrypted, sent = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(encrypted, sent, server_hostname=NAME)
    with socket.create_connection(("127.0.0.1", port)) as tcp:

        def until(step: Callable[[], bytes | None]) -> bytes | None:
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    tcp.sendall(sent.read())
                    encrypted.write(tcp.recv(65_536))

        until(lambda: tls.do_handshake())
        tls.write(b"over")
        answer = until(lambda: tls.read(100))
        with contextlib.suppress(ssl.SSLError):
            tls.unwrap()
        tcp.sendall(sent.read() + following)
        # The hub's own end of TLS stands before what it says in plain.
        with contextlib.suppress(ssl.SSLZeroReturnError):
            until(lambda: tls.read(100) or _end())
        plain = encrypted.read()
        while more := tcp.recv(65_536):
            plain += more
        return answer or b"", plain


def _end() -> bytes:
    raise ssl.SSLZeroReturnError


async def test_lines_of_our_own_at_both_ends_may_leave_in_either_order(pki: Pki) -> None:
    async with both_ends(pki) as (near, far):
        given = await far_first(near, far)
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(given[0].socket, b"plain")
        assert given[1].first + await loop.sock_recv(given[1].socket, 100) == b"plain"
        near.close()
        far.abort()
        await loop.sock_sendall(given[1].socket, b"still there")
        assert await loop.sock_recv(given[0].socket, 100) == b"still there"
        for raw in given:
            raw.close()


async def far_first(near: TlsLine, far: TlsLine) -> tuple[Raw, Raw]:
    async with asyncio.TaskGroup() as group:
        first = group.create_task(far.detach())
        assert await near.read() == b"", "whoever reads on learns that the peer has left"
        second = group.create_task(near.detach())
    return first.result(), second.result()


async def test_a_peer_that_goes_instead_of_leaving_tls_is_an_error(pki: Pki) -> None:
    async with both_ends(pki) as (near, far):
        near.abort()
        with pytest.raises(Unavailable):
            await far.detach()
        assert far.is_over


async def test_a_peer_that_says_more_than_was_agreed_keeps_nothing_open(pki: Pki) -> None:
    async with both_ends(pki) as (near, far):
        near.write(b"more")
        near.close()
        with pytest.raises(Unavailable, match="did not leave TLS as agreed"):
            await far.detach()
        assert far.is_over


async def test_whoever_left_tls_and_is_taken_over_by_nobody_is_dropped(
    pki: Pki, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls_lines, "CLOSING_S", 0.01)
    async with listening(pki.server()) as (port, accepted):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=pki.client(), server_hostname=NAME
        )
        far = await accepted.get()
        writer.close()
        assert await far.read() == b""
        assert await reader.read() == b""
