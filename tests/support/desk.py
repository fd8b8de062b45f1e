"""A desk with everything behind it, in memory: the clock stands until told, Argon2 is cheap and counts.

`Office` is the desk and the people of a story: it makes users, roles and callers in one line each.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from typing import Any, Final

from argon2 import PasswordHasher

from daemons.hub.desk import roles, users
from daemons.hub.desk.certs import PublicKeys
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.logins import Logins, Proof
from daemons.hub.desk.second_factor import SecondFactor
from daemons.hub.desk.users import Invitation, NewUser
from daemons.hub.desk.who import Caller
from daemons.hub.keyring import claim_cluster, open_keyring
from daemons.hub.proof.passwords import Passwords
from daemons.hub.proof.throttle import Throttle
from mezite import ids
from mezite.audit import body
from mezite.audit.events import Event, ForeignKind, Kind
from mezite.client.keypairs import ssh_pair, tls_pair
from mezite.model.authority import AuthorityKind
from mezite.model.identity import Identity, IdentityKind
from mezite.model.node import Node
from mezite.model.user import Credential, User, UserKind
from mezite.storage.memory import open_memory
from mezite.storage.ports import Store
from tests.support.authorities import CLUSTER, seal
from tests.support.clock import FakeClock

PASSWORD: Final = "correct horse battery"
ADDRESS: Final = "192.0.2.7"


class CountingHasher(PasswordHasher):
    """The real Argon2id, at a cost that tests can bear; `runs` counts hashes and checks alike."""

    def __init__(self) -> None:
        super().__init__(time_cost=1, memory_cost=8, parallelism=1)
        self.runs = 0

    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> str:
        self.runs += 1
        return super().hash(password, salt=salt)

    def verify(self, hash: str | bytes, password: str | bytes) -> Any:
        self.runs += 1
        return super().verify(hash, password)


@cache
def keys() -> PublicKeys:
    """Public keys to be certified, the same all through the run."""
    return PublicKeys(tls_spki=tls_pair().public, ssh_line=ssh_pair().public)


@dataclass(slots=True)
class Office:
    desk: Desk
    clock: FakeClock
    hasher: CountingHasher
    passwords: Passwords
    throttle: Throttle
    logins: Logins
    second_factor: SecondFactor
    local: Caller = field(init=False)
    """Whoever sits at the hub's machine: administers, is nobody."""

    def __post_init__(self) -> None:
        local = self._identity(IdentityKind.LOCAL, "root", "root", ("admin",))
        self.local = Caller(replace(local, expires_at=self.clock.now() + timedelta(days=3650)))

    @property
    def store(self) -> Store:
        return self.desk.store

    async def user(self, name: str, *roles_: str, password: str | None = PASSWORD, **fields: Any) -> User:
        """Made over the desk, as an administrator would."""
        if fields.get("kind") is UserKind.MACHINE:
            password = None
        wanted = NewUser(name, roles=roles_, password=password, **fields)
        view, _ = await users.create(self.desk, self.passwords, self.local, wanted)
        return view.user

    async def invited(self, name: str, *roles_: str) -> Invitation:
        wanted = NewUser(name, roles=roles_)
        _, invitation = await users.create(self.desk, self.passwords, self.local, wanted)
        assert invitation is not None
        return invitation

    async def role(self, name: str, spec: str = "{}") -> None:
        """`spec` is YAML's flow form: `{allow: {rules: [...]}}`."""
        text = f"kind: role\nmetadata: {{name: {name}}}\nspec: {spec}\n"
        await roles.put(self.desk, self.local, text, replacing=True)

    async def caller(self, name: str, *, ttl: timedelta = timedelta(hours=1), mfa: bool = False) -> Caller:
        """A caller with a certificate of this moment for the user, with the roles held at this moment."""
        user = await self.named(name)
        identity = self._identity(IdentityKind.USER, user.id, user.name, user.roles)
        return Caller(replace(identity, expires_at=self.clock.now() + ttl, mfa=mfa), ADDRESS)

    async def person(self, name: str, *roles_: str) -> Caller:
        """A user and a caller in one breath."""
        await self.user(name, *roles_)
        return await self.caller(name)

    async def node(self, name: str, labels: Mapping[str, str] | None = None) -> Node:
        node = Node(ids.mint_uuid(), name, self.clock.now(), "mzj_test", own_labels=labels or {})
        return await self.store.write(lambda tx: tx.nodes.insert(node))

    def node_caller(self, node: Node) -> Caller:
        return Caller(self._identity(IdentityKind.NODE, node.id, node.name, ("node",)), ADDRESS)

    async def named(self, name: str) -> User:
        user = await self.store.read(lambda tx: tx.users.one(name=name))
        assert user is not None, f"no user {name} in this story"
        return user

    async def credential(self, name: str) -> Credential:
        user = await self.named(name)
        credential = await self.store.read(lambda tx: tx.credentials.get(user.id))
        assert credential is not None
        return credential

    async def authority(self, kind: AuthorityKind) -> bytes:
        """The public key of one of the cluster's authorities."""
        [stored] = await self.store.read(lambda tx: tx.authorities.all(kind=kind.value))
        return stored.public

    async def events(self, kind: Kind | None = None) -> list[Event]:
        """The log, oldest first; all of it, or one kind."""
        records = await self.store.read(lambda tx: tx.audit.records(after=0, limit=10_000))
        events = [body.decode(record.body) for record in records]
        return [event for event in events if kind in (None, event.kind)]

    async def newest(self) -> Event:
        return (await self.events())[-1]

    async def kinds(self) -> list[Kind | ForeignKind]:
        return [event.kind for event in await self.events()]

    def proof(self, name: str, password: str = PASSWORD, otp: str = "", address: str = ADDRESS) -> Proof:
        return Proof(name, password, otp, address)

    def pass_time(self, **amount: float) -> None:
        self.clock.advance(timedelta(**amount))

    def _identity(self, kind: IdentityKind, id_: str, name: str, roles_: tuple[str, ...]) -> Identity:
        now = self.clock.now()
        return Identity(kind, id_, name, secrets.randbits(62) | 1, now, now + timedelta(hours=1), roles_)


@asynccontextmanager
async def open_office(clock: FakeClock | None = None, store: Store | None = None) -> AsyncIterator[Office]:
    """Over a store of one's own or, without one, in memory."""
    clock = clock or FakeClock()
    async with open_memory(clock) if store is None else nullcontext(store) as store:
        await claim_cluster(store, CLUSTER, clock)
        keyring = await open_keyring(store, seal(), CLUSTER, clock)
        desk = Desk(store, clock, keyring, CLUSTER, "hub_test")
        hasher = CountingHasher()
        passwords = Passwords(hasher=hasher)
        throttle = Throttle()
        try:
            yield Office(
                desk,
                clock,
                hasher,
                passwords,
                throttle,
                Logins(desk, passwords, throttle),
                SecondFactor(desk, passwords, throttle),
            )
        finally:
            passwords.close()
