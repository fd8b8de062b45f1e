"""A stand-in for the door on 3023: real TLS with client certificates, the shared messages, answers by a test.

What is granted leads wherever a test says: to a function that gets the raw socket, or to an sshd.
"""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from mezite.api.tunnel.frames import FrameReader, frame
from mezite.api.tunnel.messages import AnyMessage, Refused, decode, encode
from mezite.api.tunnel.orders import Granted, Open
from mezite.ca.ssh_certs import Permit, issue_host, issue_user, node_principals
from mezite.ca.ssh_keys import authority_line, load_public_key
from mezite.ca.tls_authority import TlsAuthority, to_pem
from mezite.ca.tls_certs import issue_client
from mezite.ca.tls_certs import load_public_key as load_tls_key
from mezite.client.keypairs import ssh_pair, tls_pair
from mezite.client.profile import HeldRole, Keys, KnownHub, Login, Profile
from tests.support.authorities import ALICE, CLUSTER, WEB_1, public, ssh_authority
from tests.support.https import fresh_authority, server_context
from tests.support.openssh import Sshd, me, running_sshd, write_private

CONNECTION = "5d8e0000-4b5a-4000-8000-00000000c0de"
PIECE = 256 * 1024

Answer = Callable[[Open], AnyMessage]
Then = Callable[[socket.socket], None]


def granted(order: Open) -> Granted:
    return Granted(CONNECTION, order.node, CLUSTER, WEB_1.id, (order.login,) if order.login else ())


@dataclass(slots=True)
class Door:
    """`answer` decides each order, `then` has the raw socket of whoever was granted."""

    port: int = 0
    answer: Answer = granted
    then: Then = lambda _raw: None
    orders: list[Open] = field(default_factory=list)
    bytes_of_tls: bytes | None = None
    """When set, sent instead of a frame."""

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"


@contextmanager
def door(directory: Path, authority: TlsAuthority | None = None, *, cluster: str = CLUSTER) -> Iterator[Door]:
    """Serves on loopback until left; every connection in a thread of its own, all of them joined."""
    authority = authority or fresh_authority("quick")
    context = server_context(directory, authority, cluster)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=to_pem(fresh_authority("quick").certificate).decode())
    listener = socket.create_server(("127.0.0.1", 0))
    serving = Door(port=listener.getsockname()[1])
    threads: list[threading.Thread] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                thread = threading.Thread(target=_serve, args=(serving, context, plain), name="door")
                threads.append(thread)
                thread.start()

    accepting = threading.Thread(target=accept, name="door accepting")
    accepting.start()
    try:
        yield serving
    finally:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (accepting, *threads):
            thread.join(30)


def _serve(serving: Door, context: ssl.SSLContext, plain: socket.socket) -> None:
    # What a client does wrong is the client's test's business; this end only must not outlive it.
    with suppress(OSError), plain:
        plain.settimeout(30)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        tls = context.wrap_socket(plain, server_side=True)
        with suppress(OSError), tls:
            if _conversation(serving, tls):
                raw = tls.unwrap()
                raw.settimeout(None)
                serving.then(raw)


def _conversation(serving: Door, tls: ssl.SSLSocket) -> bool:
    reader = FrameReader()
    while piece := tls.recv(64 * 1024):
        for payload in reader.feed(piece):
            order = decode(payload)
            assert isinstance(order, Open)
            serving.orders.append(order)
            if serving.bytes_of_tls is not None:
                tls.sendall(serving.bytes_of_tls)
                return False
            answer = serving.answer(order)
            tls.sendall(frame(encode(answer)))
            if isinstance(answer, Granted | Refused):
                return isinstance(answer, Granted)
    return False


def to_port(port: int) -> Then:
    """Carries bytes both ways between who was granted and a port of this machine, with half-close."""

    def pump(source: socket.socket, sink: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(PIECE):
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def carry(raw: socket.socket) -> None:
        with socket.create_connection(("127.0.0.1", port)) as other:
            other.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            back = threading.Thread(target=pump, args=(other, raw))
            back.start()
            pump(raw, other)
            back.join()

    return carry


def profile_at(serving: Door, *, auth: str = "127.0.0.1:1", name: str = CLUSTER) -> Profile:
    """A login that is good at `serving`, and at an sshd of `node`."""
    authority, now = fresh_authority("quick"), datetime.now(UTC)
    identity = replace(ALICE, issued_at=now, expires_at=(now + timedelta(hours=1)).replace(microsecond=0))
    ssh, tls = ssh_pair(), tls_pair()
    user = issue_user(
        ssh_authority("users"),
        identity,
        public_key=load_public_key(ssh.public),
        cluster=name,
        principals=[me(), "ubuntu"],
        permits=list(Permit),
    )
    twin = issue_client(authority, identity, public_key=load_tls_key(tls.public), cluster=name)
    hub = KnownHub(
        proxy="mezite.example.com:3080",
        cluster=name,
        auth_addr=auth,
        ssh_addr=serving.address,
        tls_authorities=to_pem(authority.certificate).decode(),
        host_authorities=(authority_line(public(ssh_authority("hosts"))),),
    )
    keys = Keys(ssh.private, f"{ssh.public}\n", f"{user}\n", tls.private, to_pem(twin).decode())
    login = Login("alice", ALICE.id, (HeldRole("access"),), (me(),), now, identity.expires_at, keys)
    return Profile(hub, login)


@contextmanager
def node(place: Path, *, authority: str = "hosts") -> Iterator[Sshd]:
    """A real sshd that is the node web-1: its host certificate, and the users' authority."""
    key = Ed25519PrivateKey.generate()
    now = datetime.now(UTC)
    identity = replace(WEB_1, issued_at=now, expires_at=(now + timedelta(hours=1)).replace(microsecond=0))
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    certificate = issue_host(
        ssh_authority(authority),
        identity,
        public_key=key.public_key(),
        cluster=CLUSTER,
        principals=node_principals(WEB_1.name, CLUSTER, WEB_1.id),
    )
    write_private(place / "host", private)
    (place / "host-cert.pub").write_text(certificate + "\n")
    (place / "users.pub").write_text(authority_line(public(ssh_authority("users"))) + "\n")
    settings = {
        "HostCertificate": str(place / "host-cert.pub"),
        "TrustedUserCAKeys": str(place / "users.pub"),
        "Subsystem": "sftp internal-sftp",
    }
    with running_sshd(place, host_key=place / "host", settings=settings) as sshd:
        yield sshd
