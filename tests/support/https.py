"""A real HTTPS server whose answers a test writes by hand, for what a sound hub never does."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mezite.ca.tls_authority import TlsAuthority, new_authority, open_authority, to_pem
from mezite.ca.tls_certs import issue_server
from tests.support.authorities import CLUSTER, HUB, seal


@cache
def fresh_authority(name: str) -> TlsAuthority:
    """An authority that is in force at this moment, as real TLS libraries judge it; one for each name."""
    made = new_authority(id=f"ca_{name}", cluster=CLUSTER, now=datetime.now(UTC), seal=seal())
    return open_authority(made, seal())


@dataclass(slots=True)
class Scripted:
    """`answers` maps a path to (status, body, headers); `asked` is everything that came, bodies and all."""

    port: int = 0
    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    hang: threading.Event | None = None
    """When set, answers begin and then stop until it is."""


@contextmanager
def serving(directory: Path, authority: TlsAuthority, *, cluster: str = CLUSTER) -> Iterator[Scripted]:
    """Serves on loopback with a certificate that `authority` signed for the hub of `cluster`."""
    script = Scripted()

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            script.asked.append((self.path, self.rfile.read(length)))
            status, body = script.answers.get(self.path, (404, b"{}"))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:1])
            self.wfile.flush()
            if script.hang:
                script.hang.wait(30)
            self.wfile.write(body[1:])

        do_GET = do_POST = _answer  # the names that the base class looks for

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients hang up on purpose
    server.socket = server_context(directory, authority, cluster).wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    script.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def server_pem(authority: TlsAuthority, cluster: str) -> tuple[bytes, bytes]:
    """(private key, certificate) of a hub of `cluster`, good at this moment."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    identity = replace(HUB, issued_at=now, expires_at=now + timedelta(hours=1))
    certificate = issue_server(authority, identity, public_key=key.public_key(), cluster=cluster)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, to_pem(certificate)


def server_context(directory: Path, authority: TlsAuthority, cluster: str) -> ssl.SSLContext:
    private, certificate = server_pem(authority, cluster)
    bundle = directory / f"server-{id(authority)}-{cluster}.pem"
    bundle.write_bytes(private + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(bundle)
    return context
