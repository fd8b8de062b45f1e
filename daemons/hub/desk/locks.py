"""Locks: who or what is shut out. Their bite is in `who` (calls) and in whatever holds live sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from daemons.hub.desk import facts
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing, role_named
from mezite import ids
from mezite.audit.events import Kind
from mezite.errors import Conflict, Invalid, NotFound
from mezite.model.change import ChangeKind, ChangeOp
from mezite.model.lock import Lock, LockTarget
from mezite.model.role import Verb
from mezite.storage.ports import Reading, Writing

LONGEST_MESSAGE: Final = 256
LONGEST_TTL: Final = timedelta(days=366)


async def create(
    desk: Desk,
    caller: Caller,
    target: LockTarget,
    name: str,
    *,
    message: str = "",
    ttl: timedelta | None = None,
) -> Lock:
    if len(message) > LONGEST_MESSAGE or not (message == "" or message.isprintable()):
        raise Invalid(f"a message has at most {LONGEST_MESSAGE} printable characters")
    if ttl is not None and not timedelta(seconds=1) <= ttl <= LONGEST_TTL:
        raise Invalid("a lock lasts from 1s to 366d; leave the time out to lock until it is deleted")

    def unit(tx: Writing, who: Standing) -> Lock:
        who.require("locks", Verb.CREATE, {**facts.of_name(name), "resource.owner": who.name})
        value = _resolve(tx, target, name)
        _keep_oneself(who, target, value)
        lock = tx.locks.insert(
            Lock(
                id=ids.mint("lck"),
                target=target,
                value=value,
                name=name,
                message=message,
                created_by=who.name,
                created_at=who.now,
                expires_at=who.now + ttl if ttl else None,
            )
        )
        until = lock.expires_at.isoformat() if lock.expires_at else ""
        tx.record(
            who.event(
                Kind.LOCK_CREATED, resource=f"{target}:{name}", reason=message, lock=lock.id, until=until
            )
        )
        tx.changed(ChangeKind.LOCK, lock.id)
        return lock

    return await desk.act(caller, unit)


async def page(desk: Desk, caller: Caller, *, after: str, limit: int) -> list[tuple[Lock, bool]]:
    """Locks and whether each is in force; those that ended are kept until deleted."""

    def query(tx: Reading, who: Standing) -> list[tuple[Lock, bool]]:
        listed = who.sieve("locks", Verb.LIST)
        found: list[Lock] = []
        place = after
        while len(found) < limit and (batch := tx.locks.page(after=place, limit=limit)):
            place = batch[-1].id
            found += [lock for lock in batch if listed(facts.of_lock(lock))]
        return [(lock, lock.in_force(who.now)) for lock in found[:limit]]

    return await desk.look(caller, query)


async def delete(desk: Desk, caller: Caller, lock_id: str) -> None:
    def unit(tx: Writing, who: Standing) -> None:
        lock = tx.locks.get(lock_id)
        who.require("locks", Verb.DELETE, facts.of_lock(lock) if lock else None)
        if lock is None:
            raise NotFound(f"no lock {lock_id[:80]!a}; `mezctl locks ls` lists them")
        tx.locks.delete(lock)
        tx.record(who.event(Kind.LOCK_DELETED, resource=f"{lock.target}:{lock.name}", lock=lock.id))
        tx.changed(ChangeKind.LOCK, lock.id, ChangeOp.DELETE)

    await desk.act(caller, unit)


def _keep_oneself(who: Standing, target: LockTarget, value: str) -> None:
    """A slip must not shut out the very person who could undo it."""
    if who.user is None:
        return
    if target is LockTarget.USER and value == who.user.id:
        raise Conflict("you cannot lock yourself; ask another administrator")
    if target is LockTarget.ROLE and value in who.user.roles:
        raise Conflict(
            f"you hold {value} yourself and would be out with the others; have it taken from you first"
        )


def _resolve(tx: Reading, target: LockTarget, name: str) -> str:
    """What the lock is kept by. Users and nodes by id, so that a later one of the same name is not locked."""
    match target:
        case LockTarget.USER:
            if user := tx.users.one(name=name):
                return user.id
        case LockTarget.NODE:
            if node := tx.nodes.one(name=name) or tx.nodes.get(name):
                return node.id
        case LockTarget.ROLE:
            if role_named(tx, name):
                return name
        case LockTarget.LOGIN:
            return ids.login(name)
        case LockTarget.CERT:
            if len(name) <= 20 and name.isascii() and name.isdigit() and 0 < int(name) < 2**64:
                return str(int(name))
            raise Invalid("a certificate is named by its serial number, as `msh status` shows it")
        case LockTarget.REQUEST | LockTarget.SESSION:
            if 0 < len(name) <= 64 and name.isascii() and name.isprintable():
                return name
            raise Invalid(f"{name[:80]!a} is not the id of a {target}")
    raise NotFound(f"no {target} {name[:80]!a}")
