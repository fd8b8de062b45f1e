"""Role documents: what people write works, what is wrong is told whole, what is written reads back."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.errors import Invalid, TooLarge
from mezite.model.role import (
    FileCopy,
    JoinMode,
    JoinRequirement,
    OnLeave,
    Options,
    RequestRule,
    ReviewRule,
    Role,
    SessionMfa,
    Threshold,
    Verb,
)
from mezite.rbac.builtin import BUILTIN
from mezite.rbac.document import FAULTS_SHOWN, parse_roles, to_document, to_yaml
from tests.support.roles import CAN_APPROVE, CAN_REQUEST, SENSITIVE, roles


def one(spec: str, name: str = "x") -> Role:
    (role,) = parse_roles(f"{{kind: role, metadata: {{name: {name}}}, spec: {{{spec}}}}}")
    return role


def faults(text: str) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        parse_roles(text)
    assert all(line.isprintable() for line in refusal.value.message.split("\n"))
    return refusal.value.message.split("\n")


def spec_faults(spec: str) -> list[str]:
    return faults(f"{{kind: role, metadata: {{name: x}}, spec: {{{spec}}}}}")


def test_a_requester_role() -> None:
    (role,) = parse_roles(CAN_REQUEST)
    assert role.name == "can-request-production"
    assert role.description == "Can request temporary production SSH access"
    assert role.allow.request == RequestRule(
        roles=("ssh-production",), max_duration=timedelta(hours=4), reason_required=True
    )


def test_an_approver_role() -> None:
    (role,) = parse_roles(CAN_APPROVE)
    assert role.allow.review_requests == ReviewRule(roles=("ssh-production",))


def test_a_sensitive_role() -> None:
    (role,) = parse_roles(SENSITIVE)
    requirement = JoinRequirement(
        name="require-auditor-observer",
        filter='contains(user.roles, "auditor")',
        modes=(JoinMode.OBSERVER,),
        count=1,
        on_leave=OnLeave.TERMINATE,
    )
    assert role.options == Options(require_session_mfa=SessionMfa.TOTP, require_session_join=(requirement,))
    assert role.allow.node_labels == {"env": ("production",), "sensitivity": ("high",)}
    assert role.allow.logins == ("root",)


def test_several_documents_keep_their_order() -> None:
    text = "---\n".join((CAN_REQUEST, CAN_APPROVE, SENSITIVE))
    assert [role.name for role in parse_roles(text)] == [
        "can-request-production",
        "can-approve-production",
        "ssh-sensitive",
    ]


def test_json_is_as_good() -> None:
    documents = [to_document(role) for text in (CAN_REQUEST, SENSITIVE) for role in parse_roles(text)]
    assert parse_roles(json.dumps(documents)) == [*parse_roles(CAN_REQUEST), *parse_roles(SENSITIVE)]
    assert parse_roles(json.dumps(documents[0], indent="\t")) == parse_roles(CAN_REQUEST)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("options: {require_session_mfa: off}", SessionMfa.OFF),
        ("options: {require_session_mfa: no}", SessionMfa.OFF),
        ("options: {require_session_mfa: false}", SessionMfa.OFF),
        ('options: {require_session_mfa: ""}', SessionMfa.OFF),
        ("options: {require_session_mfa: webauthn}", SessionMfa.WEBAUTHN),
        ("options: {}", None),
    ],
)
def test_a_bare_off_is_off(spec: str, said: SessionMfa | None) -> None:
    assert one(spec).options.require_session_mfa is said


def test_false_from_another_yaml_reader_is_off_too() -> None:
    document = {
        "kind": "role",
        "metadata": {"name": "x"},
        "spec": {"options": {"require_session_mfa": False}},
    }
    (role,) = parse_roles(json.dumps(document))
    assert role.options.require_session_mfa is SessionMfa.OFF


@pytest.mark.parametrize("yes", ["true", "yes", "on", "True", "'true'"])
def test_the_many_ways_to_say_yes(yes: str) -> None:
    role = one(f"options: {{port_forwarding: {yes}, file_copy: {yes}}}")
    assert role.options.port_forwarding is True
    assert role.options.file_copy is FileCopy.ALL


@pytest.mark.parametrize("no", ["false", "no", "off", "False"])
def test_the_many_ways_to_say_no(no: str) -> None:
    role = one(f"options: {{port_forwarding: {no}, file_copy: {no}}}")
    assert role.options.port_forwarding is False
    assert role.options.file_copy is FileCopy.NONE


def test_a_scalar_stands_for_a_list_of_it() -> None:
    role = one(
        "allow: {node_labels: {env: production}, logins: root, rules: {resources: users, verbs: list}}"
    )
    assert role.allow.node_labels == {"env": ("production",)}
    assert role.allow.logins == ("root",)
    assert role.allow.rules[0].resources == ("users",)


def test_values_that_yaml_would_change_stay_as_written() -> None:
    role = one("allow: {node_labels: {on: [no, 1.10, 007, true, 2026-01-01]}, logins: [no, off]}")
    assert role.allow.node_labels == {"on": ("no", "1.10", "007", "true", "2026-01-01")}
    assert role.allow.logins == ("no", "off")


def test_stars() -> None:
    role = one(
        'allow: {node_labels: {"*": "*"}, rules: {resources: "*", verbs: "*"}, '
        'join_sessions: [{roles: "*", modes: "*"}, {roles: "*", modes: ["*", watch]}]}, '
        'deny: {join_sessions: {roles: "*", modes: "*"}}'
    )
    assert role.allow.node_labels == {"*": ("*",)}
    assert role.allow.rules[0].verbs == tuple(Verb)
    present = (JoinMode.OBSERVER, JoinMode.PEER, JoinMode.MODERATOR)
    assert [rule.modes for rule in role.allow.join_sessions] == [present, (*present, JoinMode.WATCH)]
    assert set(role.deny.join_sessions[0].modes) == set(JoinMode)


def test_resources_by_the_name_of_their_command() -> None:
    role = one("allow: {rules: {resources: [access-requests, audit], verbs: [list, read, list]}}")
    assert role.allow.rules[0].resources == ("access_requests", "audit")
    assert role.allow.rules[0].verbs == (Verb.LIST, Verb.READ)


def test_empty_sections_say_nothing() -> None:
    (role,) = parse_roles("kind: role\nmetadata: {name: x}\nspec:\n  options:\n  allow:\n  deny: {}\n")
    assert role == Role("x")


@pytest.mark.parametrize(
    ("spec", "path", "what"),
    [
        (
            "allow: {request: {roles: a, max_duration: 4 hours}}",
            "spec.allow.request.max_duration",
            '"4 hours" is not a duration; write 30m, 4h or 2d',
        ),
        (
            "options: {max_session_ttl: 3600}",
            "spec.options.max_session_ttl",
            '"3600" is not a duration; write 30m, 4h or 2d',
        ),
        (
            "options: {max_session_ttl: 0s}",
            "spec.options.max_session_ttl",
            '"0s" is out of range; a duration is 1s to 3650d',
        ),
        (
            "options: {require_session_mfa: yes}",
            "spec.options.require_session_mfa",
            '"yes" is not one of off, totp, webauthn',
        ),
        ("options: {record: off}", "spec.options.record", '"off" is not one of strict, best_effort'),
        (
            "options: {record: stric}",
            "spec.options.record",
            '"stric" is not one of strict, best_effort; did you mean strict?',
        ),
        (
            "options: {file_copy: some}",
            "spec.options.file_copy",
            '"some" is not one of true, false, upload, download',
        ),
        ("options: {port_forwarding: 1}", "spec.options.port_forwarding", '"1" is not true or false'),
        (
            "options: {max_sessions: 0}",
            "spec.options.max_sessions",
            '"0" is not a whole number from 1 to 10000',
        ),
        (
            "options: {max_sessions: 1.5}",
            "spec.options.max_sessions",
            '"1.5" is not a whole number from 1 to 10000',
        ),
        ("options: {max_sessions: [1]}", "spec.options.max_sessions", "is a list; write one value"),
        ("options: {max_sessions: }", "spec.options.max_sessions", "is empty; write a value or leave it out"),
        (
            "options: {port_forwarding_targets: db}",
            "spec.options.port_forwarding_targets",
            '"db" is not a target; write host:port, *.example.com:443 or unix:/path',
        ),
        (
            "options: {require_session_join: [{name: a, modes: watch}]}",
            "spec.options.require_session_join[0]",
            "asks for watch, which never counts as being present; use observer",
        ),
        (
            "options: {require_session_join: [{count: 1}]}",
            "spec.options.require_session_join[0].name",
            "is required",
        ),
        (
            "options: {require_session_join: [{name: a}, {name: a, count: 2}]}",
            "spec.options",
            "require_session_join has two entries of one name; name them apart",
        ),
        (
            "options: {require_session_join: {name: a, modes: []}}",
            "spec.options.require_session_join",
            "has no modes; name those that count as being present",
        ),
        (
            "options: {require_session_join: {name: a, filter: 'contains(user.rolse, \"x\")'}}",
            "spec.options.require_session_join.filter",
            "column 10: user.rolse is not known in the filter of require_session_join; did you mean ",
        ),
        ("optoins: {}", "spec.optoins", "no such key; did you mean options?; known are allow, deny, options"),
        (
            "allow: {node_labels: [env]}",
            "spec.allow.node_labels",
            "is a list; write label keys and their values, as in env: production",
        ),
        (
            "allow: {node_labels: {env: }}",
            "spec.allow.node_labels.env",
            "is empty; write a value or leave it out",
        ),
        ("allow: {node_labels: {env: []}}", "spec.allow.node_labels.env", "has no values; write * for any"),
        (
            "allow: {node_labels: {env: [a, ~]}}",
            "spec.allow.node_labels.env[1]",
            "is empty; write a value or leave it out",
        ),
        (
            "allow: {node_labels: {'*': prod}}",
            'spec.allow.node_labels["*"]',
            'takes no value but "*"; together they are every node',
        ),
        (
            "allow: {node_labels: {env: ^prod}}",
            "spec.allow.node_labels.env",
            '"^prod" begins with ^ and so must end with $',
        ),
        (
            "allow: {node_labels: {env: '{{user.traits.env}}'}}",
            "spec.allow.node_labels.env",
            '"{{user.traits.env}}": templates stand only in logins; write the value, * or ^regex$',
        ),
        (
            "allow: {logins: '*'}",
            "spec.allow.logins",
            "'*' is not a login; use 1 to 32 of A-Z a-z 0-9 _ . -, beginning with a letter or _",
        ),
        (
            "allow: {logins: ['{{internal.logins}}']}",
            "spec.allow.logins[0]",
            '"{{internal.logins}}" is not a template; there are {{user.name}}, ',
        ),
        (
            "deny: {logins: ['{{user.name}}*']}",
            "spec.deny.logins[0]",
            '"{{user.name}}*" can never make a login; see what stands around it',
        ),
        (
            "allow: {request: {max_duration: 4h}}",
            "spec.allow.request",
            "names no roles; say which may be asked for",
        ),
        (
            "allow: {request: {roles: a, thresholds: [{approve: 0}]}}",
            "spec.allow.request.thresholds[0].approve",
            '"0" is not a whole number from 1 to 100',
        ),
        (
            "allow: {request: {roles: a, thresholds: [{deny: -1}]}}",
            "spec.allow.request.thresholds[0].deny",
            '"-1" is not a whole number from 1 to 100',
        ),
        (
            "allow: {request: {roles: a, break_glass: {roles: a}}}",
            "spec.allow.request.break_glass.max_duration",
            "is required",
        ),
        (
            "allow: {request: {roles: a, escalation: [{notify: ops}]}}",
            "spec.allow.request.escalation[0].after",
            "is required",
        ),
        (
            "allow: {request: {roles: Prod}}",
            "spec.allow.request.roles",
            "'Prod' is not a role name; use 1 to 63 of a-z 0-9 -, beginning with a letter or digit",
        ),
        (
            "allow: {request: {roles: 'Prod*'}}",
            "spec.allow.request.roles",
            '"Prod*" can match no role name; those are of a-z 0-9 -',
        ),
        (
            "deny: {request: {roles: a, max_duration: 1h}}",
            "spec.deny.request.max_duration",
            "no such key; known are roles",
        ),
        (
            "allow: {review_requests: {where: 'true'}}",
            "spec.allow.review_requests",
            "names no roles; say which, or *",
        ),
        (
            "allow: {review_requests: {roles: a, where: 'request.reason = 1'}}",
            "spec.allow.review_requests.where",
            'column 16: "=" is out of place; write ==',
        ),
        (
            "allow: {join_sessions: [{roles: a}]}",
            "spec.allow.join_sessions[0]",
            "needs roles and modes, at least one of each",
        ),
        (
            "allow: {rules: [{resources: usrs, verbs: list}]}",
            "spec.allow.rules[0].resources",
            '"usrs" is no resource; did you mean users?; known are access_requests, ',
        ),
        (
            "allow: {rules: [{resources: users, verbs: write}]}",
            "spec.allow.rules[0].verbs",
            '"write" is not one of list, read, create, update, delete',
        ),
        ("allow: {rules: [{resources: users}]}", "spec.allow.rules[0].verbs", "is required"),
        ("allow: yes", "spec.allow", 'is "yes"; write a mapping with keys: join_sessions, logins, '),
    ],
)
def test_a_fault_names_its_path_and_what_to_do(spec: str, path: str, what: str) -> None:
    (found,) = spec_faults(spec)
    assert found.startswith(f"{path}: {what}")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "there is no role in it; a document begins with kind: role"),
        ("just text", 'is "just text"; write a mapping with keys: kind, metadata, spec, version'),
        ("{kind: user, metadata: {name: x}, spec: {}}", 'kind: is "user"; write kind: role'),
        ("{metadata: {name: x}, spec: {}}", "kind: is nothing; write kind: role"),
        ("{kind: role, version: v2, metadata: {name: x}, spec: {}}", 'version: is "v2"; write version: v1'),
        ("{kind: role, spec: {}}", "metadata.name: is required"),
        ("{kind: role, metadata: {name: x}}", "spec: is required"),
        (
            "{kind: role, metadata: {name: -x}, spec: {}}",
            "metadata.name: '-x' is not a role name; use 1 to 63 of ",
        ),
        ("{kind: role, metadata: {name: [x]}, spec: {}}", "metadata.name: is a list; write one value"),
        (
            "{kind: role, metadata: {name: x, labels: y}, spec: {}}",
            "metadata.labels: no such key; known are description, name",
        ),
        (
            '{kind: role, metadata: {name: x, description: "a\\e[2Jb"}, spec: {}}',
            "metadata.description: U+001B is not accepted in it; write one line of plain text",
        ),
        (
            '{kind: role, metadata: {name: x, description: "a\\nb"}, spec: {}}',
            "metadata.description: U+000A is not accepted in it; write one line of plain text",
        ),
        (
            f"{{kind: role, metadata: {{name: x, description: {'y' * 513}}}, spec: {{}}}}",
            "metadata.description: has 513 characters; 0 to 512 are allowed",
        ),
        (
            '{kind: role, metadata: {name: x}, spec: {}, "\\e[2J": 1}',
            '["\\u001b[2J"]: no such key; known are kind, metadata, spec, version',
        ),
        ("kind: role\nkind: role", 'line 2, column 1: the key "kind" is said twice; say it once'),
    ],
)
def test_a_document_that_is_none(text: str, fault: str) -> None:
    (found,) = faults(text)
    assert found.startswith(fault)


def test_every_fault_is_told_at_once_and_by_document() -> None:
    found = faults(
        "{kind: role, metadata: {name: A}, spec: {options: {record: x, max_sessions: y}}}\n---\n"
        "{kind: role, metadata: {name: b}, spec: {allow: {logins: ['-']}}}\n---\n"
        "{kind: role, metadata: {name: c}, spec: {}}\n---\n"
        "{kind: role, metadata: {name: c}, spec: {}}\n"
    )
    assert [fault.partition(": ")[0] for fault in found] == ["document 1"] * 3 + ["document 2", "document 4"]
    assert found[-1] == "document 4: metadata.name: c is in this text twice; keep one"


def test_faults_past_the_bound_are_counted() -> None:
    found = spec_faults(f"allow: {{logins: [{','.join(f'-{n}' for n in range(40))}]}}")
    assert len(found) == FAULTS_SHOWN + 1
    assert found[-1] == f"and {40 - FAULTS_SHOWN} more"


@pytest.mark.parametrize(
    "spec",
    [
        f"allow: {{logins: [{','.join(f'l{n}' for n in range(65))}]}}",
        f"allow: {{node_labels: {{{','.join(f'k{n}: v' for n in range(65))}}}}}",
        f"allow: {{node_labels: {{env: {'x' * 257}}}}}",
        f"allow: {{request: {{roles: a, reason_pattern: '{'x' * 257}'}}}}",
        f"options: {{port_forwarding_targets: '{'x' * 300}:1'}}",
    ],
)
def test_oversize_values_are_refused(spec: str) -> None:
    assert len(spec_faults(spec)) == 1


def test_an_oversize_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(TooLarge):
        parse_roles("# \n" * 200_000)


@given(roles())
def test_what_is_written_reads_back(role: Role) -> None:
    assert parse_roles(to_yaml([role])) == [role]
    assert parse_roles(json.dumps(to_document(role))) == [role]


@pytest.mark.parametrize("role", BUILTIN.values(), ids=BUILTIN.keys())
def test_built_in_roles_can_be_written_and_copied(role: Role) -> None:
    assert parse_roles(to_yaml([role])) == [replace(role, builtin=False)]


def test_only_what_was_said_is_written() -> None:
    (role,) = parse_roles("{kind: role, metadata: {name: x}, spec: {options: {port_forwarding: no}}}")
    assert to_document(role)["spec"] == {"options": {"port_forwarding": False}}
    assert to_document(Role("x")) == {"kind": "role", "version": "v1", "metadata": {"name": "x"}, "spec": {}}
    (sensitive,) = parse_roles(SENSITIVE)
    assert to_document(sensitive)["spec"] == {
        "options": {
            "require_session_mfa": "totp",
            "require_session_join": [
                {
                    "name": "require-auditor-observer",
                    "filter": 'contains(user.roles, "auditor")',
                    "modes": ["observer"],
                    "count": 1,
                    "on_leave": "terminate",
                }
            ],
        },
        "allow": {"node_labels": {"env": "production", "sensitivity": "high"}, "logins": ["root"]},
    }


def test_thresholds_default_to_one_and_one() -> None:
    request = one("allow: {request: {roles: a, thresholds: {name: dba}}}").allow.request
    assert request is not None
    assert request.thresholds == (Threshold("dba", approve=1, deny=1),)


@given(st.text(max_size=120) | st.text(alphabet="kindrolespcmta:{}[]\n -\"'*&!x", max_size=120))
def test_any_text_is_roles_or_a_typed_refusal(text: str) -> None:
    with pytest.raises(Invalid):
        parse_roles(text)


@given(roles(), st.integers())
def test_a_damaged_document_is_roles_or_a_typed_refusal(role: Role, seed: int) -> None:
    text, dice = list(to_yaml([role])), random.Random(seed)
    for _ in range(3):
        text[dice.randrange(len(text))] = dice.choice(":-[]{}*&!'\"#\n x0\x1b\ud800é")
    try:
        parse_roles("".join(text))
    except Invalid as refusal:
        assert all(line.isprintable() for line in refusal.message.split("\n"))
