"""The HTTPS door of a hub (3080): JSON in, JSON out, refusals as errors of ours.

Standard library only, since this is on the way of every login. Everything that comes in is bounded in size
and in time. Whom to trust is decided by the TLS context that is given; `contact` makes it.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from mezite.api.status import from_http
from mezite.client.trust import untrusted
from mezite.errors import MeziteError, Unavailable

TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Web:
    """`server_name` is what the certificate must be for; the context says whose signature makes it good."""

    host: str
    port: int
    context: ssl.SSLContext
    server_name: str
    timeout_s: float = TIMEOUT_S

    def get(self, path: str) -> dict[str, Any]:
        return self._ask("GET", path, None, {})

    def post(self, path: str, body: Mapping[str, object], *, bearer: str = "") -> dict[str, Any]:
        headers = {"Content-Type": "application/json"}
        if bearer:
            headers["Authorization"] = f"Bearer {bearer}"
        return self._ask("POST", path, json.dumps(body).encode(), headers)

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, Any]:
        connection = _Connection(self)
        try:
            connection.request(method, path, body, {"Accept": "application/json", **headers})
            answer = connection.getresponse()
            content = _bounded(answer, time.monotonic() + self.timeout_s)
        except (OSError, http.client.HTTPException) as error:
            raise _unreachable(self, error) from None
        finally:
            connection.close()
        return _understood(answer.status, content)


class _Connection(http.client.HTTPSConnection):
    """Dials one address and expects the certificate of another name."""

    def __init__(self, web: Web) -> None:
        super().__init__(web.host, web.port, timeout=web.timeout_s, context=web.context)
        self._web = web

    def connect(self) -> None:
        plain = socket.create_connection((self._web.host, self._web.port), self._web.timeout_s)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            self.sock = self._web.context.wrap_socket(plain, server_hostname=self._web.server_name)
        except BaseException:
            plain.close()
            raise


def _bounded(answer: http.client.HTTPResponse, deadline: float) -> bytes:
    content = bytearray()
    while chunk := answer.read1(64 * 1024):
        content += chunk
        if len(content) > MAX_ANSWER_BYTES:
            raise http.client.HTTPException("the answer is too large")
        if time.monotonic() > deadline:
            raise TimeoutError
    return bytes(content)


def _understood(status: int, content: bytes) -> dict[str, Any]:
    if status == 204:
        return {}
    try:
        answer = json.loads(content)
    except (ValueError, RecursionError):
        answer = None
    if 200 <= status < 300 and isinstance(answer, dict):
        return answer
    if 200 <= status < 300:
        raise Unavailable("what answers there is not a Mezite hub; check the address", code="not_a_hub")
    problem = answer if isinstance(answer, dict) else {}
    raise from_http(
        status, _text(problem.get("detail")) or f"the hub answered HTTP {status}", _text(problem.get("code"))
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _unreachable(web: Web, error: Exception) -> MeziteError:
    where = f"{web.host}:{web.port}"
    match error:
        case ssl.SSLCertVerificationError():
            return untrusted(
                f"{where} does not show a certificate of the hub you know; if its CA was replaced, "
                "ask for the present pin and give it: msh login --ca-pin=sha256:..."
            )
        case ssl.SSLError():
            return Unavailable(f"{where} does not speak HTTPS; check the address")
        case socket.gaierror():
            return Unavailable(f"{web.host} cannot be found; check the address")
        case TimeoutError():
            return Unavailable(f"{where} does not answer; check the address, or try again")
        case ConnectionRefusedError():
            return Unavailable(f"nothing listens at {where}; check the address, or whether the hub runs")
        case http.client.HTTPException():
            return Unavailable(f"{where} does not answer as a Mezite hub does; check the address")
        case _:
            reason = (
                error.strerror if isinstance(error, OSError) and error.strerror else "the connection broke"
            )
            return Unavailable(f"{where} cannot be reached: {reason}")
