"""The quick way to a node: TLS to 3023 under the user's certificate, one order, then the connection is raw.

`msh proxy ssh` starts here for every `ssh`, so there is nothing but the standard library: the messages are
written by hand, and a test holds them equal to those of `mezite.api.tunnel`.

1. The hub is verified by the cluster's own authorities and by its own name, whatever address was dialled.
2. Every wait has an end, but for the person who types a one-time code.
3. When it is granted both ends leave TLS by close_notify. OpenSSL reads record by record, so that what
   follows is still in the kernel: whoever gets the descriptor next finds the first byte of SSH.
"""

from __future__ import annotations

import json
import os
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

from mezite.api.tunnel.frames import FrameReader, frame
from mezite.client.trust import untrusted
from mezite.errors import CallerError, Invalid, MeziteError, NotLoggedIn, OtpRequired, Unavailable, family

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mezite.client.profile import Pass

VERSION: Final = 1
"""Of the tunnel protocol, as in `mezite.api.tunnel.shapes`."""
CONNECT_S: Final = 10.0
ANSWER_S: Final = 20.0
"""The hub itself gives a silent node ten seconds."""
TRIES: Final = 3
"""How often a code may be typed."""
_PIECE: Final = 16 * 1024
_OF_CERTIFICATES: Final = ("CERTIFICATE", "UNKNOWN_CA", "DECRYPT_ERROR", "ACCESS_DENIED")
"""Alerts by which a hub says that it does not take what it was shown."""

AskCode = Callable[[str], str]
"""Asks a person for a one-time code; gets the hub's own words. May raise instead."""


@dataclass(frozen=True, slots=True)
class Granted:
    """Where a connection leads, as the hub says it; the node's host certificate is what proves it."""

    connection_id: str
    node: str
    cluster: str
    node_id: str
    logins: tuple[str, ...]


def dial(who: Pass, node: str, login: str, ask_code: AskCode) -> tuple[socket.socket, Granted]:
    """A raw connection to the sshd of `node`, by its name or id. An empty login is any."""
    with _told(_ssh_address(who)):
        tls = _connect(who)
        try:
            granted = _order(tls, node, login, ask_code)
            tls.settimeout(CONNECT_S)
            return _raw(tls.unwrap()), granted
        finally:
            tls.close()


def _ssh_address(who: Pass) -> str:
    if who.hub.ssh_addr is None:
        raise Unavailable(
            f"{who.hub.proxy} had no door for SSH at your last login; log in again once it has one"
        )
    return who.hub.ssh_addr


def _connect(who: Pass) -> ssl.SSLSocket:
    context = _context(who)
    host, _, port = _ssh_address(who).rpartition(":")
    plain = socket.create_connection((host.strip("[]"), int(port)), CONNECT_S)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        return context.wrap_socket(plain, server_hostname=who.hub.server_name)
    except BaseException:
        plain.close()
        raise


def _context(who: Pass) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=who.hub.tls_authorities)
    with _readable(who.certificate) as certificate, _readable(who.key) as key:
        context.load_cert_chain(certificate, key)
    return context


@contextmanager
def _readable(text: str) -> Iterator[str]:
    """A path that reads as `text`, once. `ssl` wants paths, and a profile's may be replaced meanwhile."""
    reading, writing = os.pipe()
    try:
        with open(writing, "wb") as pipe:
            pipe.write(text.encode())
        yield f"/dev/fd/{reading}"
    finally:
        os.close(reading)


def _order(tls: ssl.SSLSocket, node: str, login: str, ask_code: AskCode) -> Granted:
    reader, code = FrameReader(), ""
    for left in reversed(range(TRIES + 1)):
        tls.settimeout(CONNECT_S)
        with suppress(OSError):
            # A hub that has hung up said why before it did, and that is still to be read.
            tls.sendall(frame(opening(node, login, code)))
        answer = _answer(tls, reader)
        if isinstance(answer, Granted):
            return answer
        if left:
            code = ask_code(answer.message)
    raise OtpRequired("none of these codes was valid; try again with a fresh one")


def _answer(tls: ssl.SSLSocket, reader: FrameReader) -> Granted | OtpRequired:
    """The hub's next message; a refusal raises."""
    ends = time.monotonic() + ANSWER_S
    while True:
        tls.settimeout(max(0.01, ends - time.monotonic()))
        piece = tls.recv(_PIECE)
        if not piece:
            raise Unavailable("the hub hung up without an answer; try again")
        if payloads := reader.feed(piece):
            return understood(payloads[0])


def _raw(tls: socket.socket) -> socket.socket:
    """The same connection as a plain, blocking socket."""
    tls.settimeout(None)
    return socket.socket(fileno=tls.detach())


# The messages, by hand.


def opening(node: str, login: str, code: str) -> bytes:
    """`open`, as the hub reads it."""
    order = {"type": "open", "node": node, "login": login, "otp": code, "version": VERSION}
    return json.dumps(order, separators=(",", ":")).encode()


def understood(payload: bytes) -> Granted | OtpRequired:
    """The hub's answer; `refused` and whatever does not read raise."""
    try:
        said = json.loads(payload)
        match said.get("type"):
            case "granted":
                return _granted(said)
            case "otpwanted":
                return OtpRequired(_text(said, "message"))
            case "refused":
                refuse(_text(said, "code"), _text(said, "message"))
            case "bye":
                raise Unavailable("the hub is leaving; try again")
    except (ValueError, AttributeError, RecursionError):
        pass
    raise Invalid("the hub's answer does not read; do its version and this one match?", code="bad_message")


def refuse(code: str, message: str) -> NoReturn:
    """Raises the hub's refusal as the error it was there; a code of no class is a refusal like any."""
    kinds = {kind.default_code: kind for kind in reversed(family())}
    raise kinds.get(code, CallerError)(message, code=code)


def _granted(said: dict[str, Any]) -> Granted:
    logins = said.get("logins", [])
    if not isinstance(logins, list) or not all(isinstance(login, str) for login in logins):
        raise ValueError("no logins")
    return Granted(
        connection_id=_text(said, "connection_id"),
        node=_text(said, "node"),
        cluster=_text(said, "cluster"),
        node_id=_text(said, "node_id"),
        logins=tuple(logins),
    )


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if not isinstance(value, str):
        raise ValueError(f"no {name}")
    return value


@contextmanager
def _told(address: str) -> Iterator[None]:
    """Failures of the network and of TLS, as errors of ours."""
    try:
        yield
    except MeziteError:
        raise
    except ssl.SSLCertVerificationError:
        raise untrusted(f"{address} does not show a certificate of the hub you know; log in again") from None
    except ssl.SSLError as error:
        reason = error.reason or ""
        if "ALERT" in reason and any(word in reason for word in _OF_CERTIFICATES):
            raise NotLoggedIn("the hub does not accept your certificate; run: msh login") from None
        raise Unavailable(f"{address} does not speak as a hub does; check the address") from None
    except TimeoutError:
        raise Unavailable(f"the hub at {address} does not answer; try again") from None
    except OSError as error:
        why = error.strerror or str(error)
        raise Unavailable(f"the hub at {address} cannot be reached ({why.lower()})") from None
