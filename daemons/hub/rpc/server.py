"""The gRPC server on 3025: its listener, its limits, its services."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import grpc

from daemons.hub.keyring import ServerPair
from daemons.hub.rpc.access import Access
from daemons.hub.rpc.audit import Audit
from daemons.hub.rpc.authorities import Authorities
from daemons.hub.rpc.feed import Feed
from daemons.hub.rpc.identity import Identity
from daemons.hub.rpc.locks import Locks
from daemons.hub.rpc.nodes import Nodes, Tokens
from daemons.hub.rpc.roles import Roles
from daemons.hub.rpc.status import Status
from daemons.hub.rpc.users import Users
from daemons.hub.server_tls import ServerTls
from mezite.api.generated import (
    access_pb2_grpc,
    audit_pb2_grpc,
    authorities_pb2_grpc,
    feed_pb2_grpc,
    identity_pb2_grpc,
    locks_pb2_grpc,
    nodes_pb2_grpc,
    roles_pb2_grpc,
    status_pb2_grpc,
    users_pb2_grpc,
)
from mezite.errors import Unavailable

LARGEST_REQUEST: Final = 1024 * 1024
GRACE_S: Final = 2.0

OPTIONS: Final = (
    ("grpc.max_receive_message_length", LARGEST_REQUEST),
    ("grpc.max_concurrent_streams", 1_000),
    ("grpc.max_metadata_size", 16 * 1024),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.so_reuseport", 0),
)


@dataclass(frozen=True, slots=True)
class Services:
    """One servicer of each kind, built by the composition root."""

    identity: Identity
    users: Users
    roles: Roles
    nodes: Nodes
    tokens: Tokens
    locks: Locks
    audit: Audit
    authorities: Authorities
    access: Access
    feed: Feed
    status: Status

    def register(self, server: grpc.aio.Server) -> None:
        adders: tuple[tuple[Callable[..., object], object], ...] = (
            (identity_pb2_grpc.add_IdentityServicer_to_server, self.identity),
            (users_pb2_grpc.add_UsersServicer_to_server, self.users),
            (roles_pb2_grpc.add_RolesServicer_to_server, self.roles),
            (nodes_pb2_grpc.add_NodesServicer_to_server, self.nodes),
            (nodes_pb2_grpc.add_TokensServicer_to_server, self.tokens),
            (locks_pb2_grpc.add_LocksServicer_to_server, self.locks),
            (audit_pb2_grpc.add_AuditServicer_to_server, self.audit),
            (authorities_pb2_grpc.add_AuthoritiesServicer_to_server, self.authorities),
            (access_pb2_grpc.add_AccessServicer_to_server, self.access),
            (feed_pb2_grpc.add_FeedServicer_to_server, self.feed),
            (status_pb2_grpc.add_StatusServicer_to_server, self.status),
        )
        for add, servicer in adders:
            add(servicer, server)


@asynccontextmanager
async def serving(services: Services, *, address: str, tls: ServerTls) -> AsyncIterator[int]:
    """Serves until left; gives the port that was bound. Calls under way have a moment to end."""
    server = grpc.aio.server(options=OPTIONS)
    services.register(server)
    try:
        port = server.add_secure_port(address, _credentials(tls))
    except RuntimeError:
        port = 0
    if port == 0:
        raise Unavailable(f"auth.listen_addr: cannot listen on {address}; is another hub running there?")
    await server.start()
    try:
        yield port
    finally:
        await server.stop(GRACE_S)


def _credentials(tls: ServerTls) -> grpc.ServerCredentials:
    pair = tls.pair()
    return grpc.dynamic_ssl_server_credentials(
        _configuration(pair, tls.authorities),
        Renewals(tls, pair),  # type: ignore[arg-type]  # None stands for "as before", which the stub leaves out
        require_client_authentication=True,
    )


class Renewals:
    """What gRPC asks at each handshake, from threads of its own: has the certificate been renewed?

    Answered with None unless it has. gRPC replaces what other handshakes are using without a lock: answering
    with a configuration each time let a few hundred connections crash the process.
    """

    def __init__(self, tls: ServerTls, shown: ServerPair) -> None:
        self._tls = tls
        self._shown = shown
        self._turn = threading.Lock()

    def __call__(self) -> grpc.ServerCertificateConfiguration | None:
        with self._turn:
            pair = self._tls.present
            if pair is None or pair is self._shown:
                return None
            self._shown = pair
        return _configuration(pair, self._tls.authorities)


def _configuration(pair: ServerPair, authorities: bytes) -> grpc.ServerCertificateConfiguration:
    return grpc.ssl_server_certificate_configuration([(pair.key, pair.chain)], root_certificates=authorities)
