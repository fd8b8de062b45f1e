"""The composition root of a hub: the only place that names concrete stores, clocks and listeners.

Everything is bound before anything is served, and closed in the reverse order; the story of a life is
`daemons.lifecycle`'s.
"""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from daemons.hub import admin_socket, janitor
from daemons.hub.admin_socket import AdminSocket
from daemons.hub.binding import bind, port_of
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.logins import Logins
from daemons.hub.desk.second_factor import SecondFactor
from daemons.hub.desk.trail import Heads
from daemons.hub.feed import Feed
from daemons.hub.first_start import Welcome, welcome
from daemons.hub.hub_id import hub_id
from daemons.hub.keyring import claim_cluster, open_keyring, seal_key_file
from daemons.hub.metrics import Metrics
from daemons.hub.proof.passwords import Passwords
from daemons.hub.proof.throttle import Throttle
from daemons.hub.proxy import front, tunnels
from daemons.hub.proxy.relays import RelaySettings, process_to_end_with, relays
from daemons.hub.rpc import server as rpc
from daemons.hub.rpc.access import Access
from daemons.hub.rpc.audit import Audit
from daemons.hub.rpc.authorities import Authorities
from daemons.hub.rpc.door import Door
from daemons.hub.rpc.feed import Feed as FeedService
from daemons.hub.rpc.identity import Identity
from daemons.hub.rpc.locks import Locks
from daemons.hub.rpc.nodes import Nodes, Tokens
from daemons.hub.rpc.roles import Roles
from daemons.hub.rpc.status import Status
from daemons.hub.rpc.users import Users
from daemons.hub.server_tls import ServerTls
from daemons.hub.web import server as web
from daemons.hub.web.login import Addresses
from daemons.lifecycle import crew
from mezite.ca.keys import Seal
from mezite.clock import Clock, SystemClock
from mezite.config import Address, DatabaseDriver, HubSettings
from mezite.errors import SettingsError
from mezite.model.cluster import Cluster
from mezite.storage.ports import Store

EVERYWHERE: Final = ("", "0.0.0.0", "::")  # noqa: S104  # recognised, not bound
"""Listen addresses that name no host a client could dial."""


@dataclass(frozen=True, slots=True)
class Hub:
    """A running hub, as whoever started it may need to know it."""

    desk: Desk
    addresses: Addresses
    ports: dict[str, int]
    first_admin: Welcome | None
    seal_key_made: Path | None


@asynccontextmanager
async def hub(
    settings: HubSettings, *, clock: Clock | None = None, told: Callable[[Hub], None] = lambda _hub: None
) -> AsyncIterator[Hub]:
    """A hub from its settings, serving until left. `told` hears of it once it answers."""
    clock = clock or SystemClock()
    if not settings.auth.enabled and settings.database.driver is DatabaseDriver.SQLITE:
        raise SettingsError(
            ["auth.enabled: false, but the embedded database belongs to the auth service alone"]
        )
    own_web = _own_web_context(settings)
    async with AsyncExitStack() as stack:
        listeners = {
            key: stack.enter_context(bind(key, address))
            for key, address in (
                ("proxy.ssh_listen_addr", settings.proxy.ssh_listen_addr),
                ("proxy.web_listen_addr", settings.proxy.web_listen_addr),
                ("proxy.tunnel_listen_addr", settings.proxy.tunnel_listen_addr),
            )
            if settings.proxy.enabled
        }
        store = await stack.enter_async_context(_opened(settings, clock))
        cluster = await claim_cluster(store, settings.cluster_name, clock)
        seal, made = await _seal(settings, cluster, store)
        keyring = await open_keyring(store, seal, cluster.name, clock)
        desk = Desk(store, clock, keyring, cluster.name, hub_id(settings.data_dir))
        feed, metrics = Feed(store), Metrics()
        heads = Heads(desk, settings.data_dir / "audit-heads.log")
        passwords = Passwords()
        stack.callback(passwords.close)
        server_tls = ServerTls(keyring, desk.hub_id, clock, names=_names(settings))
        start = await stack.enter_async_context(crew())
        await stack.enter_async_context(janitor.chores(desk, feed, heads, server_tls, metrics, start))

        ports = {key: port_of(listener) for key, listener in listeners.items()}
        where = _Where(settings, ports)
        throttle = Throttle()
        logins = Logins(desk, passwords, throttle, metrics.login)
        if settings.auth.enabled:
            door = Door(desk, metrics)
            services = rpc.Services(
                identity=Identity(door, SecondFactor(desk, passwords, throttle), where.public_web),
                users=Users(door, passwords),
                roles=Roles(door),
                nodes=Nodes(door),
                tokens=Tokens(door),
                locks=Locks(door),
                audit=Audit(door, feed, heads),
                authorities=Authorities(door),
                access=Access(door),
                feed=FeedService(door, feed),
                status=Status(door, clock.now(), settings.database.driver.value),
            )
            ports["auth.listen_addr"] = await stack.enter_async_context(
                rpc.serving(services, address=_grpc(settings.auth.listen_addr), tls=server_tls)
            )
            admin = AdminSocket(desk, lambda: where.auth, lambda: where.public_web)
            await stack.enter_async_context(admin_socket.serving(admin, settings.data_dir / "admin.sock"))
        if settings.proxy.enabled:
            carriers = RelaySettings(settings.data_dir / "relays", end_with=process_to_end_with(os.environ))
            port = await stack.enter_async_context(
                tunnels.serving(
                    desk,
                    feed,
                    listeners["proxy.tunnel_listen_addr"],
                    server_tls,
                    where.addresses,
                    partial(relays, carriers),
                )
            )
            await stack.enter_async_context(
                front.serving(desk, listeners["proxy.ssh_listen_addr"], server_tls, port, throttle)
            )
            app = web.application(
                logins, metrics, {"database": janitor.database_answers(store)}, where.addresses, clock.now
            )
            shown = own_web or server_tls.context()
            await stack.enter_async_context(web.serving(app, listeners["proxy.web_listen_addr"], shown))
        running = Hub(
            desk,
            where.addresses(),
            ports,
            await welcome(desk, where.public_web) if settings.auth.enabled else None,
            settings.data_dir / "seal.key" if made else None,
        )
        told(running)
        yield running


def _opened(settings: HubSettings, clock: Clock) -> AbstractAsyncContextManager[Store]:
    match settings.database.driver:
        case DatabaseDriver.SQLITE:
            from mezite.storage.sqlite import open_sqlite

            return open_sqlite(settings.data_dir, clock)
        case DatabaseDriver.POSTGRES:
            from mezite.storage.postgres import open_postgres

            assert settings.database.url is not None, "held by the settings' own rules"
            settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
            return open_postgres(settings.database.url.reveal(), clock)


async def _seal(settings: HubSettings, cluster: Cluster, store: Store) -> tuple[Seal, bool]:
    """The seal over the cluster's keys, and whether a fresh key file was made for it."""
    passphrase = settings.auth.ca_key_passphrase
    if passphrase is None:
        sealed = await store.read(lambda tx: tx.authorities.count() > 0)
        return await asyncio.to_thread(seal_key_file, settings.data_dir / "seal.key", sealed_already=sealed)
    return await asyncio.to_thread(Seal.from_passphrase, passphrase.reveal(), cluster.seal_salt), False


def _own_web_context(settings: HubSettings) -> ssl.SSLContext | None:
    """What the operator's own certificate makes of the web's TLS; None when there is none."""
    files = settings.proxy.tls
    if files.cert_file is None or files.key_file is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(files.cert_file, files.key_file)
    except (OSError, ssl.SSLError) as error:
        raise SettingsError(
            [f"proxy.tls.cert_file: {files.cert_file} and its key do not load: {error}"]
        ) from None
    return context


def _names(settings: HubSettings) -> list[str]:
    addresses = (settings.proxy.public_addr, settings.auth.listen_addr, settings.proxy.web_listen_addr)
    named = [address.host for address in addresses if address is not None and address.host not in EVERYWHERE]
    return list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *named]))


def _grpc(address: Address) -> str:
    return f"[::]:{address.port}" if not address.host else str(address)


@dataclass(frozen=True, slots=True)
class _Where:
    """The addresses told to clients, from the settings and the ports that were really bound."""

    settings: HubSettings
    ports: dict[str, int]

    def addresses(self) -> Addresses:
        public = self.settings.proxy.public_addr
        return Addresses(
            public=str(public) if public else None,
            auth=self.auth,
            ssh=self._shown("proxy.ssh_listen_addr", self.settings.proxy.ssh_listen_addr),
            tunnel=self._shown("proxy.tunnel_listen_addr", self.settings.proxy.tunnel_listen_addr),
            web=self._shown("proxy.web_listen_addr", self.settings.proxy.web_listen_addr),
        )

    @property
    def auth(self) -> str:
        return self._shown("auth.listen_addr", self.settings.auth.listen_addr)

    @property
    def public_web(self) -> str:
        """What a person types after `--proxy=`."""
        if self.settings.proxy.public_addr is not None:
            return str(self.settings.proxy.public_addr)
        listen = self.settings.proxy.web_listen_addr
        port = self.ports.get("proxy.web_listen_addr", listen.port)
        return str(Address(listen.host if listen.host not in EVERYWHERE else "127.0.0.1", port))

    def _shown(self, key: str, address: Address) -> str:
        host = "" if address.host in EVERYWHERE else address.host
        return str(Address(host, self.ports.get(key, address.port)))
