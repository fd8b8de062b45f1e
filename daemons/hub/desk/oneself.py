"""What somebody may know of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing
from mezite.rbac.roleset import RoleSet
from mezite.storage.ports import Reading


@dataclass(frozen=True, slots=True)
class Oneself:
    name: str
    roles: tuple[str, ...]
    logins: tuple[str, ...]
    traits: Mapping[str, tuple[str, ...]]
    mfa_enrolled: bool


async def describe(desk: Desk, caller: Caller) -> Oneself:
    def query(tx: Reading, who: Standing) -> Oneself:
        credential = tx.credentials.get(who.user.id) if who.user else None
        return Oneself(
            name=who.name,
            roles=tuple(role.name for role in who.roles),
            logins=RoleSet(who.subject, who.roles).principals(),
            traits=who.user.traits if who.user else {},
            mfa_enrolled=credential is not None and credential.totp is not None and credential.totp.confirmed,
        )

    return await desk.look(caller, query)
