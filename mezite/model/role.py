"""A role: what its holders may do and on what terms, as its document says it. `mezite.rbac` gives it meaning.

Predicates and patterns are kept as the text that was saved; they were compiled once then, so a stored one is
known to be sound. None means that the role does not say; what that comes to is for `mezite.rbac.options`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class SessionMfa(StrEnum):
    OFF = "off"
    TOTP = "totp"
    WEBAUTHN = "webauthn"


class FileCopy(StrEnum):
    ALL = "all"
    UPLOAD = "upload"
    DOWNLOAD = "download"
    NONE = "none"


class RecordPolicy(StrEnum):
    STRICT = "strict"
    BEST_EFFORT = "best_effort"


class Enhanced(StrEnum):
    """What enhanced recording watches."""

    COMMAND = "command"
    DISK = "disk"
    NETWORK = "network"


class OnGrantEnd(StrEnum):
    TERMINATE = "terminate"
    KEEP = "keep"


class CertPrincipals(StrEnum):
    """Whether a role held by a grant puts its logins into certificates, for any sshd that trusts our CA."""

    STANDING = "standing"
    ALL = "all"


class OnLeave(StrEnum):
    TERMINATE = "terminate"
    PAUSE = "pause"


class JoinMode(StrEnum):
    WATCH = "watch"
    OBSERVER = "observer"
    PEER = "peer"
    MODERATOR = "moderator"


class Verb(StrEnum):
    LIST = "list"
    READ = "read"
    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class JoinRequirement:
    """One entry of `require_session_join`: who must be present for a session this role let in."""

    name: str
    filter: str = ""
    modes: tuple[JoinMode, ...] = (JoinMode.OBSERVER,)
    count: int = 1
    on_leave: OnLeave = OnLeave.TERMINATE


@dataclass(frozen=True, slots=True)
class Options:
    max_session_ttl: timedelta | None = None
    require_session_mfa: SessionMfa | None = None
    port_forwarding: bool | None = None
    port_forwarding_targets: tuple[str, ...] = ()
    file_copy: FileCopy | None = None
    agent_forwarding: bool | None = None
    x11_forwarding: bool | None = None
    client_idle_timeout: timedelta | None = None
    max_sessions: int | None = None
    record: RecordPolicy | None = None
    enhanced_recording: tuple[Enhanced, ...] = ()
    on_grant_end: OnGrantEnd | None = None
    require_session_join: tuple[JoinRequirement, ...] = ()
    cert_principals: CertPrincipals | None = None


@dataclass(frozen=True, slots=True)
class Threshold:
    name: str = ""
    filter: str = ""
    approve: int = 1
    deny: int = 1
    mfa: bool = False


@dataclass(frozen=True, slots=True)
class EscalationStep:
    after: timedelta
    notify: tuple[str, ...] = ()
    add_reviewers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BreakGlass:
    max_duration: timedelta
    roles: tuple[str, ...]
    waive_join: bool = False
    """Whether sessions that live off it may start without those whom `require_session_join` asks for."""
    debt: int = 1
    """How many of its uses may wait for their acknowledgement before the next is refused."""


@dataclass(frozen=True, slots=True)
class RequestRule:
    """`request`: what the holder may ask for, and on what terms. The `deny` side has `roles` alone."""

    roles: tuple[str, ...] = ()
    max_duration: timedelta | None = None
    reason_required: bool = False
    reason_pattern: str = ""
    ticket_pattern: str = ""
    suggested_reviewers: tuple[str, ...] = ()
    thresholds: tuple[Threshold, ...] = ()
    break_glass: BreakGlass | None = None
    sla: timedelta | None = None
    request_ttl: timedelta | None = None
    escalation: tuple[EscalationStep, ...] = ()


@dataclass(frozen=True, slots=True)
class ReviewRule:
    roles: tuple[str, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class JoinRule:
    """One entry of `join_sessions`: `roles` are globs over the roles of the session's owner."""

    name: str = ""
    roles: tuple[str, ...] = ()
    modes: tuple[JoinMode, ...] = ()


@dataclass(frozen=True, slots=True)
class AdminRule:
    resources: tuple[str, ...]
    verbs: tuple[Verb, ...]
    where: str = ""


@dataclass(frozen=True, slots=True)
class Conditions:
    """One side of a role, `allow` or `deny`. `node_labels` maps a key to the values any of which will do."""

    node_labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    logins: tuple[str, ...] = ()
    request: RequestRule | None = None
    review_requests: ReviewRule | None = None
    join_sessions: tuple[JoinRule, ...] = ()
    rules: tuple[AdminRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Role:
    name: str
    description: str = ""
    options: Options = field(default_factory=Options)
    allow: Conditions = field(default_factory=Conditions)
    deny: Conditions = field(default_factory=Conditions)
    builtin: bool = False
    revision: int = 0
