"""Explanations: the JSON that scripts rely on, and the lines people read."""

from __future__ import annotations

import json

from mezite.model.role import Verb
from mezite.rbac.builtin import BUILTIN
from mezite.rbac.decide import admin, ssh
from mezite.rbac.document import parse_roles
from mezite.rbac.explain import as_json, lines
from mezite.rbac.roleset import RoleSet
from mezite.rbac.subject import Subject
from tests.support.roles import SENSITIVE, ssh_role

ALICE = Subject("u1", "alice")
HIGH = {"env": "production", "sensitivity": "high"}


def test_json_has_the_shape_that_scripts_rely_on() -> None:
    decision = ssh(RoleSet(ALICE, [BUILTIN["access"]]), HIGH, "root")
    assert json.loads(json.dumps(as_json(decision))) == {
        "allowed": False,
        "summary": "denied: no role allows both this node and this login",
        "clauses": [
            {
                "role": "access",
                "rule": "allow.node_labels",
                "verdict": "allow",
                "reason": "it is about every node",
            },
            {"role": "access", "rule": "allow.logins", "verdict": "no", "reason": "root is not alice"},
        ],
    }


def test_lines_of_an_allowed_session_end_with_its_terms() -> None:
    held = [*parse_roles(SENSITIVE), BUILTIN["access"]]
    assert list(lines(ssh(RoleSet(ALICE, held), HIGH, "root"))) == [
        "allowed by ssh-sensitive",
        "",
        "role access",
        "  + allow.node_labels  allow  it is about every node",
        "    allow.logins       no     root is not alice",
        "",
        "role ssh-sensitive",
        "  + allow.node_labels  allow  env is production, sensitivity is high",
        "  + allow.logins       allow  root is listed",
        "",
        "terms",
        "  require_session_mfa: totp",
        "  port_forwarding: no",
        "  file_copy: all",
        "  agent_forwarding: no",
        "  x11_forwarding: no",
        "  record: best_effort",
        "  on_grant_end: terminate",
        "  require_session_join of ssh-sensitive: 1 × observer (require-auditor-observer)",
    ]


def test_lines_of_a_denial() -> None:
    held = [ssh_role("no-root", deny_logins=["roo*"], deny_labels={"env": ["^test$"]}), BUILTIN["access"]]
    assert list(lines(ssh(RoleSet(ALICE, held), HIGH, "root").barred("lock on node web-1"))) == [
        "denied: lock on node web-1",
        "",
        "role access",
        "  + allow.node_labels  allow  it is about every node",
        "    allow.logins       no     root is not alice",
        "",
        "role no-root",
        "    deny.node_labels   no     env is production, which is not ^test$",
        "  - deny.logins        deny   root matches roo*",
        "",
        "above all roles",
        "  - lock               deny   lock on node web-1",
    ]


def test_lines_of_an_administrative_decision() -> None:
    assert list(lines(admin(ALICE, [BUILTIN["auditor"]], "users", Verb.DELETE))) == [
        'denied: no role allows delete on "users"',
        "",
        "role auditor",
        "    allow.rules[0]  no     is about list, read",
    ]


def test_lines_without_any_role() -> None:
    assert list(lines(ssh(RoleSet(ALICE, []), HIGH, "root"))) == ["denied: no roles are held"]
