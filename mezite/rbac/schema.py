"""The schema of a role's document: its keys, as tables. `docs/roles.md` says what they mean.

Keys are the names of the fields they fill. Each table serves reading and writing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mezite.model.role import (
    AdminRule,
    BreakGlass,
    CertPrincipals,
    Conditions,
    Enhanced,
    EscalationStep,
    JoinMode,
    JoinRequirement,
    JoinRule,
    OnGrantEnd,
    OnLeave,
    Options,
    RecordPolicy,
    RequestRule,
    ReviewRule,
    Threshold,
)
from mezite.predicate.contexts import ADMIN_WHERE, JOIN_FILTER, REVIEW
from mezite.rbac import values
from mezite.rbac.fields import Many, Record, choice
from mezite.rbac.values import ENTRIES

LARGEST_COUNT: Final = 100
LARGEST_SESSIONS: Final = 10_000


def _join_requirement_faults(requirement: JoinRequirement) -> Iterator[str]:
    if not requirement.modes:
        yield "has no modes; name those that count as being present"
    if JoinMode.WATCH in requirement.modes:
        yield "asks for watch, which never counts as being present; use observer"


def _options_faults(options: Options) -> Iterator[str]:
    names = [requirement.name for requirement in options.require_session_join]
    if len(set(names)) < len(names):
        yield "require_session_join has two entries of one name; name them apart"


def _request_faults(rule: RequestRule) -> Iterator[str]:
    if not rule.roles and rule.break_glass is None:
        yield "names no roles; say which may be asked for"


def _admin_faults(rule: AdminRule) -> Iterator[str]:
    if not rule.resources or not rule.verbs:
        yield "needs resources and verbs, at least one of each"


def _roles_faults(rule: RequestRule | ReviewRule | BreakGlass) -> Iterator[str]:
    if not rule.roles:
        yield "names no roles; say which, or *"


def _join_rule_faults(rule: JoinRule) -> Iterator[str]:
    if not rule.roles or not rule.modes:
        yield "needs roles and modes, at least one of each"


JOIN_REQUIREMENT: Final = Record(
    JoinRequirement,
    {
        "name": values.NAME,
        "filter": values.predicate(JOIN_FILTER),
        "modes": values.ALLOWED_MODES,
        "count": values.count(LARGEST_COUNT),
        "on_leave": choice(OnLeave),
    },
    check=_join_requirement_faults,
    whole=True,
)

OPTIONS: Final = Record(
    Options,
    {
        "max_session_ttl": values.DURATION,
        "require_session_mfa": values.MFA,
        "port_forwarding": values.FLAG,
        "port_forwarding_targets": values.TARGETS,
        "file_copy": values.FILE_COPY,
        "agent_forwarding": values.FLAG,
        "x11_forwarding": values.FLAG,
        "client_idle_timeout": values.DURATION,
        "max_sessions": values.count(LARGEST_SESSIONS),
        "record": choice(RecordPolicy),
        "enhanced_recording": Many(choice(Enhanced), limit=ENTRIES),
        "on_grant_end": choice(OnGrantEnd),
        "require_session_join": Many(JOIN_REQUIREMENT, limit=ENTRIES),
        "cert_principals": choice(CertPrincipals),
    },
    check=_options_faults,
)

THRESHOLD: Final = Record(
    Threshold,
    {
        "name": values.NAME,
        "filter": values.predicate(REVIEW),
        "approve": values.count(LARGEST_COUNT),
        "deny": values.count(LARGEST_COUNT),
        "mfa": values.FLAG,
    },
)

ESCALATION_STEP: Final = Record(
    EscalationStep,
    {"after": values.DURATION, "notify": values.NAMES, "add_reviewers": values.USERS},
)

BREAK_GLASS: Final = Record(
    BreakGlass,
    {
        "max_duration": values.DURATION,
        "roles": values.ROLE_GLOBS,
        "waive_join": values.FLAG,
        "debt": values.count(LARGEST_COUNT),
    },
    check=_roles_faults,
)

REQUEST: Final = Record(
    RequestRule,
    {
        "roles": values.ROLE_GLOBS,
        "max_duration": values.DURATION,
        "reason_required": values.FLAG,
        "reason_pattern": values.PATTERN,
        "ticket_pattern": values.PATTERN,
        "suggested_reviewers": values.USERS,
        "thresholds": Many(THRESHOLD, limit=ENTRIES),
        "break_glass": BREAK_GLASS,
        "sla": values.DURATION,
        "request_ttl": values.DURATION,
        "escalation": Many(ESCALATION_STEP, limit=ENTRIES),
    },
    check=_request_faults,
)

DENIED_REQUEST: Final = Record(RequestRule, {"roles": values.ROLE_GLOBS}, check=_roles_faults)

REVIEW_REQUESTS: Final = Record(
    ReviewRule,
    {"roles": values.ROLE_GLOBS, "where": values.predicate(REVIEW)},
    check=_roles_faults,
)

ADMIN_RULE: Final = Record(
    AdminRule,
    {"resources": values.RESOURCE_NAMES, "verbs": values.VERBS, "where": values.predicate(ADMIN_WHERE)},
    check=_admin_faults,
)

ALLOW: Final = Record(
    Conditions,
    {
        "node_labels": values.NodeLabels(),
        "logins": values.ALLOWED_LOGINS,
        "request": REQUEST,
        "review_requests": REVIEW_REQUESTS,
        "join_sessions": Many(
            Record(
                JoinRule,
                {"name": values.NAME, "roles": values.ROLE_GLOBS, "modes": values.ALLOWED_MODES},
                check=_join_rule_faults,
            ),
            limit=ENTRIES,
        ),
        "rules": Many(ADMIN_RULE, limit=ENTRIES),
    },
)

DENY: Final = Record(
    Conditions,
    {
        "node_labels": values.NodeLabels(),
        "logins": values.DENIED_LOGINS,
        "request": DENIED_REQUEST,
        "review_requests": REVIEW_REQUESTS,
        "join_sessions": Many(
            Record(
                JoinRule,
                {"name": values.NAME, "roles": values.ROLE_GLOBS, "modes": values.DENIED_MODES},
                check=_join_rule_faults,
            ),
            limit=ENTRIES,
        ),
        "rules": Many(ADMIN_RULE, limit=ENTRIES),
    },
)
