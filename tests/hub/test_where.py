"""The `where` of administrative rules, fed at each desk: it lets through what it names and nothing beside."""

from __future__ import annotations

from datetime import timedelta

import pytest

from daemons.hub.desk import locks, nodes, roles, tokens, users
from daemons.hub.desk.users import NewUser, UserEdit
from daemons.hub.desk.who import Caller
from mezite.errors import Denied, NotFound
from mezite.model.lock import LockTarget
from mezite.model.user import UserKind
from tests.support.desk import Office

HOUR = timedelta(hours=1)


async def holder(office: Office, resource: str, where: str, *, deny: str = "") -> Caller:
    rules = f"rules: [{{resources: {resource}, verbs: '*', where: '{where}'}}]"
    denied = f", deny: {{rules: [{{resources: {resource}, verbs: '*', where: '{deny}'}}]}}" if deny else ""
    await office.role("where", f"{{allow: {{{rules}}}{denied}}}")
    return await office.person("holder", "where")


async def test_users_by_name(office: Office) -> None:
    caller = await holder(office, "users", '!has_prefix(resource.name, "svc-")')
    for name in ("ann", "svc-mail"):
        await office.user(name)
    assert [view.user.name for view in await users.page(office.desk, caller, after="", limit=9)] == [
        "ann",
        "holder",
    ]
    assert (await users.get(office.desk, caller, "ann")).user.name == "ann"
    await users.update(office.desk, caller, "ann", UserEdit(set_logins=("ann",)))
    with pytest.raises(NotFound):
        await users.get(office.desk, caller, "nobody")
    for name in ("svc-mail", "svc-that-is-not-there"):
        with pytest.raises(Denied):
            await users.get(office.desk, caller, name)
        with pytest.raises(Denied):
            await users.update(office.desk, caller, name, UserEdit(set_logins=("ann",)))
        with pytest.raises(Denied):
            await users.reset(office.desk, caller, name, mfa=False)
        with pytest.raises(Denied):
            await users.delete(office.desk, caller, name)
    with pytest.raises(Denied):
        await users.create(office.desk, office.passwords, caller, NewUser("svc-new"))
    await users.create(office.desk, office.passwords, caller, NewUser("new"))
    await users.delete(office.desk, caller, "ann")


async def test_users_by_owner_and_by_roles(office: Office) -> None:
    caller = await holder(office, "users", "resource.owner == user.name", deny='"auditor" in resource.roles')
    await office.user("mine", kind=UserKind.MACHINE, owner="holder")
    await office.user("high", "auditor", kind=UserKind.MACHINE, owner="holder")
    await office.user("other")
    await users.update(office.desk, caller, "mine", UserEdit(set_logins=("ci",)))
    for name in ("high", "other"):
        with pytest.raises(Denied):
            await users.update(office.desk, caller, name, UserEdit(set_logins=("ci",)))


async def test_an_edit_may_not_lead_out_of_the_rule(office: Office) -> None:
    caller = await holder(office, "users", '!("where" in resource.roles)')
    await office.user("ann")
    with pytest.raises(Denied):
        await users.update(office.desk, caller, "ann", UserEdit(add_roles=("where",)))


async def test_roles_by_name(office: Office) -> None:
    caller = await holder(office, "roles", 'has_prefix(resource.name, "team-")')
    await office.role("other")
    text = "kind: role\nmetadata: {name: %s}\nspec: {}\n"
    await roles.put(office.desk, caller, text % "team-a", replacing=False)
    assert [role.name for role in await roles.page(office.desk, caller, after="", limit=9)] == ["team-a"]
    assert (await roles.get(office.desk, caller, "team-a")).name == "team-a"
    for name in ("other", "nowhere"):
        with pytest.raises(Denied):
            await roles.get(office.desk, caller, name)
        with pytest.raises(Denied):
            await roles.put(office.desk, caller, text % name, replacing=True)
        with pytest.raises(Denied):
            await roles.delete(office.desk, caller, name)
    await roles.delete(office.desk, caller, "team-a")


async def test_nodes_by_label(office: Office) -> None:
    caller = await holder(office, "nodes", 'resource.labels.env == "test"')
    for name, env in (("t-1", "test"), ("p-1", "production")):
        await office.node(name, {"env": env})
    seen = await nodes.page(office.desk, caller, labels={}, limit=9, everything=True)
    assert [view.node.name for view in seen] == ["t-1"]
    assert (await nodes.get(office.desk, caller, "t-1")).node.name == "t-1"
    with pytest.raises(NotFound):
        await nodes.get(office.desk, caller, "p-1")
    with pytest.raises(Denied):
        await nodes.remove(office.desk, caller, "p-1")
    await nodes.remove(office.desk, caller, "t-1")


async def test_locks_by_name_and_maker(office: Office) -> None:
    caller = await holder(
        office, "locks", 'resource.owner == user.name && !has_prefix(resource.name, "root")'
    )
    theirs = await locks.create(office.desk, office.local, LockTarget.LOGIN, "deploy")
    mine = await locks.create(office.desk, caller, LockTarget.LOGIN, "deploy")
    with pytest.raises(Denied):
        await locks.create(office.desk, caller, LockTarget.LOGIN, "root")
    assert [lock.id for lock, _ in await locks.page(office.desk, caller, after="", limit=9)] == [mine.id]
    for lock_id in (theirs.id, "lck_none"):
        with pytest.raises(Denied):
            await locks.delete(office.desk, caller, lock_id)
    await locks.delete(office.desk, caller, mine.id)


async def test_tokens_by_label(office: Office) -> None:
    caller = await holder(office, "tokens", 'resource.labels.env == "test"')
    other, _ = await tokens.create(office.desk, office.local, roles=["node"], ttl=HOUR)
    mine, _ = await tokens.create(office.desk, caller, roles=["node"], ttl=HOUR, labels={"env": "test"})
    with pytest.raises(Denied):
        await tokens.create(office.desk, caller, roles=["node"], ttl=HOUR, labels={"env": "production"})
    assert [token.id for token in await tokens.page(office.desk, caller, limit=9)] == [mine.id]
    with pytest.raises(Denied):
        await tokens.delete(office.desk, caller, other.id)
    await tokens.delete(office.desk, caller, mine.id)
