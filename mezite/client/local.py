"""The admin socket of a hub on this machine: who may open it administers, in the name of the OS user.

One line of JSON each way. The hub looks at the peer's credentials; what it gives is a certificate of minutes.
"""

from __future__ import annotations

import errno
import json
import socket
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from mezite.api.status import from_http
from mezite.client.keypairs import tls_pair
from mezite.client.profile import KnownHub, Pass
from mezite.errors import Denied, OurFault, Unavailable

SOCKET: Final = "admin.sock"
TIMEOUT_S: Final = 5.0
NO_HUB: Final = "no_hub_here"
MAX_LINE_BYTES: Final = 256 * 1024


def admit(data_dir: Path) -> Pass:
    """A pass as `local:OSUSER` from the hub whose data is in `data_dir`."""
    pair = tls_pair()
    answer = _exchange(data_dir / SOCKET, {"tls_public_key": pair.public_text})
    if isinstance(problem := answer.get("error"), dict):
        raise from_http(403, str(problem.get("message", "")), str(problem.get("code", "")))
    try:
        hub = KnownHub(
            proxy=_text(answer, "web_addr"),
            cluster=_text(answer, "cluster"),
            auth_addr=_dialled(_text(answer, "auth_addr")),
            ssh_addr=None,
            tls_authorities=_text(answer, "tls_authorities"),
        )
        expires_at = datetime.fromisoformat(_text(answer, "expires_at")).astimezone(UTC)
        return Pass(hub, _text(answer, "tls_certificate"), pair.private, expires_at)
    except ValueError:
        raise OurFault("the hub's answer on its admin socket does not read; do the versions match?") from None


def _exchange(path: Path, question: dict[str, str]) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
        line.settimeout(TIMEOUT_S)
        try:
            line.connect(str(path))
            line.sendall(json.dumps(question).encode() + b"\n")
            said = _line(line)
        except FileNotFoundError:
            raise Unavailable(
                f"no hub is here at {path}; start it, or say where its data is with --data-dir", code=NO_HUB
            ) from None
        except PermissionError:
            raise Denied(
                f"{path} is for the hub's own user and root; run as one of them, or log in"
            ) from None
        except OSError as error:
            reason = error.strerror or "it does not answer"
            raise Unavailable(f"the hub's admin socket {path}: {reason}; is the hub running?") from None
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise Unavailable(f"the hub's admin socket {path} gave no answer; its log says why")
    return answer


def _line(line: socket.socket) -> bytes:
    content = bytearray()
    while not content.endswith(b"\n") and (chunk := line.recv(64 * 1024)):
        content += chunk
        if len(content) > MAX_LINE_BYTES:
            raise OSError(errno.EMSGSIZE, "its answer is too large")
    return bytes(content)


def _text(answer: dict[str, Any], name: str) -> str:
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError(name)
    return value


def _dialled(address: str) -> str:
    """An address that listens everywhere is dialled at loopback: the socket is on the same machine."""
    from ipaddress import IPv4Address, IPv6Address

    from mezite.config.address import Address

    parsed = Address.parse(address)
    everywhere = parsed.host in ("", str(IPv4Address(0)), str(IPv6Address(0)))
    return str(Address("127.0.0.1", parsed.port)) if everywhere else address
