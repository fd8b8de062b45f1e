"""Shelves: what is stored comes back, compare-and-set, uniqueness, order, and what cannot be stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mezite.errors import Exists, Invalid, Stale
from mezite.model.authority import Authority, AuthorityKind
from mezite.model.cluster import Cluster
from mezite.model.connection import Connection, ReportMark
from mezite.model.identity import Identity, IdentityKind
from mezite.model.lock import Lock, LockTarget
from mezite.model.node import HubPulse, JoinToken, Node, Presence
from mezite.model.role import (
    AdminRule,
    BreakGlass,
    Conditions,
    EscalationStep,
    JoinMode,
    JoinRequirement,
    Options,
    RequestRule,
    Role,
    Threshold,
    Verb,
)
from mezite.model.user import (
    AccessToken,
    AccessTokenKind,
    Credential,
    Enrolment,
    EnrolmentPurpose,
    Totp,
    UserKind,
)
from mezite.storage.ports import Reading, Store, Writing
from mezite.storage.shelves import PLANS
from tests.support.stores import NOON, user

HOUR = timedelta(hours=1)

ROLE = Role(
    "production",
    "näive ☃ \u0000 text",
    Options(
        max_session_ttl=HOUR,
        port_forwarding_targets=("db:5432",),
        require_session_join=(
            JoinRequirement("four eyes", 'contains(user.roles, "x")', (JoinMode.MODERATOR,), 2),
        ),
    ),
    Conditions(
        node_labels={"env": ("production", "^sta.*$")},
        logins=("{{user.name}}",),
        request=RequestRule(
            roles=("*",),
            max_duration=timedelta(minutes=90),
            thresholds=(Threshold("two", "true", 2, 1, True),),
            break_glass=BreakGlass(HOUR, ("root",)),
            escalation=(EscalationStep(timedelta(seconds=90), ("oncall",)),),
        ),
        rules=(AdminRule(("users",), (Verb.LIST, Verb.READ)),),
    ),
)

NOUNS: dict[str, Any] = {
    "users": user(
        kind=UserKind.MACHINE, traits={"team": ("core", "ops")}, owner_id="user_1", logins_valid_from=NOON
    ),
    "credentials": Credential("user_1", "$argon2id$x", Totp(b"\x00\xff", True, 7), (b"a" * 32,)),
    "enrolments": Enrolment("ab" * 32, "user_1", EnrolmentPurpose.INVITE, "admin", NOON, NOON + HOUR),
    "access_tokens": AccessToken(
        "tok_1", "cd" * 32, AccessTokenKind.WEB, "user_1", NOON, NOON + HOUR, mfa=True
    ),
    "roles": ROLE,
    "nodes": Node("4b5a6d8e", "web-1", NOON, "token_1", {"a": "b"}, {"env": "production"}),
    "presence": Presence("4b5a6d8e", "hub_1", "line_1", NOON, "10.0.0.1"),
    "hub_pulses": HubPulse("hub_1", NOON, NOON + HOUR, "0.1.0"),
    "join_tokens": JoinToken("token_1", b"\x01" * 32, ("node",), "admin", NOON, NOON + HOUR, None, "web-1"),
    "locks": Lock("lock_1", LockTarget.LOGIN, "root", "root", "no more", "admin", NOON, NOON + HOUR),
    "authorities": Authority("ca_1", AuthorityKind.TLS, b"\x30\x82", b"sealed", NOON),
    "clusters": Cluster("production", NOON, b"salt"),
    "connections": Connection(
        "c0ffee",
        "4b5a6d8e",
        "user_1",
        "hub_1",
        Identity(IdentityKind.USER, "user_1", "ana", 2**62, NOON, NOON + HOUR, ("dev",), {"team": ("core",)}),
        "10.0.0.1",
        NOON,
        mfa=True,
        sessions={"5e55": "root"},
        ended_at=NOON + HOUR,
    ),
    "report_marks": ReportMark("4b5a6d8e", 2**40),
}


def test_every_shelf_is_tried() -> None:
    assert NOUNS.keys() == {plan.table for plan in PLANS}


@pytest.mark.parametrize("shelf", NOUNS)
async def test_a_noun_comes_back_as_it_was(store: Store, shelf: str) -> None:
    noun = NOUNS[shelf]
    stored = await store.write(lambda w: getattr(w, shelf).insert(noun))
    assert stored == replace(noun, revision=1)

    plan = next(plan for plan in PLANS if plan.table == shelf)
    key = plan.key_of(noun)
    assert await store.read(lambda r: getattr(r, shelf).get(key)) == stored
    assert await store.read(lambda r: getattr(r, shelf).all(**plan.columns_of(noun))) == [stored]
    for column in plan.columns:
        if column.unique:
            columns = {column.name: getattr(noun, column.name)}
            assert await store.read(lambda r, c=columns: getattr(r, shelf).one(**c)) == stored

    await store.write(lambda w: getattr(w, shelf).delete(stored))
    assert await store.read(lambda r: getattr(r, shelf).get(key)) is None


async def test_a_replacement_counts_on(store: Store) -> None:
    first = await store.write(lambda w: w.users.insert(user()))
    second = await store.write(lambda w: w.users.replace(replace(first, name="other")))
    assert (first.revision, second.revision) == (1, 2)
    assert await store.read(lambda r: r.users.get(first.id)) == second
    assert await store.read(lambda r: r.users.one(name="other")) == second
    assert await store.read(lambda r: r.users.one(name=first.name)) is None


async def test_an_insert_forgets_the_revision_it_came_with(store: Store) -> None:
    assert (await store.write(lambda w: w.users.insert(user(revision=41)))).revision == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda w, seen: w.users.replace(replace(seen, name="later")),
        lambda w, seen: w.users.delete(seen),
    ],
    ids=["replace", "delete"],
)
async def test_a_stale_change_is_refused(store: Store, change: Callable[[Writing, Any], Any]) -> None:
    seen = await store.write(lambda w: w.users.insert(user()))
    latest = await store.write(lambda w: w.users.replace(replace(seen, roles=("admin",))))
    with pytest.raises(Stale):
        await store.write(lambda w: change(w, seen))
    with pytest.raises(Stale):
        await store.write(lambda w: change(w, replace(seen, revision=7)))
    assert await store.read(lambda r: r.users.get(seen.id)) == latest


@pytest.mark.parametrize(
    "change",
    [
        lambda w, seen: w.users.replace(replace(seen, name="later")),
        lambda w, seen: w.users.delete(seen),
    ],
    ids=["replace", "delete"],
)
async def test_what_is_gone_is_stale(store: Store, change: Callable[[Writing, Any], Any]) -> None:
    with pytest.raises(Stale):
        await store.write(lambda w: change(w, user(revision=1)))
    assert await store.read(lambda r: r.users.count()) == 0


async def test_a_key_is_taken_once(store: Store) -> None:
    first = await store.write(lambda w: w.users.insert(user(1)))
    with pytest.raises(Exists):
        await store.write(lambda w: w.users.insert(user(1, name="another")))
    assert await store.read(lambda r: r.users.all()) == [first]


async def test_a_unique_column_is_taken_once(store: Store) -> None:
    first = await store.write(lambda w: w.users.insert(user(1)))
    second = await store.write(lambda w: w.users.insert(user(2)))
    with pytest.raises(Exists):
        await store.write(lambda w: w.users.insert(user(3, name=first.name)))
    with pytest.raises(Exists):
        await store.write(lambda w: w.users.replace(replace(second, name=first.name)))
    assert await store.read(lambda r: r.users.all()) == [first, second]


async def test_a_stale_change_to_a_taken_name_is_stale(store: Store) -> None:
    await store.write(lambda w: w.users.insert(user(1)))
    second = await store.write(lambda w: w.users.insert(user(2)))
    with pytest.raises(Stale):
        await store.write(lambda w: w.users.replace(replace(second, name="name0001", revision=9)))


async def test_a_unit_may_go_on_after_a_refusal(store: Store) -> None:
    """An `Exists` it expected does not spoil the rest of what it does, on any engine."""

    def unit(writing: Writing) -> None:
        writing.users.insert(user(1))
        with pytest.raises(Exists):
            writing.users.insert(user(1))
        writing.users.insert(user(2))

    await store.write(unit)
    assert await store.read(lambda r: r.users.count()) == 2


async def test_keys_come_in_code_point_order(store: Store) -> None:
    """Not in the order of any language: a page that began on one engine goes on alike on another."""
    keys = ["B", "a", "A", "b", "ä", "a-b", "a_b", "ab", "Z", "z", "1", "10", "2"]
    await store.write(lambda w: [w.users.insert(user(i, id=key)) for i, key in enumerate(keys)])
    assert [u.id for u in await store.read(lambda r: r.users.all())] == sorted(keys)
    assert [u.id for u in await store.read(lambda r: r.users.page(after="Z", limit=4))] == [
        "a",
        "a-b",
        "a_b",
        "ab",
    ]


async def test_pages_cover_everything_once(store: Store) -> None:
    def fill(writing: Writing) -> None:
        for number in range(23):
            node = "web" if number % 2 else "db"
            writing.presence.insert(Presence(node, "hub_1", f"line_{number:02}", NOON))

    def pages(reading: Reading) -> list[str]:
        seen, after = [], ""
        while page := reading.presence.page(after=after, limit=5, node_id="web"):
            assert len(page) <= 5
            seen += [line.line_id for line in page]
            after = page[-1].line_id
        return seen

    await store.write(fill)
    assert await store.read(pages) == [f"line_{number:02}" for number in range(1, 23, 2)]
    assert await store.read(lambda r: r.presence.count(node_id="web")) == 11
    assert await store.read(lambda r: r.presence.count(node_id="web", hub_id="hub_2")) == 0
    assert len(await store.read(lambda r: r.presence.all(hub_id="hub_1", node_id="db"))) == 12


@pytest.mark.parametrize("text", ["a\0b", "\ud800", "x" * 257])
async def test_what_no_engine_can_index_is_refused_and_never_found(store: Store, text: str) -> None:
    with pytest.raises(Invalid):
        await store.write(lambda w: w.users.insert(user(1, id=text)))
    with pytest.raises(Invalid):
        await store.write(lambda w: w.users.insert(user(1, name=text)))
    assert await store.read(lambda r: r.users.get(text)) is None
    assert await store.read(lambda r: r.users.one(name=text)) is None
    assert await store.read(lambda r: r.users.all(name=text)) == []
    assert await store.read(lambda r: r.users.page(name=text, limit=3)) == []
    assert await store.read(lambda r: r.users.page(after=text, limit=3)) == []
    assert await store.read(lambda r: r.users.count(name=text)) == 0


async def test_only_columns_are_searched(store: Store) -> None:
    for wrong in (
        lambda r: r.users.all(created_by="admin"),
        lambda r: r.users.one(),
        lambda r: r.presence.one(node_id="web"),
    ):
        with pytest.raises(TypeError):
            await store.read(wrong)


async def test_nobody_changes_what_is_stored_by_holding_on_to_it(store: Store) -> None:
    traits = {"team": ("core",)}
    await store.write(lambda w: w.users.insert(user(1, traits=traits)))
    traits["team"] = ("root",)
    kept = await store.read(lambda r: r.users.get("user_0001"))
    assert kept is not None
    assert kept.traits == {"team": ("core",)}
