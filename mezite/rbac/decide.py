"""Decisions: may this subject do this? Pure, on explicit inputs, each keeping every clause that spoke.

A decision is truthy when it allows. Its clauses say, role by role, what each rule came to, so that explaining
is printing. Three rules hold in all of them:

1. Deny overrides allow, in whatever role and order.
2. What nobody allows is denied.
3. A clause that cannot be judged never helps: on the allow side it is a no, on the deny side it bites.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from mezite.model.role import AdminRule, Role, Verb
from mezite.predicate.contexts import ADMIN_WHERE
from mezite.predicate.kinds import Facts
from mezite.predicate.predicate import holds
from mezite.quoting import quoted
from mezite.rbac.labels import EVERY
from mezite.rbac.options import Terms
from mezite.rbac.reasons import login_reason, node_reason
from mezite.rbac.roleset import HeldRole, RoleSet
from mezite.rbac.subject import Subject

RESOURCES = (
    "access_requests",
    "audit",
    "authorities",
    "cluster",
    "jit",
    "locks",
    "nodes",
    "policies",
    "recordings",
    "roles",
    "sessions",
    "tokens",
    "users",
    "webhooks",
)
"""What administrative rules speak of; `*` in a rule is all of them, also those still to come."""


class Stand(StrEnum):
    """What one clause says to the question asked."""

    ALLOW = "allow"
    """A rule of the allow side that holds. Alone it may not be enough: a session needs node and login."""
    DENY = "deny"
    """A rule of the deny side that bites."""
    NO = "no"
    """A rule, of either side, that does not apply."""


@dataclass(frozen=True, slots=True)
class Clause:
    """`rule` is the path inside the role's document, `reason` one line fit for a terminal."""

    role: str
    rule: str
    verdict: Stand
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """`summary` is one line: what decided."""

    allowed: bool
    summary: str
    clauses: tuple[Clause, ...] = ()

    def __bool__(self) -> bool:
        return self.allowed


@dataclass(frozen=True, slots=True)
class SshDecision(Decision):
    """`letting_in` and `terms` are those of an allowed session; a denied one has none."""

    letting_in: tuple[Role, ...] = ()
    terms: Terms | None = None

    def barred(self, why: str) -> SshDecision:
        """The same decision, overruled by something that stands above roles, such as a lock."""
        bar = Clause("", "lock", Stand.DENY, why)
        return replace(
            self,
            allowed=False,
            summary=f"denied: {why}",
            clauses=(*self.clauses, bar),
            letting_in=(),
            terms=None,
        )


def ssh(roles: RoleSet, node_labels: Mapping[str, str], login: str) -> SshDecision:
    """Whether a session on a node with these labels may run as `login`, and on which terms."""
    clauses = tuple(clause for one in roles.held for clause in _ssh_clauses(one, node_labels, login))
    letting_in = roles.letting_in(node_labels, login)
    summary = _ssh_summary(clauses, letting_in, roles)
    if not letting_in:
        return SshDecision(allowed=False, summary=summary, clauses=clauses)
    return SshDecision(
        allowed=True, summary=summary, clauses=clauses, letting_in=letting_in, terms=roles.terms(letting_in)
    )


def admin(
    subject: Subject,
    roles: Iterable[Role],
    resource: str,
    verb: Verb,
    facts: Facts | None = None,
) -> Decision:
    """Whether the verb is allowed on the resource. `facts` are what a `where` may know beside the subject."""
    known = {**subject.facts(), **(facts or {}), "resource.kind": resource}
    clauses = tuple(
        clause
        for role in sorted(roles, key=lambda role: role.name)
        for clause in _admin_clauses(role, resource, verb, known)
    )
    if denial := _first(clauses, Stand.DENY):
        return Decision(allowed=False, summary=f"denied by {denial.role}: {denial.rule}", clauses=clauses)
    if consent := _first(clauses, Stand.ALLOW):
        return Decision(allowed=True, summary=f"allowed by {consent.role}: {consent.rule}", clauses=clauses)
    return Decision(
        allowed=False, summary=f"denied: no role allows {verb} on {quoted(resource)}", clauses=clauses
    )


def hangs_on_facts(roles: Iterable[Role], resource: str, verb: Verb) -> bool:
    """Whether the answer differs from thing to thing: some rule about it allows, and some has a `where`."""
    rules = [
        (rule, allowing)
        for role in roles
        for side, allowing in ((role.deny, False), (role.allow, True))
        for rule in side.rules
        if verb in rule.verbs and (resource in rule.resources or EVERY in rule.resources)
    ]
    return any(rule.where for rule, _ in rules) and any(allowing for _, allowing in rules)


def _first(clauses: Iterable[Clause], verdict: Stand) -> Clause | None:
    return next((clause for clause in clauses if clause.verdict is verdict), None)


def _ssh_clauses(one: HeldRole, labels: Mapping[str, str], login: str) -> Iterator[Clause]:
    """Only rules that the role has: one that says nothing of nodes and logins adds no line."""
    name, allow, deny = one.role.name, one.role.allow, one.role.deny
    if one.deny_labels:
        bites = one.deny_labels.matches(labels) is not False
        yield _clause(
            name, "deny.node_labels", Stand.DENY if bites else None, node_reason(one.deny_labels, labels)
        )
    if deny.logins:
        bites = one.deny_logins.matches(login) is not False
        yield _clause(
            name, "deny.logins", Stand.DENY if bites else None, login_reason(one.deny_entries, login)
        )
    if one.allow_labels:
        opens = one.allow_labels.matches(labels) is True
        yield _clause(
            name, "allow.node_labels", Stand.ALLOW if opens else None, node_reason(one.allow_labels, labels)
        )
    if allow.logins:
        opens = login in one.allow_logins
        yield _clause(
            name,
            "allow.logins",
            Stand.ALLOW if opens else None,
            login_reason(one.allow_logins, login),
        )


def _clause(role: str, rule: str, verdict: Stand | None, reason: str) -> Clause:
    return Clause(role, rule, verdict or Stand.NO, reason)


def _ssh_summary(clauses: Iterable[Clause], letting_in: tuple[Role, ...], roles: RoleSet) -> str:
    if denial := _first(clauses, Stand.DENY):
        return f"denied by {denial.role}: {denial.rule}"
    if letting_in:
        return f"allowed by {', '.join(role.name for role in letting_in)}"
    return f"denied: {'no role allows both this node and this login' if roles.roles else 'no roles are held'}"


def _admin_clauses(role: Role, resource: str, verb: Verb, facts: Facts) -> Iterator[Clause]:
    for side, verdict, rules in (
        ("deny", Stand.DENY, role.deny.rules),
        ("allow", Stand.ALLOW, role.allow.rules),
    ):
        for index, rule in enumerate(rules):
            applies, reason = _admin_rule(rule, resource, verb, facts, denying=verdict is Stand.DENY)
            yield _clause(role.name, f"{side}.rules[{index}]", verdict if applies else None, reason)


def _admin_rule(
    rule: AdminRule, resource: str, verb: Verb, facts: Facts, *, denying: bool
) -> tuple[bool, str]:
    if resource not in rule.resources and EVERY not in rule.resources:
        return False, f"is about {', '.join(rule.resources)}"
    if verb not in rule.verbs:
        return False, f"is about {', '.join(rule.verbs)}"
    where = holds(rule.where, ADMIN_WHERE, facts)
    return (where.may_hold if denying else bool(where)), where.why
