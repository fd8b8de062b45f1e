"""Roles for tests: short ways to make one, strategies that make any, and the documents people start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from hypothesis import strategies as st

from mezite.model.role import (
    AdminRule,
    BreakGlass,
    CertPrincipals,
    Conditions,
    Enhanced,
    EscalationStep,
    FileCopy,
    JoinMode,
    JoinRequirement,
    JoinRule,
    OnGrantEnd,
    OnLeave,
    Options,
    RecordPolicy,
    RequestRule,
    ReviewRule,
    Role,
    SessionMfa,
    Threshold,
    Verb,
)
from mezite.rbac.decide import RESOURCES

CAN_REQUEST: Final = """\
kind: role
metadata:
  name: can-request-production
  description: "Can request temporary production SSH access"
spec:
  allow:
    request:
      roles:
        - ssh-production
      max_duration: 4h
      reason_required: true
  deny: {}
"""

CAN_APPROVE: Final = """\
kind: role
metadata:
  name: can-approve-production
  description: "Can approve production SSH access requests"
spec:
  allow:
    review_requests:
      roles:
        - ssh-production
  deny: {}
"""

SENSITIVE: Final = """\
kind: role
version: v1
metadata:
  name: ssh-sensitive
spec:
  options:
    require_session_mfa: "totp"
    # require_session_join is repeatable; each entry specifies who must be
    # present and in what mode for sessions opened with this role.
    require_session_join:
      - name: require-auditor-observer
        # filter is a predicate expression evaluated against the joining user.
        filter: 'contains(user.roles, "auditor")'
        modes:
          - observer
        count: 1
        on_leave: terminate
  allow:
    node_labels:
      env: production
      sensitivity: high
    logins:
      - root
"""


def ssh_role(
    name: str,
    *,
    labels: Mapping[str, Sequence[str]] | None = None,
    logins: Sequence[str] = (),
    deny_labels: Mapping[str, Sequence[str]] | None = None,
    deny_logins: Sequence[str] = (),
    **options: Any,
) -> Role:
    """A role that speaks of nodes and logins."""
    return Role(
        name,
        options=Options(**options),
        allow=_side(labels, logins),
        deny=_side(deny_labels, deny_logins),
    )


def _side(labels: Mapping[str, Sequence[str]] | None, logins: Sequence[str]) -> Conditions:
    return Conditions(
        node_labels={key: tuple(values) for key, values in (labels or {}).items()}, logins=tuple(logins)
    )


_names = st.sampled_from(("a", "dba", "ssh-production", "no", "off", "007", "x-1"))
_lines = st.sampled_from(
    ("plain", "no", "1.10", "# not a comment", "a: b", "'q\" \\", "ünï 漢", "[red]x[/]", "~")
)
_durations = st.integers(1, 400_000).map(lambda seconds: timedelta(seconds=seconds))
_globs = st.sampled_from(("*", "ssh-*", "dba", "db-?", "^db-[0-9]+$"))
_values = st.sampled_from(
    ("production", "*", "off", "1.10", "prod-*", "^web-[0-9]+$", "~", "true", "", "a b")
)
_keys = st.sampled_from(("env", "team", "on", "kubernetes.io/role", "y"))
_counts = st.integers(1, 100)


def _some(of: st.SearchStrategy[Any], *, least: int = 0, most: int = 3) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, min_size=least, max_size=most, unique=True).map(tuple)


def _enum(kind: Any) -> st.SearchStrategy[Any]:
    return st.none() | st.sampled_from(kind)


_labels = st.one_of(
    st.dictionaries(_keys, _some(_values, least=1), max_size=3),
    st.just({"*": ("*",)}),
)

_join_requirements = st.builds(
    JoinRequirement,
    name=_lines,
    filter=st.sampled_from(("", 'contains(user.roles, "auditor")', "!(user.name == owner.name)")),
    modes=_some(st.sampled_from((JoinMode.OBSERVER, JoinMode.PEER, JoinMode.MODERATOR)), least=1),
    count=_counts,
    on_leave=st.sampled_from(OnLeave),
)

options: Final = st.builds(
    Options,
    max_session_ttl=st.none() | _durations,
    require_session_mfa=_enum(SessionMfa),
    port_forwarding=st.none() | st.booleans(),
    port_forwarding_targets=_some(st.sampled_from(("db-1:5432", "*.internal:*", "[::1]:80", "unix:/run/x"))),
    file_copy=_enum(FileCopy),
    agent_forwarding=st.none() | st.booleans(),
    x11_forwarding=st.none() | st.booleans(),
    client_idle_timeout=st.none() | _durations,
    max_sessions=st.none() | _counts,
    record=_enum(RecordPolicy),
    enhanced_recording=_some(st.sampled_from(Enhanced)),
    on_grant_end=_enum(OnGrantEnd),
    require_session_join=st.lists(
        _join_requirements, max_size=2, unique_by=lambda requirement: requirement.name
    ).map(tuple),
    cert_principals=_enum(CertPrincipals),
)

_requests = st.builds(
    RequestRule,
    roles=_some(_globs, least=1),
    max_duration=st.none() | _durations,
    reason_required=st.booleans(),
    reason_pattern=st.sampled_from(("", "INC-*", "^INC-[0-9]+$")),
    ticket_pattern=st.sampled_from(("", "^[A-Z]+-[0-9]+$")),
    suggested_reviewers=_some(st.sampled_from(("bob", "charlie@corp"))),
    thresholds=_some(
        st.builds(
            Threshold,
            name=st.sampled_from(("", "dba")),
            filter=st.sampled_from(("", 'contains(reviewer.roles, "dba")')),
            approve=_counts,
            deny=_counts,
            mfa=st.booleans(),
        )
    ),
    break_glass=st.none()
    | st.builds(
        BreakGlass,
        max_duration=_durations,
        roles=_some(_globs, least=1),
        waive_join=st.booleans(),
        debt=_counts,
    ),
    sla=st.none() | _durations,
    request_ttl=st.none() | _durations,
    escalation=_some(
        st.builds(EscalationStep, after=_durations, notify=_some(_lines), add_reviewers=_some(_names))
    ),
)

_reviews = st.none() | st.builds(
    ReviewRule,
    roles=_some(_globs, least=1),
    where=st.sampled_from(("", 'has_prefix(request.reason, "INC-")', "request.duration <= 4h")),
)

_join_rules = _some(
    st.builds(
        JoinRule,
        name=st.sampled_from(("", "watchers")),
        roles=_some(_globs, least=1),
        modes=_some(st.sampled_from(JoinMode), least=1, most=4),
    )
)

_admin_rules = _some(
    st.builds(
        AdminRule,
        resources=_some(st.sampled_from((*RESOURCES, "*")), least=1),
        verbs=_some(st.sampled_from(Verb), least=1, most=5),
        where=st.sampled_from(("", "resource.owner == user.name", '!has_prefix(resource.name, "x")')),
    )
)

_logins = st.sampled_from(
    ("root", "ubuntu", "{{user.name}}", "ops-{{user.logins}}", "{{user.traits.unix}}", "no")
)


def roles(names: st.SearchStrategy[str] = _names) -> st.SearchStrategy[Role]:
    """Any role that a document can say."""
    allow = st.builds(
        Conditions,
        node_labels=_labels,
        logins=_some(_logins),
        request=st.none() | _requests,
        review_requests=_reviews,
        join_sessions=_join_rules,
        rules=_admin_rules,
    )
    deny = st.builds(
        Conditions,
        node_labels=_labels,
        logins=_some(_logins | st.sampled_from(("roo*", "^[a-z]+$"))),
        request=st.none() | st.builds(RequestRule, roles=_some(_globs, least=1)),
        review_requests=_reviews,
        join_sessions=_join_rules,
        rules=_admin_rules,
    )
    return st.builds(
        Role, name=names, description=st.just("") | _lines, options=options, allow=allow, deny=deny
    )
