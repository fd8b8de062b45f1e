"""Roles: saved from documents, listed, deleted. Their meaning is in `mezite.rbac`."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from daemons.hub.desk import facts, giving
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing, role_named
from mezite.audit.events import Detail, Kind
from mezite.errors import Conflict, Exists, NotFound
from mezite.model.change import ChangeKind, ChangeOp
from mezite.model.lock import LockTarget
from mezite.model.role import Role, Verb
from mezite.rbac.builtin import BUILTIN
from mezite.rbac.changes import changed_paths, digest
from mezite.rbac.decide import hangs_on_facts
from mezite.rbac.document import parse_roles
from mezite.storage.ports import Reading, Writing


async def put(desk: Desk, caller: Caller, text: str, *, replacing: bool) -> list[Role]:
    """Saves every role of one text, or none of them."""
    await desk.look(caller, lambda _tx, who: _may_write(who))
    # Off the loop: a text of the largest size takes a good part of a second to read.
    wanted = await asyncio.to_thread(parse_roles, text)

    def unit(tx: Writing, who: Standing) -> list[Role]:
        return [_put_one(tx, who, role, replacing=replacing) for role in wanted]

    return await desk.act(caller, unit)


def _may_write(who: Standing) -> None:
    """Either verb is enough to have a text read; which one each of its roles needs is known then."""
    if not (who.may("roles", Verb.UPDATE) or hangs_on_facts(who.roles, "roles", Verb.UPDATE)):
        who.sieve("roles", Verb.CREATE)


def _put_one(tx: Writing, who: Standing, role: Role, *, replacing: bool) -> Role:
    if role.name in BUILTIN:
        raise Conflict(
            f"{role.name} is built in and cannot be changed; give yours another name", code="builtin"
        )
    stored = tx.roles.get(role.name)
    verb = Verb.CREATE if stored is None else Verb.UPDATE
    who.require("roles", verb, facts.of_name(role.name))
    if stored is not None and not replacing:
        raise Exists(f"role {role.name} exists; `--force` replaces it")
    for said in (stored, role):
        if said is not None:
            giving.require_role_within(who, said)
    if stored is None:
        saved, kind = tx.roles.insert(role), Kind.ROLE_CREATED
    elif replace(role, revision=stored.revision) == stored:
        return stored
    else:
        saved, kind = tx.roles.replace(replace(role, revision=stored.revision)), Kind.ROLE_UPDATED
    event = who.event(kind, resource=role.name, revision=saved.revision)
    tx.record(replace(event, details={**event.details, **_told(stored, role)}))
    tx.changed(ChangeKind.ROLE, role.name)
    return saved


def _told(before: Role | None, after: Role) -> dict[str, Detail]:
    """What an event says of the documents: enough to find them again, and to see what was touched."""
    if before is None:
        return {"digest": digest(after)}
    return {
        "digest": digest(after),
        "digest_before": digest(before),
        "changed": changed_paths(before, after),
    }


async def get(desk: Desk, caller: Caller, name: str) -> Role:
    """A role one holds may be read by its holder; every other needs the right."""

    def query(tx: Reading, who: Standing) -> Role:
        if not (who.user is not None and name in who.user.roles):
            who.require("roles", Verb.READ, facts.of_name(name))
        return named(tx, name)

    return await desk.look(caller, query)


async def page(desk: Desk, caller: Caller, *, after: str, limit: int) -> list[Role]:
    def query(tx: Reading, who: Standing) -> list[Role]:
        listed = who.sieve("roles", Verb.LIST)
        rows = [*BUILTIN.values(), *tx.roles.all()]
        seen = (role for role in rows if role.name > after and listed(facts.of_name(role.name)))
        return sorted(seen, key=lambda role: role.name)[:limit]

    return await desk.look(caller, query)


async def delete(desk: Desk, caller: Caller, name: str) -> None:
    def unit(tx: Writing, who: Standing) -> None:
        who.require("roles", Verb.DELETE, facts.of_name(name))
        if name in BUILTIN:
            raise Conflict(f"{name} is built in and cannot be deleted", code="builtin")
        role = named(tx, name)
        holders = sorted(user.name for user in tx.users.all() if name in user.roles)
        if holders:
            shown = ", ".join(holders[:5]) + (f" and {len(holders) - 5} more" if len(holders) > 5 else "")
            raise Conflict(f"role {name} is held by {shown}; take it from them first", code="in_use")
        # A lock on a role is kept by its name: a later role of that name is another one.
        for lock in tx.locks.all(target=LockTarget.ROLE.value, value=name):
            tx.locks.delete(lock)
            tx.record(who.event(Kind.LOCK_DELETED, resource=f"{lock.target}:{lock.name}", lock=lock.id))
            tx.changed(ChangeKind.LOCK, lock.id, ChangeOp.DELETE)
        tx.roles.delete(role)
        tx.record(who.event(Kind.ROLE_DELETED, resource=name, digest=digest(role)))
        tx.changed(ChangeKind.ROLE, name, ChangeOp.DELETE)

    await desk.act(caller, unit)


def named(tx: Reading, name: str) -> Role:
    role = role_named(tx, name)
    if role is None:
        raise NotFound(f"no role {name[:80]!a}; `mezctl roles ls` lists them")
    return role
