"""The first administrator: there is no default password, only a one-time right to choose one."""

from __future__ import annotations

from dataclasses import dataclass

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.users import INVITE_TTL, Invitation, invite
from mezite import ids
from mezite.audit.events import Kind
from mezite.model.change import ChangeKind
from mezite.model.user import Credential, EnrolmentPurpose, User
from mezite.storage.ports import Writing

NAME = "admin"


@dataclass(frozen=True, slots=True)
class Welcome:
    """What is printed, once, for whoever started the hub."""

    invitation: Invitation
    command: str


async def welcome(desk: Desk, proxy: str) -> Welcome | None:
    """The invitation of the first administrator; None once any user can log in.

    Each start gives a fresh one until somebody used it, and ends the one before: a lost terminal locks nobody
    out.
    """

    def unit(tx: Writing) -> Invitation | None:
        users = tx.users.all()
        if any((found := tx.credentials.get(user.id)) and found.password_hash for user in users):
            return None
        now = desk.clock.now()
        user = tx.users.one(name=NAME)
        if user is None:
            user = tx.users.insert(User(ids.mint("usr"), NAME, ("admin",), now, "system"))
            tx.credentials.insert(Credential(user.id))
            tx.record(
                desk.event(
                    Kind.USER_CREATED, user="system", now=now, resource=NAME, details={"roles": ("admin",)}
                )
            )
            tx.changed(ChangeKind.USER, user.id)
        return invite(tx, user, EnrolmentPurpose.FIRST_ADMIN, by="system", now=now, ttl=INVITE_TTL)

    invitation = await desk.store.write(unit)
    if invitation is None:
        return None
    pin = desk.keyring.ca_pin
    return Welcome(invitation, f"msh enrol --proxy={proxy} --ca-pin={pin} --token={invitation.token}")
