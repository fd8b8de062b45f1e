"""What is written down: every kind of event, its code and its fields.

A code is `T<number><I|W|E>` and, like a type's name, is never reused or renumbered: retired kinds stay in
the table. `docs/formats/audit.md` lists the same table, and a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Final

Detail = str | int | bool | None | tuple[str, ...]
"""All that a detail may be, in every version: what needs another shape gets a field of its own."""


class Kind(Enum):
    """(type, code) of every event there is."""

    USER_LOGIN = ("user.login", "T1000I")
    USER_LOGIN_FAILED = ("user.login.failed", "T1000W")
    USER_LOGOUT = ("user.logout", "T1001I")
    USER_CREATED = ("user.created", "T1002I")
    USER_UPDATED = ("user.updated", "T1003I")
    USER_DELETED = ("user.deleted", "T1004I")
    USER_ENROLLED = ("user.enrolled", "T1005I")
    USER_ENROL_FAILED = ("user.enrol.failed", "T1005W")
    USER_RESET = ("user.reset", "T1006I")
    PASSWORD_CHANGED = ("user.password.changed", "T1007I")
    PASSWORD_CHANGE_FAILED = ("user.password.failed", "T1007W")
    MFA_ADDED = ("mfa.added", "T1010I")
    MFA_REMOVED = ("mfa.removed", "T1011I")
    MFA_RECOVERY_USED = ("mfa.recovery.used", "T1012W")
    ACCESS_TOKEN_CREATED = ("access_token.created", "T1020I")
    ACCESS_TOKEN_REVOKED = ("access_token.revoked", "T1021I")
    CERT_ISSUED = ("cert.issued", "T1100I")
    CERT_REFUSED = ("cert.refused", "T1100W")
    AUTHORITY_CREATED = ("authority.created", "T1110I")
    AUTHORITY_EXPORTED = ("authority.exported", "T1111I")
    ROLE_CREATED = ("role.created", "T1200I")
    ROLE_UPDATED = ("role.updated", "T1201I")
    ROLE_DELETED = ("role.deleted", "T1202I")
    LOCK_CREATED = ("lock.created", "T1300I")
    LOCK_DELETED = ("lock.deleted", "T1301I")
    TOKEN_CREATED = ("token.created", "T1400I")
    TOKEN_DELETED = ("token.deleted", "T1401I")
    NODE_JOINED = ("node.joined", "T1402I")
    NODE_JOIN_FAILED = ("node.join.failed", "T1402W")
    NODE_REMOVED = ("node.removed", "T1403I")
    NODE_UPDATED = ("node.updated", "T1404I")
    ACCESS_DENIED = ("access.denied", "T1500W")
    """A call, or a connection to a node, refused for want of rights."""
    HUB_STARTED = ("hub.started", "T1600I")
    HUB_STOPPED = ("hub.stopped", "T1601I")
    SESSION_START = ("session.start", "T2000I")
    SESSION_REFUSED = ("session.refused", "T2000W")
    SESSION_END = ("session.end", "T2001I")
    SESSION_COMMAND = ("session.command", "T2002I")
    CONNECTION_START = ("connection.start", "T2010I")
    CONNECTION_CUT = ("connection.cut", "T2010W")
    CONNECTION_END = ("connection.end", "T2011I")
    FILE_TRANSFER = ("file.transfer", "T3000I")
    FILE_TRANSFER_FAILED = ("file.transfer.failed", "T3000W")
    PORT_FORWARDING_DENIED = ("access.denied.port_forwarding", "T4002W")

    def __init__(self, type_: str, code: str) -> None:
        self.type = type_
        self.code = code


@dataclass(frozen=True, slots=True)
class ForeignKind:
    """A kind written by a later version: kept and shown as it stands."""

    type: str
    code: str


@dataclass(frozen=True, slots=True)
class Event:
    """One act. `user` is a name people know (`local:root`, `node:web-1`, `system`); ids are in `details`."""

    id: str
    time: datetime
    kind: Kind | ForeignKind
    user: str
    success: bool = True
    user_id: str = ""
    roles: tuple[str, ...] = ()
    resource: str = ""
    node: str = ""
    login: str = ""
    session_id: str = ""
    request_id: str = ""
    client_ip: str = ""
    reason: str = ""
    details: Mapping[str, Detail] = field(default_factory=dict)
    unread: Mapping[str, object] = field(default_factory=dict)
    """Fields of a later version, as parsed from JSON: they survive being read and written by this one."""

    @property
    def type(self) -> str:
        return self.kind.type

    @property
    def code(self) -> str:
        return self.kind.code


_KINDS: Final = {(kind.type, kind.code): kind for kind in Kind}


def kind_of(type_: str, code: str) -> Kind | ForeignKind:
    """The kind these two words name; a foreign one when this version does not know the pair."""
    return _KINDS.get((type_, code)) or ForeignKind(type_, code)


def is_known_type(pattern: str) -> bool:
    """Whether this is a type of the table or, ending in `*`, the beginning of one."""
    if pattern.endswith("*"):
        return any(kind.type.startswith(pattern[:-1]) for kind in Kind)
    return any(kind.type == pattern for kind in Kind)
