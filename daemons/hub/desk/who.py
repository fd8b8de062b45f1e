"""Who asks, and what that identity is worth at this moment.

The rules, which every door of the hub shares:

1. A certificate says who; the present state says what. A user who was deleted or locked is out at once.
2. Effective roles are those in the certificate that the user holds now: a role taken away is gone at the next
   call, one that was added comes with the next certificate.
3. A password change or reset ends every certificate and token issued before it.
4. The admin socket's identity administers like the built-in `admin`, and is no person: it has no user, so
   whatever asks for a human's vote refuses it.
5. A node may do what nodes do, and nothing on the resources that roles speak of.
6. One reference time per decision.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from mezite.audit.events import Detail, Event, Kind
from mezite.errors import Denied, NotLoggedIn
from mezite.ids import mint_uuid
from mezite.model.identity import Identity, IdentityKind
from mezite.model.lock import Lock, LockTarget
from mezite.model.node import Node
from mezite.model.role import Role, Verb
from mezite.model.user import User
from mezite.predicate.kinds import Facts
from mezite.rbac.builtin import BUILTIN
from mezite.rbac.decide import admin, hangs_on_facts
from mezite.rbac.subject import Subject
from mezite.storage.ports import Reading

LOGIN_AGAIN = "run `msh login`"


@dataclass(frozen=True, slots=True)
class Caller:
    """What the wire proved: an identity by its certificate, and an address. A claim, not yet a right."""

    identity: Identity
    client_ip: str = ""

    @property
    def key(self) -> str:
        """One word for the identity, whatever certificate it shows: for what is counted per caller."""
        return f"{self.identity.kind}:{self.identity.id}"


@dataclass(frozen=True, slots=True)
class Standing:
    """A caller held against the present state, at one moment. Lives no longer than the unit that made it."""

    caller: Caller
    now: datetime
    roles: tuple[Role, ...]
    user: User | None = None
    node: Node | None = None

    @property
    def name(self) -> str:
        """As the audit log says it: `alice`, `local:root`, `node:web-1`."""
        match self.caller.identity.kind:
            case IdentityKind.NODE:
                return f"node:{self.node.name if self.node else self.caller.identity.name}"
            case IdentityKind.LOCAL:
                return f"local:{self.caller.identity.name}"
            case IdentityKind.HUB:
                return "system"
            case IdentityKind.USER:
                return self.user.name if self.user else self.caller.identity.name

    @property
    def subject(self) -> Subject:
        return subject_of(self.user, self.roles) if self.user else Subject(id=self.name, name=self.name)

    @property
    def person(self) -> User:
        """The user behind the call, for what only a user has: a password, votes, certificates."""
        if self.user is None:
            raise Denied(f"{self.name} is not a user; {LOGIN_AGAIN}", code="not_a_user")
        return self.user

    def may(self, resource: str, verb: Verb, facts: Facts | None = None) -> bool:
        return bool(admin(self.subject, self.roles, resource, verb, facts))

    def require(self, resource: str, verb: Verb, facts: Facts | None = None) -> None:
        """Raises `Denied`, with the clauses as evidence for the log, unless the roles allow it."""
        decision = admin(self.subject, self.roles, resource, verb, facts)
        if not decision:
            reasons = "; ".join(f"{clause.role}: {clause.reason}" for clause in decision.clauses)
            raise Denied(
                f"you may not {verb} {resource}",
                evidence=f"{verb} {resource}: {reasons or 'no role allows it'}",
            )

    def sieve(self, resource: str, verb: Verb) -> Callable[[Facts], bool]:
        """On which things of a kind the verb is allowed; `Denied` when that can be none of them."""
        if hangs_on_facts(self.roles, resource, verb):
            return partial(self.may, resource, verb)
        self.require(resource, verb)
        return lambda _facts: True

    def event(
        self, kind: Kind, *, success: bool = True, resource: str = "", reason: str = "", **details: Detail
    ) -> Event:
        """An event of this actor, at this moment."""
        return Event(
            id=mint_uuid(),
            time=self.now,
            kind=kind,
            user=self.name,
            user_id=self.user.id if self.user else "",
            roles=tuple(role.name for role in self.roles),
            success=success,
            resource=resource,
            reason=reason,
            client_ip=self.caller.client_ip,
            details=details,
        )


def standing(tx: Reading, caller: Caller, now: datetime) -> Standing:
    """What the caller is worth now; `NotLoggedIn` if nothing."""
    identity = caller.identity
    if identity.expires_at <= now:
        raise NotLoggedIn(f"your certificate has expired; {LOGIN_AGAIN}", code="expired")
    match identity.kind:
        case IdentityKind.USER:
            return _user_standing(tx, caller, now)
        case IdentityKind.NODE:
            return _node_standing(tx, caller, now)
        case IdentityKind.LOCAL:
            return Standing(caller, now, (BUILTIN["admin"],))
        case IdentityKind.HUB:
            raise NotLoggedIn(
                "a hub's certificate opens nothing", evidence="hub certificate used as a client's"
            )


def _user_standing(tx: Reading, caller: Caller, now: datetime) -> Standing:
    identity = caller.identity
    user = tx.users.get(identity.id)
    if user is None:
        raise NotLoggedIn(
            f"this login is no longer valid; {LOGIN_AGAIN}", evidence=f"user {identity.name} was deleted"
        )
    held = set(user.roles)
    effective = [name for name in identity.roles if name in held]
    check_current(tx, user, identity.issued_at, now, roles=user.roles, serial=identity.serial)
    return Standing(caller, now, tuple(roles_named(tx, effective)), user=user)


def _node_standing(tx: Reading, caller: Caller, now: datetime) -> Standing:
    node = tx.nodes.get(caller.identity.id)
    if node is None:
        raise NotLoggedIn("this node was removed; join again with a token", evidence="node was removed")
    if lock := lock_on(tx, now, [(LockTarget.NODE, node.id), (LockTarget.CERT, str(caller.identity.serial))]):
        raise NotLoggedIn(
            "this node is locked; ask an administrator", evidence=f"lock {lock.id}", code="locked"
        )
    return Standing(caller, now, (), node=node)


def check_current(
    tx: Reading,
    user: User,
    issued_at: datetime,
    now: datetime,
    *,
    roles: Iterable[str],
    serial: int | None = None,
) -> None:
    """Raises `NotLoggedIn` if a login of this user, issued then, must no longer be honoured."""
    if user.logins_valid_from is not None and issued_at < user.logins_valid_from:
        raise NotLoggedIn(
            f"this login is no longer valid; {LOGIN_AGAIN}", evidence="issued before a password change"
        )
    targets = [(LockTarget.USER, user.id), *((LockTarget.ROLE, role) for role in roles)]
    if serial is not None:
        targets.append((LockTarget.CERT, str(serial)))
    if lock := lock_on(tx, now, targets):
        why = f": {lock.message}" if lock.message else ""
        raise NotLoggedIn(f"locked{why}; ask an administrator", evidence=f"lock {lock.id}", code="locked")


def lock_on(tx: Reading, now: datetime, targets: Iterable[tuple[LockTarget, str]]) -> Lock | None:
    """The first lock in force on any of the targets."""
    if tx.locks.count() == 0:
        return None
    for target, value in targets:
        for lock in tx.locks.all(target=target.value, value=value):
            if lock.in_force(now):
                return lock
    return None


def roles_named(tx: Reading, names: Iterable[str]) -> list[Role]:
    """The roles that exist under these names; one deleted meanwhile gives nothing."""
    return [role for name in names if (role := role_named(tx, name)) is not None]


def role_named(tx: Reading, name: str) -> Role | None:
    return BUILTIN.get(name) or tx.roles.get(name)


def subject_of(user: User, roles: Iterable[Role]) -> Subject:
    return Subject(
        id=user.id,
        name=user.name,
        logins=user.logins,
        traits=user.traits,
        roles=tuple(role.name for role in roles),
    )
