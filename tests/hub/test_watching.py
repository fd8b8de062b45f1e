"""Who hears of what: a change is told to those who may see the thing, and to nobody else."""

from __future__ import annotations

from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from daemons.hub.desk import locks, roles, users
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.trail import followed
from daemons.hub.desk.users import UserEdit
from daemons.hub.desk.watching import watched
from daemons.hub.desk.who import Caller
from daemons.hub.feed import MOST_SEATS, Feed, Here, Reset
from mezite.audit.events import Kind
from mezite.errors import NotLoggedIn, Throttled
from mezite.model.change import Change, ChangeKind, ChangeOp
from mezite.model.lock import LockTarget
from mezite.storage.ports import AuditFilter
from tests.support.desk import Office

Seen = list[tuple[str, str, str]]


async def story(office: Office) -> dict[str, str]:
    """A change of every kind; the ids of what changed, by a word."""
    near = await office.node("near", {"env": "dev"})
    far = await office.node("far", {"env": "prod"})
    for node in (near, far):
        await office.store.write(lambda tx, key=node.id: tx.changed(ChangeKind.NODE, key))  # type: ignore[misc]
    await office.role("other", "{}")
    await office.role("dev", "{allow: {logins: [dev], node_labels: {env: dev}}, options: {file_copy: false}}")
    other = await office.user("bob", password=None)
    await locks.create(office.desk, office.local, LockTarget.LOGIN, "root")
    await users.update(office.desk, office.local, "alice", UserEdit(set_logins=("x",)))
    await office.store.write(lambda tx: tx.changed(ChangeKind.TOKEN, "mzj_1"))
    await office.store.write(lambda tx: tx.changed(ChangeKind.AUTHORITY, "ca_1"))
    await office.store.write(lambda tx: tx.changed(ChangeKind.NODE, near.id, ChangeOp.DELETE))
    return {"near": near.id, "far": far.id, "bob": other.id, "alice": (await office.named("alice")).id}


async def seen(office: Office, caller: Caller, after: int, kinds: tuple[ChangeKind, ...] = ()) -> Seen:
    lines: Seen = []
    async with aclosing(watched(office.desk, Feed(office.store), caller, kinds, after)) as told:
        async for line in told:
            match line:
                case Change():
                    lines.append((line.kind.value, line.key, line.op.value))
                case Here():
                    return lines
                case Reset():
                    raise AssertionError("nothing was trimmed")
    raise AssertionError("the feed ended")


async def test_each_sees_what_is_theirs(office: Office) -> None:
    await office.role("dev", "{allow: {logins: [dev], node_labels: {env: dev}}}")
    alice = await office.person("alice", "dev")
    admin = await office.person("admin", "admin")
    olivia = await office.person("olivia", "auditor")
    node = office.node_caller(await office.node("web-1"))
    after = (await office.store.read(lambda tx: tx.changes.span()))[1]
    ids = await story(office)

    assert await seen(office, alice, after) == [
        ("node", ids["near"], "put"),
        ("role", "dev", "put"),
        ("user", ids["alice"], "put"),
        ("authority", "ca_1", "put"),
    ]
    everything = await seen(office, admin, after)
    assert len(everything) == 10
    assert await seen(office, olivia, after) == everything
    assert await seen(office, office.local, after) == everything
    assert await seen(office, node, after) == [("authority", "ca_1", "put")]
    assert await seen(office, admin, after, (ChangeKind.LOCK, ChangeKind.TOKEN)) == [
        line for line in everything if line[0] in ("lock", "token")
    ]


async def test_a_right_that_is_taken_away_is_gone_for_the_next_line(office: Office) -> None:
    olivia = await office.person("olivia", "auditor")
    feed = Feed(office.store)
    async with aclosing(watched(office.desk, feed, olivia, (), None)) as lines:
        assert isinstance(await anext(lines), Here)
        await office.user("bob", password=None)
        assert isinstance(await anext(lines), Change)
        assert isinstance(await anext(lines), Here)
        await users.update(office.desk, office.local, "olivia", UserEdit(remove_roles=("auditor",)))
        mine = await anext(lines)
        assert isinstance(mine, Change)
        assert mine.key == olivia.identity.id
        await roles.put(
            office.desk, office.local, "kind: role\nmetadata: {name: x}\nspec: {}", replacing=False
        )
        assert isinstance(await anext(lines), Here)


@pytest.mark.parametrize("kinds", [(), (ChangeKind.ROLE,)], ids=["all", "only roles"])
async def test_a_locked_watcher_is_out_whatever_they_watch(
    office: Office, kinds: tuple[ChangeKind, ...]
) -> None:
    alice = await office.person("alice")
    feed = Feed(office.store)
    async with aclosing(watched(office.desk, feed, alice, kinds, None)) as lines:
        await anext(lines)
        await locks.create(office.desk, office.local, LockTarget.USER, "alice")
        with pytest.raises(NotLoggedIn, match="locked"):
            await anext(lines)
    assert feed.watchers == 0
    assert (await office.newest()).kind is Kind.ACCESS_DENIED


async def test_a_watch_ends_with_the_certificate(office: Office) -> None:
    alice = await office.person("alice")
    async with aclosing(watched(office.desk, Feed(office.store), alice, (), None)) as lines:
        await anext(lines)
        office.pass_time(hours=1)
        await office.user("bob", password=None)
        with pytest.raises(NotLoggedIn, match="expired"):
            await anext(lines)


async def test_who_is_out_already_hears_nothing_at_all(office: Office) -> None:
    alice = await office.person("alice")
    await users.delete(office.desk, office.local, "alice")
    async with aclosing(watched(office.desk, Feed(office.store), alice, (), 0)) as lines:
        with pytest.raises(NotLoggedIn):
            await anext(lines)


async def test_so_many_watches_and_tails_of_one_identity(office: Office) -> None:
    alice, bob = await office.person("alice", "auditor"), await office.person("bob")
    feed = Feed(office.store)
    async with AsyncExitStack() as open_ones:
        for number in range(MOST_SEATS):
            kind = (
                watched(office.desk, feed, alice, (), None)
                if number % 2
                else followed(office.desk, feed, alice, AuditFilter(), after=0)
            )
            lines = await open_ones.enter_async_context(aclosing(kind))
            await anext(lines)
        for one_more in (
            watched(office.desk, feed, alice, (), None),
            followed(office.desk, feed, alice, AuditFilter(), after=0),
        ):
            with pytest.raises(Throttled):
                await anext(one_more)
        async with aclosing(watched(office.desk, feed, bob, (), None)) as bobs:
            await anext(bobs)
    async with aclosing(watched(office.desk, feed, alice, (), None)) as again:
        await anext(again)


async def test_a_batch_is_one_read_and_a_quiet_feed_none(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    alice = await office.person("alice", "auditor")
    feed = Feed(office.store)
    reads = 0
    look = Desk.look

    async def counting(self: Desk, caller: Caller, query: Any) -> Any:
        nonlocal reads
        reads += 1
        return await look(self, caller, query)

    monkeypatch.setattr(Desk, "look", counting)
    async with aclosing(watched(office.desk, feed, alice, (), None)) as lines:
        assert isinstance(await anext(lines), Here)
        reads = 0
        for number in range(50):
            await office.store.write(lambda tx, key=f"n{number}": tx.changed(ChangeKind.NODE, key))  # type: ignore[misc]
        for _ in range(50):
            assert isinstance(await anext(lines), Change)
        assert isinstance(await anext(lines), Here)
    assert reads == 1
