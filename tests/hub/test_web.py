"""The HTTPS face: one form of refusal whatever is wrong, bounds on all that a stranger sends or withholds."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from daemons.hub.binding import bind, port_of
from daemons.hub.metrics import Metrics
from daemons.hub.server_tls import ServerTls
from daemons.hub.web import limits, server
from daemons.hub.web.limits import LARGEST_BODY, Bounded
from daemons.hub.web.login import Addresses
from mezite.config import Address
from mezite.errors import Damaged, Unavailable
from tests.support.authorities import CLUSTER
from tests.support.desk import PASSWORD, Office

WHERE = Addresses(None, ":3025", None, ":3024", ":3080")
LOGIN = "/v1/webapi/login"
ELSEWHERE = ("192.0.2.9", 40_000)


async def well() -> None:
    """A check that holds."""


@pytest.fixture
def metrics() -> Metrics:
    return Metrics()


@pytest.fixture
def app(office: Office, metrics: Metrics) -> FastAPI:
    office.logins.count = metrics.login
    return server.application(office.logins, metrics, {"database": well}, lambda: WHERE, office.clock.now)


@asynccontextmanager
async def client(app: Any, address: tuple[str, int] = ELSEWHERE) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(Bounded(app), client=address, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="https://hub.test") as http:
        yield http


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client(app) as http:
        yield http


def problem(answer: httpx.Response, status: int, code: str) -> str:
    """Checks the form of a refusal; its one line."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert set(told) == {"type", "title", "status", "detail", "code"}
    assert (told["type"], told["status"], told["code"]) == ("about:blank", status, code)
    detail = told["detail"]
    assert isinstance(detail, str)
    assert detail
    assert "\n" not in detail
    assert len(detail) <= 2_000
    return detail


DEEP = b"[" * 5_000
TYPED = {"user": "alice", "password": PASSWORD}


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 422),
        (b"{", 422),
        (b"[]", 422),
        (b"null", 422),
        (b'"alice"', 422),
        (b"\xff\xfe", 422),
        (DEEP, 422),
        (b'{"user": "alice"}', 422),
        (b'{"user": 7, "password": "x"}', 422),
        (b'{"user": "alice", "password": ["x"]}', 422),
        (b'{"user": "alice", "password": "x", "admin": true}', 422),
        (b'{"user": "\\ud800", "password": "x"}', 422),
        (b'{"user": "alice", "password": "\\ud800"}', 422),
        (b'{"user": "alice", "password": "x", "\\ud800\\n\\u001b": 1}', 422),
        (b'{"user": "alice", "password": "x", "' + b"k" * 50_000 + b'": 1}', 422),
        (json.dumps({**TYPED, "user": "a" * 257}).encode(), 422),
        (json.dumps({**TYPED, "password": "p" * 1025}).encode(), 422),
        (json.dumps({**TYPED, "otp": "0" * 65}).encode(), 422),
        (b'{"user": "alice", "password": ' + b"9" * 10_000 + b"}", 422),
        (b'{"user": "alice", "password": NaN}', 422),
    ],
    ids=lambda value: ascii(value)[:40] if isinstance(value, bytes) else "",
)
async def test_bodies_that_do_not_read(http: httpx.AsyncClient, content: bytes, status: int) -> None:
    answer = await http.post(LOGIN, content=content, headers={"Content-Type": "application/json"})
    detail = problem(answer, status, "invalid")
    assert PASSWORD not in detail


async def test_what_is_wrong_is_named_and_what_was_typed_is_not(http: httpx.AsyncClient) -> None:
    answer = await http.post(LOGIN, json={"user": "alice", "password": {"secret": "hunter2hunter2"}})
    detail = problem(answer, 422, "invalid")
    assert detail.startswith("password: ")
    assert "hunter2" not in answer.text


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"tls_public_key": "!!"}, "base64"),
        ({"tls_public_key": "aGVsbG8="}, "P-256"),
        ({"ssh_public_key": "ssh-ed25519"}, "key"),
        ({"ttl_s": 0}, "ttl_s"),
        ({"ttl_s": 86_401}, "ttl_s"),
        ({"ttl_s": "1h"}, "ttl_s"),
        ({"ttl_s": 1e300}, "ttl_s"),
    ],
    ids=str,
)
async def test_orders_that_cannot_be_met(
    office: Office, http: httpx.AsyncClient, order: dict[str, Any], words: str
) -> None:
    await office.user("alice")
    answer = await http.post(f"{LOGIN}/certificates", json={**TYPED, **good_keys(), **order})
    assert answer.json()["status"] == 422
    assert words in answer.json()["detail"]


def good_keys() -> dict[str, str]:
    import base64

    from tests.support.desk import keys

    return {
        "tls_public_key": base64.b64encode(keys().tls_spki).decode(),
        "ssh_public_key": keys().ssh_line,
    }


async def test_a_login_over_the_web_from_end_to_end(office: Office, http: httpx.AsyncClient) -> None:
    await office.user("alice", "access")
    problem(await http.post(LOGIN, json={**TYPED, "password": "not it"}), 401, "not_logged_in")
    answer = await http.post(LOGIN, json=TYPED)
    assert answer.status_code == 200
    token = answer.json()["access_token"]
    assert answer.json()["user"] == "alice"
    assert answer.json()["expires_at"] == "2026-03-24T22:00:00Z"
    certificates = (await http.post(f"{LOGIN}/certificates", json={**TYPED, **good_keys()})).json()
    assert (certificates["user"], certificates["roles"]) == ("alice", ["access"])
    bearer = {"Authorization": f"Bearer {token}"}
    assert (await http.post("/v1/webapi/logout", headers=bearer)).status_code == 204
    refused = await http.post("/v1/webapi/logout", headers=bearer)
    problem(refused, 401, "not_logged_in")
    assert refused.headers["www-authenticate"] == "Bearer"


async def test_guessing_is_answered_with_429(office: Office, http: httpx.AsyncClient) -> None:
    for _ in range(5):
        problem(await http.post(LOGIN, json=TYPED), 401, "not_logged_in")
    problem(await http.post(LOGIN, json=TYPED), 429, "throttled")


@pytest.mark.parametrize("token", ["", "mzt_", "mzt_\ud800_000000", "x" * 4096, "mze_" + "A" * 32])
async def test_access_tokens_that_are_none(http: httpx.AsyncClient, token: str) -> None:
    body = json.dumps({"token": token, **good_keys()}).encode()
    answer = await http.post("/v1/webapi/token/certificates", content=body)
    assert answer.status_code in (401, 422)
    problem(answer, answer.status_code, answer.json()["code"])


async def in_pieces(size: int) -> AsyncIterator[bytes]:
    for _ in range(size // 1024 + 1):
        yield b"x" * 1024


@pytest.mark.parametrize("path", [LOGIN, f"{LOGIN}/certificates", "/v1/webapi/enrol"])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
async def test_a_body_too_large_is_413_and_the_end_of_the_connection(
    http: httpx.AsyncClient, path: str, *, chunked: bool
) -> None:
    content: Any = in_pieces(LARGEST_BODY) if chunked else b"x" * (LARGEST_BODY + 1)
    answer = await http.post(path, content=content, headers={"Content-Type": "application/json"})
    assert "65536" in problem(answer, 413, "too_large")
    assert answer.headers["connection"] == "close"


@pytest.mark.parametrize("size", ["-1", "1e3", "9" * 30, "²"])
async def test_sizes_that_are_none_are_too_large(http: httpx.AsyncClient, size: str) -> None:
    headers = {"Content-Length": size.encode()}
    problem(await http.post(LOGIN, content=b"", headers=headers), 413, "too_large")  # type: ignore[arg-type]


async def test_paths_and_methods_that_are_not_there(http: httpx.AsyncClient) -> None:
    for path in ("/", "/v1", "/docs", "/redoc", "/v1/webapi/../../etc/passwd", "/%00", "/\u00e9"):
        problem(await http.get(path), 404, "not_found")
    for method, path in (("GET", LOGIN), ("DELETE", "/v1/webapi/ping"), ("POST", "/metrics")):
        refused = await http.request(method, path)
        problem(refused, 405, "method_not_allowed")
        assert refused.headers["allow"]


async def test_ping_tells_a_stranger_what_a_client_needs(office: Office, http: httpx.AsyncClient) -> None:
    told = (await http.get("/v1/webapi/ping")).json()
    keyring = office.desk.keyring
    assert told["cluster"] == CLUSTER
    assert told["ca_pins"] == [keyring.ca_pin]
    assert told["tls_authorities"] == keyring.tls_authorities_pem
    assert (told["auth_addr"], told["ssh_addr"], told["tunnel_addr"]) == (":3025", None, ":3024")
    assert told["time"] == "2026-03-24T10:00:00Z"


async def test_alive_and_ready_are_two_questions(office: Office, metrics: Metrics) -> None:
    async def away() -> None:
        raise Unavailable("the database does not answer")

    app = server.application(office.logins, metrics, {"database": away}, lambda: WHERE, office.clock.now)
    async with client(app) as http:
        assert (await http.get("/healthz")).text == "ok"
        ready = await http.get("/readyz")
        assert ready.status_code == 503
        assert ready.json() == {"ready": False, "faults": {"database": "the database does not answer"}}


LOOPBACK = ("127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1")


@pytest.mark.parametrize("address", LOOPBACK)
async def test_the_numbers_are_free_for_this_machine(app: FastAPI, address: str) -> None:
    async with client(app, (address, 1)) as http:
        assert (await http.get("/metrics")).status_code == 200


@pytest.mark.parametrize(
    "address", ["192.0.2.9", "::ffff:192.0.2.9", "2001:db8::1", "10.0.0.1", "", "testclient"]
)
async def test_from_elsewhere_the_numbers_take_a_bearer(office: Office, app: FastAPI, address: str) -> None:
    for name, role in (("plain", "access"), ("olivia", "auditor")):
        await office.user(name, role)
    async with client(app, (address, 1)) as http:
        problem(await http.get("/metrics"), 401, "not_logged_in")
        problem(await http.get("/metrics", headers={"Authorization": "Basic YTpi"}), 401, "not_logged_in")
        for name, status in (("plain", 403), ("olivia", 200)):
            token = (await http.post(LOGIN, json={**TYPED, "user": name})).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            assert (await http.get("/metrics", headers=headers)).status_code == status


async def test_the_numbers_count_logins_and_name_nobody(
    office: Office, app: FastAPI, http: httpx.AsyncClient
) -> None:
    await office.user("alice-the-first", "access")
    for password in (PASSWORD, "not it", "nor this"):
        await http.post(LOGIN, json={"user": "alice-the-first", "password": password})
    async with client(app, ("127.0.0.1", 1)) as here:
        text = (await here.get("/metrics")).text
    assert 'mezite_logins_total{outcome="ok"} 1.0' in text
    assert 'mezite_logins_total{outcome="refused"} 2.0' in text
    for name in ("alice", "192.0.2.9", "access", PASSWORD, CLUSTER):
        assert name not in text


async def test_openapi_is_served_and_tells_of_refusals(http: httpx.AsyncClient) -> None:
    document = (await http.get("/openapi.json")).json()
    login = document["paths"][LOGIN]["post"]["responses"]
    assert {"200", "401", "413", "422", "429"} <= set(login)
    assert "application/problem+json" in login["401"]["content"]


@pytest.mark.parametrize(
    "fault", [RuntimeError("secret detail"), Damaged("secret detail"), OSError("secret detail")]
)
async def test_a_fault_of_ours_is_told_to_the_log_and_not_to_the_caller(
    app: FastAPI, fault: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    @app.get("/broken")
    async def broken() -> None:
        raise fault

    async with client(app) as http:
        detail = problem(await http.get("/broken"), 500, "internal")
    assert "secret" not in detail
    assert caplog.text.count("secret detail") >= 1
    assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 1


async def test_a_request_that_takes_too_long_ends() -> None:
    ended = asyncio.Event()

    async def sleeper(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    transport = httpx.ASGITransport(Bounded(sleeper, request_s=0.01))
    async with httpx.AsyncClient(transport=transport, base_url="https://hub.test") as http:
        problem(await http.get("/"), 503, "unavailable")
    assert ended.is_set()


class Line:
    """A raw TLS connection to a web server that really listens."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def say(self, text: bytes) -> None:
        self.writer.write(text)
        await self.writer.drain()

    async def answer(self) -> tuple[int, bytes]:
        head = await self.reader.readuntil(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:] if b": " in line)
        return int(head.split()[1]), await self.reader.readexactly(int(fields[b"content-length"]))

    async def rest(self) -> bytes:
        """Everything until the server ends the connection, one way or another."""
        try:
            return await self.reader.read()
        except ConnectionResetError:
            return b""


@pytest.fixture
async def line(app: FastAPI, office: Office, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    monkeypatch.setattr(limits, "SILENCE_S", 0.05)
    tls = ServerTls(office.desk.keyring, "hub_test", office.clock, ["127.0.0.1"])
    blind = ssl.create_default_context()
    blind.check_hostname, blind.verify_mode = False, ssl.CERT_NONE
    with bind("proxy.web_listen_addr", Address("127.0.0.1", 0)) as listener:
        port = port_of(listener)
        async with server.serving(app, listener, tls.context()):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=blind)
            try:
                yield Line(reader, writer)
            finally:
                writer.transport.abort()


PING = b"GET /healthz HTTP/1.1\r\nHost: hub\r\n\r\n"


async def test_who_connects_and_says_nothing_is_dropped(line: Line) -> None:
    assert await line.rest() == b""


@pytest.mark.parametrize("requests", [0, 1, 2])
async def test_half_a_head_is_dropped_whether_it_is_the_first_or_not(line: Line, requests: int) -> None:
    for _ in range(requests):
        await line.say(PING)
        assert await line.answer() == (200, b"ok")
    await line.say(b"GET /healthz HTTP/1.1\r\nHost:")
    assert await line.rest() == b""


async def drip(line: Line) -> None:
    """A byte now and then, for as long as somebody takes them."""
    while True:
        await line.say(b"x")
        await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    "begin",
    [
        b"GET /healthz HTTP/1.1\r\nX-Slow: ",
        b"POST /nowhere HTTP/1.1\r\nHost: h\r\nContent-Length: 60000\r\n\r\n",
    ],
    ids=["a head without end", "the body of a refused request"],
)
async def test_bytes_that_drip_do_not_keep_a_connection(line: Line, begin: bytes) -> None:
    await line.say(begin)
    async with asyncio.TaskGroup() as group:
        dripping = group.create_task(_until_gone(line))
        await line.rest()
        dripping.cancel()


async def _until_gone(line: Line) -> None:
    with suppress(OSError):
        await drip(line)


@pytest.mark.parametrize("noise", [b"\x00\x01\x02\r\n\r\n", b"GET\r\n\r\n", b"SSH-2.0-x\r\n\r\n"])
async def test_what_is_not_http_is_told_so_in_the_same_form(line: Line, noise: bytes) -> None:
    await line.say(noise)
    head, _, told = (await line.rest()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 400")
    assert b"application/problem+json" in head
    assert json.loads(told)["code"] == "malformed"


async def test_a_head_too_large_is_refused(line: Line) -> None:
    await line.say(b"GET / HTTP/1.1\r\nX-Large: " + b"x" * 200_000)
    assert (await line.rest())[:12] in (b"HTTP/1.1 400", b"")


async def test_a_websocket_is_not_to_be_had(line: Line) -> None:
    await line.say(
        b"GET /healthz HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: x\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert (await line.answer())[0] == 200
