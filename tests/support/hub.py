"""A whole hub in this process, on ports of the kernel's choice, with SQLite in a scratch directory.

It lives on a loop and thread of its own, so a test is a plain function that calls it over the wire.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from daemons.hub.build import Hub as RunningHub
from daemons.hub.build import hub as whole_hub
from mezite.api.generated import common_pb2, users_pb2
from mezite.client import local
from mezite.client.contact import Contact, meet, parse_proxy
from mezite.client.hub import Hub
from mezite.client.keypairs import tls_pair
from mezite.client.login import Password, enrol, log_in
from mezite.client.methods import USERS_CREATE
from mezite.client.profile import Pass, Profile
from mezite.clock import SystemClock
from mezite.config import Address, AuthSettings, HubSettings, ProxySettings
from mezite.ids import mint_uuid
from mezite.model.identity import Identity, IdentityKind
from mezite.model.node import Node

R = TypeVar("R")

PASSWORD: Final = "correct horse battery"
CLUSTER: Final = "test"
PATIENCE_S: Final = 30.0
ANYWHERE: Final = Address("127.0.0.1", 0)


class ShiftedClock(SystemClock):
    """The real clock and so much more: certificates are held against the real one by TLS itself."""

    def __init__(self) -> None:
        self.shift = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.shift

    @contextmanager
    def shifted(self, by: timedelta) -> Iterator[None]:
        self.shift = by
        try:
            yield
        finally:
            self.shift = timedelta()


@dataclass(slots=True)
class LiveHub:
    settings: HubSettings
    clock: ShiftedClock
    running: RunningHub
    loop: asyncio.AbstractEventLoop
    _contact: Contact | None = field(default=None, init=False)

    @property
    def pin(self) -> str:
        return self.running.desk.keyring.ca_pin

    @property
    def proxy(self) -> Address:
        return Address("127.0.0.1", self.running.ports["proxy.web_listen_addr"])

    @property
    def auth_addr(self) -> str:
        return f"127.0.0.1:{self.running.ports['auth.listen_addr']}"

    @property
    def tls_authorities(self) -> str:
        return self.running.desk.keyring.tls_authorities_pem

    def run(self, work: Coroutine[Any, Any, R]) -> R:
        """Does something inside the hub, on its own loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_S)

    @property
    def contact(self) -> Contact:
        if self._contact is None:
            self._contact = meet(parse_proxy(str(self.proxy)), None, pins=(self.pin,), consent=_no)
        return self._contact

    def enrol_first(self) -> None:
        """The first administrator chooses a password."""
        assert self.running.first_admin is not None
        enrol(self.contact, self.running.first_admin.invitation.token, PASSWORD)

    def create(self, admin: Hub, name: str, *roles: str) -> users_pb2.UserWithEnrolment:
        request = users_pb2.CreateUserRequest(name=name, roles=roles, password=PASSWORD)
        return admin.call(USERS_CREATE, request)

    def log_in(
        self, name: str, *, password: str = PASSWORD, otp: str = "", ttl: timedelta | None = None
    ) -> Profile:
        return log_in(self.contact, Password(name, password, otp), ttl, datetime.now(UTC))

    def dial(self, who: Profile | Pass) -> Hub:
        return Hub(who.as_pass() if isinstance(who, Profile) else who)

    def as_local(self) -> Pass:
        return local.admit(self.settings.data_dir)

    def as_node(self, name: str) -> Pass:
        """A node that never joined: its row and its certificate are made on the spot."""
        desk, pair, now = self.running.desk, tls_pair(), self.clock.now()
        node = Node(mint_uuid(), name, now, "mzj_test")
        self.run(desk.store.write(lambda tx: tx.nodes.insert(node)))
        identity = Identity(
            IdentityKind.NODE, node.id, name, 77, now, now + timedelta(hours=24), roles=("node",)
        )
        pem = desk.keyring.sign_tls_client(pair.public, identity)
        hub = replace(self.contact.hub, auth_addr=self.auth_addr)
        return Pass(hub, pem, pair.private, identity.expires_at)


def hub_settings(data_dir: Path, **changes: Any) -> HubSettings:
    plain = HubSettings(
        cluster_name=CLUSTER,
        data_dir=data_dir,
        auth=AuthSettings(listen_addr=ANYWHERE),
        proxy=ProxySettings(ssh_listen_addr=ANYWHERE, tunnel_listen_addr=ANYWHERE, web_listen_addr=ANYWHERE),
    )
    return replace(plain, **changes)


@contextmanager
def live_hub(settings: HubSettings) -> Iterator[LiveHub]:
    """Serves until left; a hub that fails to start raises here what it raised there."""
    clock, started = ShiftedClock(), threading.Event()
    told: list[LiveHub] = []
    failure: list[BaseException] = []
    stop = asyncio.Event()

    async def life() -> None:
        async with whole_hub(settings, clock=clock) as running:
            told.append(LiveHub(settings, clock, running, asyncio.get_running_loop()))
            started.set()
            await stop.wait()

    def thread() -> None:
        try:
            asyncio.run(life())
        except BaseException as error:  # noqa: BLE001  # carried to the test's own thread
            failure.append(error)
        finally:
            started.set()

    worker = threading.Thread(target=thread, name="hub under test", daemon=True)
    worker.start()
    assert started.wait(PATIENCE_S), "the hub does not start"
    try:
        if told:
            yield told[0]
    finally:
        if told and worker.is_alive():
            told[0].loop.call_soon_threadsafe(stop.set)
        worker.join(PATIENCE_S)
    if failure:
        raise _cause(failure[0])
    assert not worker.is_alive(), "the hub does not stop"


def _cause(error: BaseException) -> BaseException:
    """What a task group wrapped, as `daemons.lifecycle` unwraps it for the one line that it prints."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _no(_cluster: str, _pins: tuple[str, ...]) -> bool:
    return False


EMPTY: Final = common_pb2.Empty()
