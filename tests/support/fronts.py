"""Port 3023 and 3024 of a hub in memory, with nodes and clients whose every message a test says itself."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TypeVar

from daemons.agent import dialling, joining
from daemons.agent.identity import Membership, NodeKeys
from daemons.agent.joining import Wish
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller
from daemons.hub.proof.throttle import Throttle
from daemons.hub.proxy import front
from daemons.hub.proxy.front import Front
from daemons.hub.proxy.tunnels import Limits as TunnelLimits
from daemons.tls_lines import Raw, TlsLine, client_context, new_inbox
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.messages import AnyMessage, Hello, Ping, Pong, Refused, Welcome
from mezite.api.tunnel.orders import Data, Dial, Go, Granted, Holding, Open, Rights
from mezite.api.tunnel.talk import End
from mezite.audit.events import Event, Kind
from mezite.model.role import Conditions, Options, Role
from tests.support.clock import FakeClock
from tests.support.nodes import HeldPairs, TunnelHub, add_user, tunnel_hub, until

M = TypeVar("M", bound=AnyMessage)

NAME = "hub.production.mezite"


def present_clock() -> FakeClock:
    """OpenSSL judges certificates by the real time, so a story that uses it has to begin near that."""
    return FakeClock(datetime.now(UTC))


def letting(name: str = "dev", *logins: str, options: Options | None = None, **labels: str) -> Role:
    """A role that lets these logins (or the user's own) into nodes with these labels, or any."""
    wanted = {key: (value,) for key, value in labels.items()} or {"*": ("*",)}
    return Role(
        name,
        options=options or Options(),
        allow=Conditions(node_labels=wanted, logins=logins or ("{{user.name}}",)),
    )


@dataclass
class Node:
    """A node by hand: its papers, and its control line."""

    hub: TunnelHub
    keys: NodeKeys
    membership: Membership
    line: TunnelLine

    @property
    def id(self) -> str:
        return self.membership.issued.node_id

    async def hear(self, kind: type[M]) -> M:
        """The next message but pings, which has to be of this kind."""
        async with asyncio.timeout(5):
            while True:
                message = await self.line.receive()
                if not isinstance(message, Ping):
                    assert isinstance(message, kind), message
                    return message
                self.line.send(Pong(number=message.number))

    async def bring(self, connection_id: str, token: bytes) -> TunnelLine | Refused:
        """The connection the hub asked for; what the hub says about it."""
        line = await dialling.as_node(self.hub.address, self.membership, self.keys)
        line.send(Data(connection_id=connection_id, token=token))
        answer = await line.receive()
        if isinstance(answer, Refused):
            line.tls.abort()
            return answer
        assert isinstance(answer, Go)
        return line

    async def serve(self) -> tuple[Dial, Raw]:
        """Does as it is asked, once."""
        dial = await self.hear(Dial)
        line = await self.bring(dial.connection_id, dial.token)
        assert isinstance(line, TunnelLine)
        return dial, await line.detach()

    def close(self) -> None:
        self.line.tls.abort()


@dataclass(frozen=True)
class Through:
    """A connection that stands, both of its ends in the test's hands."""

    id: str
    granted: Granted
    rights: Rights
    client: Raw
    agent: Raw


@dataclass
class FrontHub:
    hub: TunnelHub
    front: Front
    port: int
    pairs: HeldPairs
    throttle: Throttle
    _given: list[Raw] = field(default_factory=list)

    @property
    def desk(self) -> Desk:
        return self.hub.desk

    @property
    def clock(self) -> FakeClock:
        assert isinstance(self.desk.clock, FakeClock)
        return self.desk.clock

    async def user(self, name: str, *roles: Role) -> Caller:
        return await add_user(self.desk, name, *(roles or (letting(),)))

    async def node(self, name: str = "web-1", *, holds: Collection[str] = (), **labels: str) -> Node:
        """Joined and online."""
        keys = NodeKeys.generate()
        token = await self.hub.token(labels=labels)
        joins = await dialling.to_join(self.hub.address)
        membership = await joining.join(joins, Wish(name, {}, "0.1.0", token), keys, None)
        joins.close()
        return await self.online(keys, membership, holds=holds)

    async def online(self, keys: NodeKeys, membership: Membership, *, holds: Collection[str] = ()) -> Node:
        line = await dialling.as_node(self.hub.address, membership, keys)
        line.send(Hello(agent_version="0.1.0", labels={}))
        assert isinstance(await line.receive(), Welcome)
        line.send(Holding(connection_ids=tuple(holds)))
        return Node(self.hub, keys, membership, line)

    async def dial(self, caller: Caller | None, desk: Desk | None = None) -> TunnelLine:
        """TLS to 3023 under this caller's certificate."""
        keys = NodeKeys.generate()
        pair: tuple[bytes, ...] = ()
        if caller is not None:
            chain = (desk or self.desk).keyring.sign_tls_client(keys.tls_spki, caller.identity)
            pair = (keys.tls_pem, chain.encode())
        context = client_context(self.desk.keyring.tls_authorities_pem.encode(), *pair)
        _, tls = await asyncio.get_running_loop().create_connection(
            lambda: TlsLine(context, new_inbox(), server_name=NAME), "127.0.0.1", self.port
        )
        await tls.handshake()
        return TunnelLine(tls, End.CLIENT, End.HUB)

    async def ask(self, caller: Caller, node: str = "web-1", login: str = "", otp: str = "") -> AnyMessage:
        """What the hub answers to one order."""
        line = await self.dial(caller)
        try:
            line.send(Open(node=node, login=login, otp=otp))
            async with asyncio.timeout(5):
                return await line.receive()
        finally:
            line.tls.abort()

    async def refused(self, caller: Caller, node: str = "web-1", login: str = "") -> Refused:
        answer = await self.ask(caller, node, login)
        assert isinstance(answer, Refused), answer
        return answer

    async def through(self, caller: Caller, node: Node, login: str = "", *, first: bytes = b"") -> Through:
        """A user's connection to a node, all the way."""
        line = await self.dial(caller)
        line.send(Open(node=node.id, login=login))
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            serving = group.create_task(node.serve())
            granted = await line.receive()
            assert isinstance(granted, Granted), granted
            client = await line.detach()
        dial, agent = serving.result()
        self._given += [client, agent]
        await until(lambda: dial.connection_id in self.pairs.taken)
        return Through(dial.connection_id, granted, dial.rights, client, agent)

    async def events(self, kind: Kind) -> list[Event]:
        return await self.hub.events(kind)

    async def rows(self) -> int:
        return await self.desk.store.read(lambda tx: tx.connections.count())

    def close(self) -> None:
        for raw in self._given:
            raw.close()


@asynccontextmanager
async def front_hub(
    *,
    limits: front.Limits | None = None,
    tunnel_limits: TunnelLimits | None = None,
    desk: Desk | None = None,
    clock: FakeClock | None = None,
    pairs: HeldPairs | None = None,
) -> AsyncIterator[FrontHub]:
    clock, pairs = clock or present_clock(), pairs or HeldPairs()
    async with tunnel_hub(clock, desk=desk, limits=tunnel_limits, pairs=pairs) as hub:
        listener, throttle = socket.create_server(("127.0.0.1", 0)), Throttle()
        async with front.serving(hub.desk, listener, hub.server_tls, hub.tunnels, throttle, limits) as served:
            made = FrontHub(hub, served, listener.getsockname()[1], pairs, throttle)
            try:
                yield made
            finally:
                made.close()
        with suppress(OSError):
            listener.close()


def serial(caller: Caller, number: int) -> Caller:
    """The same person under another certificate."""
    return Caller(replace(caller.identity, serial=number), caller.client_ip)
