"""Roles at the desk: a text is saved whole or not at all; a role that somebody holds stays."""

from __future__ import annotations

import pytest

from daemons.hub.desk import locks, roles
from mezite.audit.events import Kind
from mezite.errors import Conflict, Denied, Exists, Invalid, NotFound
from mezite.model.change import ChangeKind
from mezite.model.lock import LockTarget
from mezite.rbac.changes import digest
from tests.support.desk import Office

SSH = "kind: role\nmetadata: {name: %s}\nspec: {allow: {logins: [%s], node_labels: {'*': '*'}}}\n"


async def put(office: Office, text: str, *, replacing: bool = False) -> list[str]:
    return [role.name for role in await roles.put(office.desk, office.local, text, replacing=replacing)]


async def test_several_documents_are_several_roles(office: Office) -> None:
    text = "\n---\n".join(SSH % (name, "root") for name in ("b", "a"))
    assert await put(office, text) == ["b", "a"]
    events = await office.events(Kind.ROLE_CREATED)
    assert [event.resource for event in events] == ["b", "a"]


async def test_one_bad_document_and_nothing_is_saved(office: Office) -> None:
    await put(office, SSH % ("taken", "root"))
    for text, refusal in (
        ("\n---\n".join((SSH % ("a", "root"), SSH % ("taken", "deploy"))), Exists),
        ("\n---\n".join((SSH % ("a", "root"), SSH % ("admin", "root"))), Conflict),
        ("\n---\n".join((SSH % ("a", "root"), SSH % ("a", "deploy"))), Invalid),
        ("\n---\n".join((SSH % ("a", "root"), "kind: rule")), Invalid),
    ):
        before = len(await office.events())
        with pytest.raises(refusal):
            await put(office, text)
        assert await office.store.read(lambda tx: [role.name for role in tx.roles.all()]) == ["taken"]
        assert len(await office.events()) == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no role"),
        ("{", "line"),
        ("kind: role\nmetadata: {name: A}\nspec: {}", "metadata.name"),
        ("kind: role\nmetadata: {name: a}\nspec: {options: {max_session_ttl: 4 hours}}", "max_session_ttl"),
        ("kind: role\nmetadata: {name: a}\nspec: {alow: {}}", "alow"),
        ("a: &a [*a]", "alias"),
        ("x" * 300_000, "KiB"),
    ],
    ids=["empty", "broken", "bad name", "bad duration", "unknown key", "alias", "oversize"],
)
async def test_texts_that_are_no_roles(office: Office, text: str, words: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await put(office, text)
    assert words in refusal.value.message


async def test_replacing_has_to_be_said(office: Office) -> None:
    await put(office, SSH % ("ssh", "root"))
    with pytest.raises(Exists, match="--force"):
        await put(office, SSH % ("ssh", "deploy"))
    await put(office, SSH % ("ssh", "deploy"), replacing=True)
    role = await roles.get(office.desk, office.local, "ssh")
    assert (role.allow.logins, role.revision) == (("deploy",), 2)
    [made], [updated] = await office.events(Kind.ROLE_CREATED), await office.events(Kind.ROLE_UPDATED)
    assert updated.details["changed"] == ("spec.allow.logins",)
    assert updated.details["digest_before"] == made.details["digest"] != updated.details["digest"]
    assert updated.details["digest"] == digest(role)


async def test_replacing_by_the_same_is_no_event(office: Office) -> None:
    await put(office, SSH % ("ssh", "root"))
    before = len(await office.events())
    assert await put(office, SSH % ("ssh", "root"), replacing=True) == ["ssh"]
    assert len(await office.events()) == before


@pytest.mark.parametrize("name", ["admin", "auditor", "access", "reviewer"])
async def test_built_in_roles_are_what_they_are(office: Office, name: str) -> None:
    for replacing in (False, True):
        with pytest.raises(Conflict, match="built in") as refusal:
            await put(office, SSH % (name, "root"), replacing=replacing)
        assert refusal.value.code == "builtin"
    with pytest.raises(Conflict, match="built in"):
        await roles.delete(office.desk, office.local, name)
    assert (await roles.get(office.desk, office.local, name)).builtin


async def test_a_role_in_use_stays_and_its_holders_are_named(office: Office) -> None:
    await put(office, SSH % ("ssh", "root"))
    for number in range(7):
        await office.user(f"user-{number}", "ssh", password=None)
    with pytest.raises(Conflict, match="user-0, user-1, user-2, user-3, user-4 and 2 more") as refusal:
        await roles.delete(office.desk, office.local, "ssh")
    assert refusal.value.code == "in_use"
    await roles.get(office.desk, office.local, "ssh")


async def test_a_deleted_role_is_gone_and_told(office: Office) -> None:
    await put(office, SSH % ("ssh", "root"))
    await roles.delete(office.desk, office.local, "ssh")
    with pytest.raises(NotFound):
        await roles.get(office.desk, office.local, "ssh")
    with pytest.raises(NotFound):
        await roles.delete(office.desk, office.local, "ssh")
    last = (await office.store.read(lambda tx: tx.changes.after(0, limit=99)))[-1]
    assert (last.kind, last.key, last.op.value) == (ChangeKind.ROLE, "ssh", "delete")
    assert (await office.newest()).kind is Kind.ROLE_DELETED


async def test_each_verb_is_asked_for_by_itself(office: Office) -> None:
    await office.role("maker", "{allow: {rules: [{resources: [roles], verbs: [create]}]}}")
    await office.role("mender", "{allow: {rules: [{resources: [roles], verbs: [update]}]}}")
    await office.role("thing", "{}")
    maker, mender = await office.person("maker", "maker"), await office.person("mender", "mender")

    await roles.put(office.desk, maker, SSH % ("fresh", "root"), replacing=False)
    await roles.put(office.desk, mender, SSH % ("thing", "root"), replacing=True)
    for caller, name in ((maker, "thing"), (mender, "other")):
        with pytest.raises(Denied):
            await roles.put(office.desk, caller, SSH % (name, "deploy"), replacing=True)
        with pytest.raises(Denied):
            await roles.delete(office.desk, caller, "thing")
        with pytest.raises(Denied):
            await roles.page(office.desk, caller, after="", limit=9)


async def test_who_may_not_write_roles_gets_none_parsed(office: Office) -> None:
    plain = await office.person("plain", "access")
    with pytest.raises(Denied):
        await roles.put(office.desk, plain, "{", replacing=False)


async def test_one_reads_the_roles_one_holds(office: Office) -> None:
    await office.role("mine", "{}")
    await office.role("other", "{}")
    plain = await office.person("plain", "mine", "access")
    assert (await roles.get(office.desk, plain, "mine")).name == "mine"
    assert (await roles.get(office.desk, plain, "access")).name == "access"
    for name in ("other", "admin", "nowhere"):
        with pytest.raises(Denied):
            await roles.get(office.desk, plain, name)


async def test_pages_hold_built_in_and_own_roles_in_one_order(office: Office) -> None:
    for name in ("b-role", "z-role", "0-role"):
        await office.role(name, "{}")
    seen: list[str] = []
    while rows := await roles.page(office.desk, office.local, after=seen[-1] if seen else "", limit=2):
        assert len(rows) <= 2
        seen += [role.name for role in rows]
    assert seen == ["0-role", "access", "admin", "auditor", "b-role", "reviewer", "z-role"]


async def test_a_deleted_role_takes_its_locks_along(office: Office) -> None:
    await office.role("ssh")
    await locks.create(office.desk, office.local, LockTarget.ROLE, "ssh")
    await roles.delete(office.desk, office.local, "ssh")
    assert [event.resource for event in await office.events(Kind.LOCK_DELETED)] == ["role:ssh"]
    await office.role("ssh")
    alice = await office.person("alice", "ssh")
    assert (await roles.get(office.desk, alice, "ssh")).name == "ssh"
