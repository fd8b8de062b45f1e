"""The built-in roles open what their word says and no more."""

from __future__ import annotations

from mezite.model.role import JoinMode, Options, Verb
from mezite.rbac.builtin import BUILTIN
from mezite.rbac.decide import RESOURCES, admin
from mezite.rbac.roleset import RoleSet
from mezite.rbac.subject import Subject

ALICE = Subject("u1", "alice", logins=("root",))


def test_there_are_four_and_all_say_they_are_built_in() -> None:
    assert set(BUILTIN) == {"admin", "auditor", "access", "reviewer"}
    for name, role in BUILTIN.items():
        assert role.name == name
        assert role.builtin
        assert role.options == Options()
        assert role.description


def allowed(name: str) -> set[tuple[str, Verb]]:
    return {
        (resource, verb)
        for resource in RESOURCES
        for verb in Verb
        if admin(ALICE, [BUILTIN[name]], resource, verb)
    }


def test_what_each_administers() -> None:
    everything = {(resource, verb) for resource in RESOURCES for verb in Verb}
    reading = {(resource, verb) for resource, verb in everything if verb in (Verb.LIST, Verb.READ)}
    assert allowed("admin") == everything
    assert allowed("auditor") == reading
    assert allowed("reviewer") == {("access_requests", Verb.LIST), ("access_requests", Verb.READ)}
    assert allowed("access") == set()


def test_who_reaches_nodes() -> None:
    assert RoleSet(ALICE, [BUILTIN["access"]]).logins_for({"env": "production"}) == {"alice"}
    for name in ("admin", "auditor", "reviewer"):
        assert RoleSet(ALICE, [BUILTIN[name]]).logins_for({}) == frozenset()


def test_who_reviews_and_who_watches() -> None:
    assert {name for name, role in BUILTIN.items() if role.allow.review_requests} == {"admin", "reviewer"}
    joining = {name: role.allow.join_sessions for name, role in BUILTIN.items() if role.allow.join_sessions}
    assert list(joining) == ["auditor"]
    (rule,) = joining["auditor"]
    assert rule.roles == ("*",)
    assert set(rule.modes) == {JoinMode.OBSERVER, JoinMode.WATCH}
