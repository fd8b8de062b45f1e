"""Locks: each bites at the very next call, says why, and ends when it was said to end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta

import pytest

from daemons.hub.desk import access, certs, locks, oneself, trail
from daemons.hub.desk.watching import watched
from daemons.hub.desk.who import Caller
from daemons.hub.feed import Feed, Here
from mezite.audit.events import Kind
from mezite.errors import Conflict, Denied, Invalid, NotFound, NotLoggedIn
from mezite.model.lock import LockTarget
from mezite.storage.ports import AuditFilter
from tests.support.desk import Office, keys


async def calls(office: Office, caller: Caller) -> bool:
    """Whether the caller can call at all."""
    try:
        await oneself.describe(office.desk, caller)
    except NotLoggedIn as refusal:
        assert refusal.code == "locked"
        return False
    return True


async def test_a_locked_user_is_out_at_once_and_back_when_the_lock_is_gone(office: Office) -> None:
    alice, bob = await office.person("alice"), await office.person("bob")
    secret, _ = await office.logins.web_token(office.proof("alice"))
    lock = await locks.create(office.desk, office.local, LockTarget.USER, "alice", message="left her laptop")
    with pytest.raises(NotLoggedIn, match="locked: left her laptop; ask an administrator"):
        await oneself.describe(office.desk, alice)
    with pytest.raises(NotLoggedIn):
        await office.logins.who_bears(secret)
    with pytest.raises(NotLoggedIn):
        await certs.renew(office.desk, alice, keys(), None)
    assert await calls(office, bob)
    await locks.delete(office.desk, office.local, lock.id)
    assert await calls(office, alice)
    assert [event.kind for event in (await office.events())[-1:]] == [Kind.LOCK_DELETED]


async def test_a_lock_on_a_role_bites_whoever_holds_it(office: Office) -> None:
    await office.role("ops", "{}")
    alice, bob = await office.person("alice", "ops"), await office.person("bob", "access")
    await locks.create(office.desk, office.local, LockTarget.ROLE, "ops")
    assert not await calls(office, alice)
    assert await calls(office, bob)
    # Even with an older certificate that does not name the role.
    assert not await calls(office, Caller(replace(alice.identity, roles=())))


async def test_a_lock_on_a_certificate_leaves_the_others(office: Office) -> None:
    await office.user("alice")
    stolen, other = await office.caller("alice"), await office.caller("alice")
    await locks.create(office.desk, office.local, LockTarget.CERT, str(stolen.identity.serial))
    assert not await calls(office, stolen)
    assert await calls(office, other)


async def test_a_lock_on_a_node_bites_by_name_and_by_id(office: Office) -> None:
    by_name, by_id = await office.node("web-1"), await office.node("web-2")
    for node, name in ((by_name, by_name.name), (by_id, by_id.id)):
        caller = office.node_caller(node)
        assert await calls(office, caller)
        await locks.create(office.desk, office.local, LockTarget.NODE, name)
        assert not await calls(office, caller)


async def test_a_lock_on_a_login_denies_it_everywhere(office: Office) -> None:
    await office.node("web-1")
    await office.user("alice", "access")
    await locks.create(office.desk, office.local, LockTarget.LOGIN, "alice")
    decision = await access.explain_ssh(
        office.desk, office.local, user_name="alice", login="alice", node_name="web-1", as_if_roles=()
    )
    assert not decision
    assert "lock on login alice" in decision.summary


async def test_a_lock_ends_in_its_moment(office: Office) -> None:
    alice = await office.person("alice")
    await locks.create(office.desk, office.local, LockTarget.USER, "alice", ttl=timedelta(minutes=10))
    office.pass_time(minutes=10, microseconds=-1)
    assert not await calls(office, alice)
    office.pass_time(microseconds=1)
    assert await calls(office, alice)
    [(lock, in_force)] = await locks.page(office.desk, office.local, after="", limit=9)
    assert (lock.name, in_force) == ("alice", False)


async def test_nobody_locks_themselves_out(office: Office) -> None:
    admin = await office.person("admin", "admin", "access")
    with pytest.raises(Conflict, match="yourself"):
        await locks.create(office.desk, admin, LockTarget.USER, "admin")
    for role in ("admin", "access"):
        with pytest.raises(Conflict, match="hold"):
            await locks.create(office.desk, admin, LockTarget.ROLE, role)
    assert await calls(office, admin)
    # Who sits at the machine holds no role and is nobody: that is the way back.
    await locks.create(office.desk, office.local, LockTarget.ROLE, "admin")
    assert not await calls(office, admin)
    assert await calls(office, office.local)


@pytest.mark.parametrize(
    ("target", "name", "refusal"),
    [
        (LockTarget.USER, "nobody", NotFound),
        (LockTarget.USER, "", NotFound),
        (LockTarget.NODE, "nowhere", NotFound),
        (LockTarget.ROLE, "nothing", NotFound),
        (LockTarget.LOGIN, "no login", Invalid),
        (LockTarget.CERT, "0", Invalid),
        (LockTarget.CERT, "-1", Invalid),
        (LockTarget.CERT, "٣", Invalid),
        (LockTarget.CERT, str(2**64), Invalid),
        (LockTarget.CERT, "9" * 5_000, Invalid),
        (LockTarget.CERT, "", Invalid),
        (LockTarget.SESSION, "", Invalid),
        (LockTarget.SESSION, "x" * 65, Invalid),
        (LockTarget.REQUEST, "req_\x1b[2J", Invalid),
    ],
    ids=str,
)
async def test_targets_that_are_none(
    office: Office, target: LockTarget, name: str, refusal: type[Exception]
) -> None:
    with pytest.raises(refusal):
        await locks.create(office.desk, office.local, target, name)
    assert await office.store.read(lambda tx: tx.locks.count()) == 0


@pytest.mark.parametrize("message", ["x" * 257, "a\nb", "\x1b[2J"])
async def test_messages_that_are_refused(office: Office, message: str) -> None:
    await office.user("alice")
    with pytest.raises(Invalid):
        await locks.create(office.desk, office.local, LockTarget.USER, "alice", message=message)


@pytest.mark.parametrize("ttl", [timedelta(), timedelta(seconds=-1), timedelta(days=367)], ids=str)
async def test_times_that_are_refused(office: Office, ttl: timedelta) -> None:
    await office.user("alice")
    with pytest.raises(Invalid):
        await locks.create(office.desk, office.local, LockTarget.USER, "alice", ttl=ttl)


async def test_a_namesake_of_a_locked_user_is_not_locked(office: Office) -> None:
    from daemons.hub.desk import users

    await office.user("alice")
    await locks.create(office.desk, office.local, LockTarget.USER, "alice")
    await users.delete(office.desk, office.local, "alice")
    assert await calls(office, await office.person("alice"))
    assert await locks.page(office.desk, office.local, after="", limit=9) == []


async def test_locks_are_for_those_who_may(office: Office) -> None:
    plain, auditor = await office.person("plain", "access"), await office.person("olivia", "auditor")
    lock = await locks.create(office.desk, office.local, LockTarget.LOGIN, "root")
    for caller in (plain, auditor):
        with pytest.raises(Denied):
            await locks.create(office.desk, caller, LockTarget.USER, "olivia")
        with pytest.raises(Denied):
            await locks.delete(office.desk, caller, lock.id)
    with pytest.raises(Denied):
        await locks.page(office.desk, plain, after="", limit=9)
    assert len(await locks.page(office.desk, auditor, after="", limit=9)) == 1
    with pytest.raises(NotFound):
        await locks.delete(office.desk, office.local, "lck_nothing")


async def test_a_lock_ends_a_watch_of_the_feed(office: Office) -> None:
    feed, alice = Feed(office.store), await office.person("alice")
    async with aclosing(watched(office.desk, feed, alice, (), None)) as lines:
        assert isinstance(await anext(lines), Here)
        await locks.create(office.desk, office.local, LockTarget.USER, "alice")
        with pytest.raises(NotLoggedIn):
            await anext(lines)


async def to_the_end(lines: AsyncIterator[object]) -> None:
    async for _ in lines:
        pass


async def test_a_lock_ends_a_tail_of_the_log(office: Office) -> None:
    feed, olivia = Feed(office.store), await office.person("olivia", "auditor")

    def tail() -> AsyncIterator[object]:
        return trail.followed(office.desk, feed, olivia, AuditFilter(), after=0)

    lines = tail()
    assert await anext(lines)
    await locks.create(office.desk, office.local, LockTarget.USER, "olivia")
    with pytest.raises(NotLoggedIn):
        await to_the_end(lines)
