"""A real tunnel port on loopback, over a store in memory, and real agents that call it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from daemons.agent.backoff import BackOff
from daemons.agent.identity import Membership, NodeKeys
from daemons.agent.store import NodeStore, open_store
from daemons.agent.tunnel import Phase, Terms, Tunnel
from daemons.hub.desk import node_certs, tokens
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller
from daemons.hub.feed import Feed
from daemons.hub.keyring import open_keyring
from daemons.hub.proxy import tunnels
from daemons.hub.proxy.joining import told
from daemons.hub.proxy.pairs import Told
from daemons.hub.proxy.tunnels import Limits, Tunnels
from daemons.hub.server_tls import ServerTls
from daemons.lifecycle import crew
from mezite.api.tunnel.proof import TokenText, parse_token
from mezite.audit.body import decode
from mezite.audit.events import Event, Kind
from mezite.ca.keys import Seal
from mezite.clock import Clock, SystemClock
from mezite.config import Address
from mezite.ids import mint_uuid
from mezite.model.identity import Identity, IdentityKind
from mezite.model.node import Node
from mezite.model.role import Role
from mezite.model.user import User
from mezite.storage.memory import open_memory
from mezite.storage.ports import Store, Writing
from tests.support.clock import FakeClock

CLUSTER = "production"
SEAL = Seal.from_key(bytes(32))


def administrator(clock: Clock) -> Caller:
    """The admin socket's identity."""
    now = clock.now()
    return Caller(Identity(IdentityKind.LOCAL, "root", "root", 1, now, now + timedelta(days=3650)))


@asynccontextmanager
async def open_desk(
    clock: Clock, *, store: Store | None = None, hub_id: str = "hub_one"
) -> AsyncIterator[Desk]:
    if store is not None:
        yield Desk(store, clock, await open_keyring(store, SEAL, CLUSTER, clock), CLUSTER, hub_id)
        return
    async with open_memory(clock) as own:
        yield Desk(own, clock, await open_keyring(own, SEAL, CLUSTER, clock), CLUSTER, hub_id)


@dataclass(frozen=True)
class HubAddresses:
    auth: str = ":3025"


@dataclass
class HeldPairs:
    """Keeps what it is given and moves nothing: a test has both ends in its hands."""

    taken: dict[str, HeldPair] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    """Of a hub before this one."""
    cuts: list[str] = field(default_factory=list)
    told: Told | None = None

    @asynccontextmanager
    async def open(self, told: Told) -> AsyncIterator[HeldPairs]:
        self.told = told
        yield self
        for pair in self.taken.values():
            pair.close()

    async def take(
        self,
        connection_id: str,
        client: socket.socket,
        agent: socket.socket,
        client_first: bytes,
        agent_first: bytes,
    ) -> None:
        self.taken[connection_id] = HeldPair(client.dup(), agent.dup(), client_first, agent_first)

    async def cut(self, connection_id: str) -> None:
        self.cuts.append(connection_id)
        self.left.discard(connection_id)
        if pair := self.taken.pop(connection_id, None):
            pair.close()
            assert self.told is not None
            await self.told(connection_id, 0, 0, "cut")

    def pairs(self) -> Collection[str]:
        return {*self.taken, *self.left}


@dataclass(frozen=True)
class HeldPair:
    client: socket.socket
    agent: socket.socket
    client_first: bytes
    agent_first: bytes

    def close(self) -> None:
        self.client.close()
        self.agent.close()


@dataclass
class TunnelHub:
    desk: Desk
    tunnels: Tunnels
    server_tls: ServerTls
    port: int

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", self.port)

    @property
    def admin(self) -> Caller:
        return administrator(self.desk.clock)

    async def token(self, **terms: object) -> TokenText:
        terms = {"roles": ("node",), "ttl": timedelta(hours=1), "uses": 1, **terms}
        return parse_token((await tokens.create(self.desk, self.admin, **terms))[1])  # type: ignore[arg-type]  # as given

    async def events(self, kind: Kind) -> list[Event]:
        records = await self.desk.store.read(lambda tx: tx.audit.records(after=0, limit=10_000))
        return [event for record in records if (event := decode(record.body)).kind is kind]


@asynccontextmanager
async def tunnel_hub(
    clock: Clock | None = None,
    *,
    desk: Desk | None = None,
    limits: Limits | None = None,
    port: int = 0,
    pairs: HeldPairs | None = None,
) -> AsyncIterator[TunnelHub]:
    clock = clock or SystemClock()
    if desk is None:
        async with open_desk(clock) as own:
            async with tunnel_hub(clock, desk=own, limits=limits, port=port, pairs=pairs) as hub:
                yield hub
            return
    listener = socket.create_server(("127.0.0.1", port))
    server_tls = ServerTls(desk.keyring, desk.hub_id, clock, names=("127.0.0.1",))
    feed = Feed(desk.store)
    async with tunnels.serving(
        desk, feed, listener, server_tls, HubAddresses, (pairs or HeldPairs()).open, limits
    ) as serving:
        yield TunnelHub(desk, serving, server_tls, listener.getsockname()[1])


@dataclass
class RunningAgent:
    tunnel: Tunnel
    store: NodeStore
    phases: list[Phase] = field(default_factory=list)
    turned: asyncio.Event = field(default_factory=asyncio.Event)
    life: asyncio.Task[object] | None = None

    def told(self, phase: Phase) -> None:
        self.phases.append(phase)
        self.turned.set()

    async def reached(self, phase: Phase, *, after: int = 0) -> int:
        """Waits until it comes to this phase, later than its `after`th turn; the number of that turn."""
        while True:
            for number, each in enumerate(self.phases[after:], start=after + 1):
                if each is phase:
                    return number
            self.turned.clear()
            await self.turned.wait()

    async def stop(self) -> None:
        assert self.life is not None
        self.life.cancel()
        await asyncio.wait({self.life})

    @property
    def node_id(self) -> str:
        assert self.tunnel.membership is not None
        return self.tunnel.membership.issued.node_id


@asynccontextmanager
async def running_agent(
    directory: Path,
    address: Address,
    *,
    name: str = "web-1",
    labels: Mapping[str, str] | None = None,
    token: TokenText | None = None,
    pins: tuple[str, ...] = (),
    clock: Clock | None = None,
) -> AsyncIterator[RunningAgent]:
    """The agent's own code, at work until the block ends. Its pauses are short."""
    running: list[RunningAgent] = []
    with open_store(directory) as store:
        terms = Terms(address, name, labels or {}, token, pins)
        tunnel = Tunnel(
            terms,
            store,
            clock or SystemClock(),
            told=lambda phase: running[0].told(phase),
            back_off=BackOff(lambda low, high: min(high, 0.05)),
        )
        running.append(RunningAgent(tunnel, store))
        async with crew() as start:
            running[0].life = start(tunnel.live(), name="agent")
            yield running[0]


async def until(holds: Callable[[], bool], *, within_s: float = 5.0) -> None:
    """Lets the loop turn until something holds; the bound only keeps a broken test from hanging."""
    async with asyncio.timeout(within_s):
        while not holds():  # noqa: ASYNC110  what is watched belongs to the product, which has no event for tests
            await asyncio.sleep(0.005)


async def add_user(desk: Desk, name: str, *roles: Role) -> Caller:
    """A user with these roles, stored if they are not built in; and the user's certificate."""
    now = desk.clock.now()
    user = User(f"user_{name}", name, tuple(role.name for role in roles), now, "test", logins=(name,))

    def unit(tx: Writing) -> None:
        for role in roles:
            if not role.builtin and tx.roles.get(role.name) is None:
                tx.roles.insert(role)
        tx.users.insert(user)

    await desk.store.write(unit)
    return Caller(
        Identity(IdentityKind.USER, user.id, name, 2, now, now + timedelta(hours=12), roles=user.roles)
    )


async def add_node(desk: Desk, name: str, **labels: str) -> Node:
    node = Node(mint_uuid(), name, desk.clock.now(), "tok_000000000000", own_labels=labels, version="0.1.0")
    return await desk.store.write(lambda tx: tx.nodes.insert(node))


def node_caller(desk: Desk, node: Node, *, client_ip: str = "192.0.2.7") -> Caller:
    """What a node's certificate says."""
    now = desk.clock.now()
    return Caller(
        Identity(IdentityKind.NODE, node.id, node.name, 3, now, now + timedelta(hours=24), roles=("node",)),
        client_ip,
    )


async def membership_of(keys: NodeKeys) -> Membership:
    """What a cluster of its own issues for these keys, as of the fake clock's start."""
    clock = FakeClock()
    async with open_desk(clock) as desk:
        node = await add_node(desk, "web-1")
        issued = node_certs.issue(
            desk, node, node_certs.NodeKeys(keys.host_line, keys.tls_spki), now=clock.now()
        )
        return Membership(issued=told(desk, issued), token_id="tok_000000000000", auth_addr=":3025")
