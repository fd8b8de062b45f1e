"""Certificates for people and machines: the SSH one and its X.509 twin, issued together.

How long: the least of what was asked, 12 hours (24 at most when asked), what the roles allow, and, when a
certificate asks for its successor, its own end: renewing refreshes rights, it does not prolong a login.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk import giving
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.users import named
from daemons.hub.desk.who import Caller, Standing, check_current, roles_named, subject_of
from mezite.audit.events import Event, Kind
from mezite.errors import Conflict, Invalid, NotLoggedIn
from mezite.ids import mint_uuid
from mezite.model.identity import Identity, IdentityKind, Origin
from mezite.model.role import Role, Verb
from mezite.model.user import User, UserKind
from mezite.rbac.roleset import RoleSet
from mezite.storage.ports import Reading, Writing

DEFAULT_TTL: Final = timedelta(hours=12)
CAP: Final = timedelta(hours=24)
SHORTEST: Final = timedelta(seconds=1)
TOKEN_TTL: Final = timedelta(minutes=10)
"""Of certificates that an access token is exchanged for: revoking the token bites within this time."""


@dataclass(frozen=True, slots=True)
class PublicKeys:
    """What is to be certified. A web login has neither; an exchanged token may have only the TLS one."""

    tls_spki: bytes
    ssh_line: str = ""


@dataclass(frozen=True, slots=True)
class Issued:
    """One login's certificates, and what they say, for whoever stores them."""

    identity: Identity
    user: User
    logins: tuple[str, ...]
    tls_pem: str
    ssh_line: str


async def renew(desk: Desk, caller: Caller, keys: PublicKeys, ttl: timedelta | None) -> Issued:
    """Fresh certificates with the rights of this moment, ending no later than the one that asks."""

    def unit(tx: Writing, who: Standing) -> Issued:
        until = who.caller.identity.expires_at
        issued, event = issue(
            desk,
            tx,
            who.person,
            keys,
            now=who.now,
            ttl=ttl,
            mfa=who.caller.identity.mfa,
            until=until,
            client_ip=caller.client_ip,
            why="renewed",
            origin=who.caller.identity.origin,
        )
        tx.record(event)
        return issued

    return await desk.act(caller, unit)


async def sign(desk: Desk, caller: Caller, name: str, keys: PublicKeys, ttl: timedelta | None) -> Issued:
    """Certificates of another user, on an administrator's word: for CI and machines."""

    def unit(tx: Writing, who: Standing) -> Issued:
        who.require("authorities", Verb.CREATE)
        user = named(tx, name)
        if user.kind is UserKind.HUMAN and who.user is not None and who.user.id == user.id:
            raise Invalid("sign for others; your own certificates come from `msh login`")
        giving.require_power_over(who, user)
        _check_unlocked(tx, user, who)
        issued, event = issue(
            desk,
            tx,
            user,
            keys,
            now=who.now,
            ttl=ttl,
            mfa=False,
            client_ip=caller.client_ip,
            why=f"signed by {who.name}",
            origin=Origin.SIGNED,
        )
        tx.record(event)
        return issued

    return await desk.act(caller, unit)


def _check_unlocked(tx: Reading, user: User, who: Standing) -> None:
    """A plain sshd knows no locks: what is signed for somebody who is locked would open it all the same."""
    try:
        check_current(tx, user, who.now, who.now, roles=user.roles)
    except NotLoggedIn as refusal:
        raise Conflict(f"{user.name} is {refusal.message}", code="locked") from None


def issue(
    desk: Desk,
    tx: Reading,
    user: User,
    keys: PublicKeys,
    *,
    now: datetime,
    ttl: timedelta | None,
    mfa: bool,
    client_ip: str,
    why: str,
    origin: Origin = Origin.LOGIN,
    until: datetime | None = None,
) -> tuple[Issued, Event]:
    """The certificates, and the event that tells of them. They leave the hub only after the unit's commit."""
    roles = roles_named(tx, user.roles)
    expires_at = now + _lifetime(ttl, roles)
    if until is not None:
        expires_at = min(expires_at, until)
    identity = Identity(
        kind=IdentityKind.USER,
        id=user.id,
        name=user.name,
        serial=secrets.randbits(63) | 1,
        issued_at=now,
        expires_at=expires_at,
        roles=tuple(role.name for role in roles),
        traits=user.traits,
        mfa=mfa,
        origin=origin,
    )
    role_set = RoleSet(subject_of(user, roles), roles)
    logins = role_set.principals()
    ssh_line = ""
    if keys.ssh_line:
        ssh_line = desk.keyring.sign_ssh_user(
            keys.ssh_line, identity, principals=logins, terms=role_set.held_options()
        )
    tls_pem = desk.keyring.sign_tls_client(keys.tls_spki, identity)
    event = Event(
        id=mint_uuid(),
        time=now,
        kind=Kind.CERT_ISSUED,
        user=user.name,
        user_id=user.id,
        roles=identity.roles,
        client_ip=client_ip,
        reason=why,
        details={
            "serial": str(identity.serial),
            "until": expires_at.isoformat(),
            "mfa": mfa,
            "logins": logins,
        },
    )
    return Issued(identity, user, logins, tls_pem, ssh_line), event


def _lifetime(asked: timedelta | None, roles: Sequence[Role]) -> timedelta:
    if asked is not None and not SHORTEST <= asked <= CAP:
        raise Invalid("a login lasts from 1s to 24h")
    limits = [role.options.max_session_ttl for role in roles if role.options.max_session_ttl is not None]
    return min([asked or DEFAULT_TTL, CAP, *limits])
