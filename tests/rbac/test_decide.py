"""Decisions: who gets in, what always keeps out, and that every clause is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.model.role import AdminRule, CertPrincipals, Conditions, Role, SessionMfa, Verb
from mezite.rbac.builtin import BUILTIN
from mezite.rbac.decide import Clause, Decision, SshDecision, Stand, admin, ssh
from mezite.rbac.document import parse_roles
from mezite.rbac.roleset import RoleSet
from mezite.rbac.subject import Subject
from tests.support.roles import SENSITIVE, ssh_role

ALICE = Subject("u1", "alice", logins=("ubuntu",), traits={"team": ("platform",)}, roles=("access",))
PROD = {"env": "production", "team": "platform"}
STAGING = {"env": "staging", "team": "platform"}
EVERY = {"*": ("*",)}


def role_set(*roles: Role, subject: Subject = ALICE) -> RoleSet:
    return RoleSet(subject, roles)


def verdicts(decision: Decision) -> list[tuple[str, str, str]]:
    return [(clause.role, clause.rule, clause.verdict.value) for clause in decision.clauses]


def test_a_role_lets_in_where_it_allows_node_and_login() -> None:
    decision = ssh(role_set(ssh_role("prod", labels={"env": ["production"]}, logins=["root"])), PROD, "root")
    assert decision
    assert decision.summary == "allowed by prod"
    assert [role.name for role in decision.letting_in] == ["prod"]
    assert decision.clauses == (
        Clause("prod", "allow.node_labels", Stand.ALLOW, "env is production"),
        Clause("prod", "allow.logins", Stand.ALLOW, "root is listed"),
    )


def test_two_halves_of_two_roles_make_no_whole() -> None:
    node_only = ssh_role("node", labels=EVERY, logins=["ubuntu"])
    login_only = ssh_role("login", labels={"env": ["staging"]}, logins=["root"])
    decision = ssh(role_set(node_only, login_only), PROD, "root")
    assert not decision
    assert decision.terms is None
    assert decision.letting_in == ()
    assert decision.summary == "denied: no role allows both this node and this login"
    assert verdicts(decision) == [
        ("login", "allow.node_labels", "no"),
        ("login", "allow.logins", "allow"),
        ("node", "allow.node_labels", "allow"),
        ("node", "allow.logins", "no"),
    ]


@pytest.mark.parametrize(
    "denial",
    [
        ssh_role("no", deny_logins=["root"]),
        ssh_role("no", deny_logins=["r*"]),
        ssh_role("no", deny_logins=["^ro+t$"]),
        ssh_role("no", deny_labels={"env": ["production"]}),
        ssh_role("no", deny_labels={"team": ["*"]}),
        ssh_role("no", deny_labels={"env": ["staging"]}, deny_logins=["root"]),
        ssh_role("no", deny_labels={"env": ["production"]}, deny_logins=["ubuntu"]),
        ssh_role("no", labels=EVERY, logins=["root"], deny_logins=["root"]),
    ],
)
def test_each_deny_clause_bites_alone(denial: Role) -> None:
    allowing = ssh_role("yes", labels=EVERY, logins=["root"])
    decision = ssh(role_set(denial, allowing), PROD, "root")
    assert not decision
    assert decision.summary.startswith("denied by no: deny.")
    assert decision.terms is None


@pytest.mark.parametrize(
    "denial",
    [
        ssh_role("no", deny_logins=["ubuntu"]),
        ssh_role("no", deny_labels={"env": ["staging"]}),
        ssh_role("no", deny_labels={"env": ["production"], "team": ["data"]}),
        ssh_role("no", deny_logins=["{{user.traits.none}}"]),
    ],
)
def test_a_denial_of_something_else_does_not_bite(denial: Role) -> None:
    assert ssh(role_set(denial, ssh_role("yes", labels=EVERY, logins=["root"])), PROD, "root")


def test_labels_that_cannot_be_judged_are_denied_by_who_denies_and_opened_by_nobody() -> None:
    odd = {"env": "p" * 5000}
    everywhere = ssh_role("yes", labels=EVERY, logins=["root"])
    assert ssh(role_set(everywhere), odd, "root")
    assert not ssh(role_set(everywhere, ssh_role("no", deny_labels={"env": ["^prod.*$"]})), odd, "root")
    assert not ssh(role_set(ssh_role("yes", labels={"env": ["p*"]}, logins=["root"])), odd, "root")


def test_a_stored_pattern_that_no_longer_compiles_opens_nothing_and_denies() -> None:
    everywhere = ssh_role("yes", labels=EVERY, logins=["root"])
    assert not ssh(role_set(ssh_role("yes", labels={"env": ["^($"]}, logins=["root"])), PROD, "root")
    assert not ssh(role_set(everywhere, ssh_role("no", deny_labels={"env": ["^($"]})), PROD, "root")
    assert not ssh(role_set(everywhere, ssh_role("no", deny_logins=["^($"])), PROD, "root")


def test_a_denial_does_not_hide_behind_a_role_of_the_same_name() -> None:
    twins = [ssh_role("twin", labels=EVERY, logins=["root"]), ssh_role("twin", deny_logins=["root"])]
    assert not ssh(role_set(*twins), PROD, "root")
    assert not ssh(role_set(*reversed(twins)), PROD, "root")


def test_no_roles_and_empty_roles_open_nothing() -> None:
    assert ssh(role_set(), PROD, "alice").summary == "denied: no roles are held"
    assert not ssh(role_set(Role("empty")), PROD, "alice")
    assert not ssh(role_set(ssh_role("no-logins", labels=EVERY)), PROD, "alice")
    assert not ssh(role_set(ssh_role("no-labels", logins=["alice"])), PROD, "alice")


def test_the_built_in_access_opens_every_node_under_ones_own_name_only() -> None:
    roles = role_set(BUILTIN["access"])
    assert ssh(roles, {}, "alice")
    assert ssh(roles, PROD, "alice")
    assert not ssh(roles, PROD, "root")
    assert not ssh(roles, PROD, "ubuntu")
    assert not ssh(RoleSet(replace(ALICE, name="alice@corp"), [BUILTIN["access"]]), PROD, "alice@corp")


def test_admin_and_the_others_reach_no_node() -> None:
    for name in ("admin", "auditor", "reviewer"):
        assert not role_set(BUILTIN[name]).sees(PROD)


def test_terms_come_from_the_roles_that_let_in() -> None:
    (sensitive,) = parse_roles(SENSITIVE)
    roles = role_set(sensitive, BUILTIN["access"])
    high = {"env": "production", "sensitivity": "high"}
    as_root, as_alice = ssh(roles, high, "root"), ssh(roles, high, "alice")
    assert as_root.terms is not None
    assert as_root.terms.require_session_mfa is SessionMfa.TOTP
    assert [demand.role for demand in as_root.terms.require_session_join] == ["ssh-sensitive"]
    assert as_alice.terms is not None
    assert as_alice.terms.require_session_mfa is SessionMfa.OFF
    assert as_alice.terms.require_session_join == ()


def test_a_bar_overrules_and_keeps_the_clauses() -> None:
    decision = ssh(role_set(BUILTIN["access"]), PROD, "alice")
    barred = decision.barred("lock on user alice")
    assert not barred
    assert barred.summary == "denied: lock on user alice"
    assert barred.clauses == (*decision.clauses, Clause("", "lock", Stand.DENY, "lock on user alice"))
    assert barred.terms is None
    assert barred.letting_in == ()


def test_what_is_shown_of_labels_and_logins_is_fit_to_print() -> None:
    nasty = {"env": "\x1b]0;owned\x07" + "x" * 500}
    roles = role_set(ssh_role("r", labels={"env": ["production"]}, logins=["root"]))
    for clause in ssh(roles, nasty, "\x1b[31m\u202eroot").clauses:
        assert clause.reason.isprintable()
        assert len(clause.reason) < 200


# -- principals ---------------------------------------------------------------------------------------------


def test_principals_are_the_logins_of_standing_roles() -> None:
    granted = ssh_role("granted", labels=EVERY, logins=["root"])
    roles = role_set(BUILTIN["access"], granted, ssh_role("no", deny_logins=["postgres"]))
    assert roles.principals() == ("alice", "root")
    assert roles.principals(standing={"access"}) == ("alice",)
    assert roles.principals(standing=()) == ()


def test_a_granted_role_may_say_that_its_logins_go_into_certificates() -> None:
    granted = ssh_role("granted", labels=EVERY, logins=["root"], cert_principals=CertPrincipals.ALL)
    assert role_set(BUILTIN["access"], granted).principals(standing={"access"}) == ("alice", "root")


def test_a_denied_login_is_no_principal() -> None:
    roles = role_set(
        ssh_role("r", labels=EVERY, logins=["root", "ubuntu"]), ssh_role("no", deny_logins=["roo?"])
    )
    assert roles.principals() == ("ubuntu",)


# -- administration -----------------------------------------------------------------------------------------


def ruled(name: str, allow: Sequence[AdminRule] = (), deny: Sequence[AdminRule] = ()) -> Role:
    return Role(name, allow=Conditions(rules=tuple(allow)), deny=Conditions(rules=tuple(deny)))


def rule(resources: str, *verbs: Verb, where: str = "") -> AdminRule:
    return AdminRule(tuple(resources.split()), verbs or tuple(Verb), where)


@pytest.mark.parametrize(
    ("allow", "deny", "allowed"),
    [
        ([], [], False),
        ([rule("users")], [], True),
        ([rule("*")], [], True),
        ([rule("roles")], [], False),
        ([rule("users", Verb.READ)], [], False),
        ([rule("users roles", Verb.READ, Verb.DELETE)], [], True),
        ([rule("*")], [rule("users", Verb.DELETE)], False),
        ([rule("*")], [rule("*", Verb.CREATE)], True),
        ([rule("users", where='resource.name == "bob"')], [], True),
        ([rule("users", where='resource.name == "carol"')], [], False),
        ([rule("users", where='contains(user.traits.team, "platform")')], [], True),
        ([rule("users", where='resource.owner == "bob"')], [], False),
        ([rule("users", where='!(resource.owner == "bob")')], [], False),
        ([rule("users", where="no such thing")], [], False),
        ([rule("*")], [rule("users", where='resource.name == "bob"')], False),
        ([rule("*")], [rule("users", where='resource.name == "carol"')], True),
        ([rule("*")], [rule("users", where='resource.owner == "carol"')], False),
        ([rule("*")], [rule("users", where="no such thing")], False),
        ([rule("users", where='resource.kind == "users"')], [], True),
    ],
)
def test_administrative_rules(allow: list[AdminRule], deny: list[AdminRule], allowed: bool) -> None:
    facts = {"resource.name": "bob"}
    together = admin(ALICE, [ruled("r", allow, deny)], "users", Verb.DELETE, facts)
    apart = admin(ALICE, [ruled("a", allow), ruled("d", deny=deny)], "users", Verb.DELETE, facts)
    assert bool(together) is bool(apart) is allowed
    assert len(together.clauses) == len(apart.clauses) == len(allow) + len(deny)


def test_administrative_clauses_say_what_decided() -> None:
    roles = [
        ruled("ops", [rule("users"), rule("roles", Verb.LIST)]),
        ruled("strict", deny=[rule("users", Verb.DELETE)]),
    ]
    decision = admin(ALICE, roles, "users", Verb.DELETE)
    assert decision.summary == "denied by strict: deny.rules[0]"
    assert verdicts(decision) == [
        ("ops", "allow.rules[0]", "allow"),
        ("ops", "allow.rules[1]", "no"),
        ("strict", "deny.rules[0]", "deny"),
    ]
    assert admin(ALICE, roles, "users", Verb.LIST).summary == "allowed by ops: allow.rules[0]"
    assert admin(ALICE, roles, "audit", Verb.LIST).summary == 'denied: no role allows list on "audit"'


def test_facts_of_the_caller_cannot_change_what_is_asked_about() -> None:
    roles = [ruled("r", [rule("*", where='resource.kind == "users"')])]
    assert not admin(ALICE, roles, "roles", Verb.LIST, {"resource.kind": "users"})


def test_the_auditor_reads_all_and_changes_nothing() -> None:
    auditor = [BUILTIN["auditor"]]
    for verb in Verb:
        assert bool(admin(ALICE, auditor, "recordings", verb)) is (verb in (Verb.LIST, Verb.READ))


# -- properties ---------------------------------------------------------------------------------------------

_keys = st.sampled_from(("env", "team"))
_patterns = st.lists(st.sampled_from(("a", "b", "*", "^a|b$")), min_size=1, max_size=2).map(tuple)
_node_labels = st.dictionaries(_keys, _patterns, max_size=2) | st.just(EVERY)
_allowed = st.lists(st.sampled_from(("root", "ubuntu", "{{user.name}}", "{{user.traits.team}}")), max_size=2)
_denied = st.lists(st.sampled_from(("root", "u*", "{{user.name}}", "^[pr].*$")), max_size=1)
_nothing: dict[str, tuple[str, ...]] = {}
_sparse = st.just(_nothing) | _node_labels


def held_roles(*, most: int = 4) -> st.SearchStrategy[list[Role]]:
    one = st.builds(
        lambda name, labels, logins, deny_labels, deny_logins: ssh_role(
            name, labels=labels, logins=logins, deny_labels=deny_labels, deny_logins=deny_logins
        ),
        st.sampled_from(("p", "q", "r", "s", "t")),
        _node_labels,
        _allowed,
        _sparse,
        _denied,
    )
    return st.lists(one, max_size=most, unique_by=lambda role: role.name)


def without_denials(roles: Sequence[Role]) -> list[Role]:
    return [replace(role, deny=Conditions()) for role in roles]


_nodes = st.dictionaries(_keys, st.sampled_from(("a", "b", "c")))
_logins = st.sampled_from(("root", "ubuntu", "alice", "platform", "nobody"))


@given(held_roles(), _nodes, _logins, st.data())
def test_the_order_of_roles_never_matters(
    roles: list[Role], labels: dict[str, str], login: str, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(roles))
    assert ssh(role_set(*shuffled), labels, login) == ssh(role_set(*roles), labels, login)


@given(held_roles(), _nodes, _logins, _sparse, _denied)
def test_another_denial_never_opens_anything(
    roles: list[Role],
    labels: dict[str, str],
    login: str,
    deny_labels: dict[str, tuple[str, ...]],
    deny_logins: list[str],
) -> None:
    denial = ssh_role("z", deny_labels=deny_labels, deny_logins=deny_logins)
    before, after = role_set(*roles), role_set(*roles, denial)
    assert after.logins_for(labels) <= before.logins_for(labels)
    assert not ssh(after, labels, login) or ssh(before, labels, login)


@given(held_roles(), held_roles(), _nodes, _logins)
def test_another_role_without_denials_never_closes_anything(
    roles: list[Role], others: list[Role], labels: dict[str, str], login: str
) -> None:
    added = [replace(role, name=f"more-{role.name}") for role in without_denials(others)]
    assert not ssh(role_set(*roles), labels, login) or ssh(role_set(*roles, *added), labels, login)


@given(held_roles(), _nodes, _logins)
def test_a_clause_that_denies_and_an_allowed_session_never_meet(
    roles: list[Role], labels: dict[str, str], login: str
) -> None:
    decision = ssh(role_set(*roles), labels, login)
    denied = any(clause.verdict is Stand.DENY for clause in decision.clauses)
    stripped = ssh(role_set(*without_denials(roles)), labels, login)
    assert bool(decision) is (bool(stripped) and not denied)


@given(held_roles(), _nodes, _logins)
def test_the_quick_way_and_the_explained_way_agree(
    roles: list[Role], labels: dict[str, str], login: str
) -> None:
    quick, decision = role_set(*roles), ssh(role_set(*roles), labels, login)
    assert (login in quick.logins_for(labels)) is bool(decision)
    assert quick.sees(labels) is bool(quick.logins_for(labels))
    assert decision.letting_in == quick.letting_in(labels, login)
    assert _by_the_clauses(decision) is bool(decision)


def _by_the_clauses(decision: SshDecision) -> bool:
    """The decision, made again from nothing but what was told."""
    told = {(clause.role, clause.rule): clause.verdict for clause in decision.clauses}
    names = {clause.role for clause in decision.clauses}
    let_in = any(
        told.get((name, "allow.node_labels")) is told.get((name, "allow.logins")) is Stand.ALLOW
        for name in names
    )
    return let_in and Stand.DENY not in told.values()


@given(st.permutations(["a", "b", "c"]), st.booleans(), st.booleans())
def test_deny_beats_allow_in_administration_in_any_order(order: list[str], first: bool, second: bool) -> None:
    roles = [ruled(order[0], [rule("users")]), ruled(order[1], [rule("*")])]
    if first:
        roles.insert(0, ruled(order[2], deny=[rule("users", Verb.DELETE)]))
    if second:
        roles = [replace(roles[0], deny=Conditions(rules=(rule("*"),))), *roles[1:]]
    assert bool(admin(ALICE, roles, "users", Verb.DELETE)) is not (first or second)
