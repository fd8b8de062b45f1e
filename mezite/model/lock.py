"""A lock: who or what is shut out, at once and until when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class LockTarget(StrEnum):
    USER = "user"
    NODE = "node"
    LOGIN = "login"
    ROLE = "role"
    REQUEST = "request"
    SESSION = "session"
    CERT = "cert"


@dataclass(frozen=True, slots=True)
class Lock:
    """`value`: id of a user, node, request or session; a login; a role's name; a certificate's serial."""

    id: str
    target: LockTarget
    value: str
    name: str
    """What a person calls the target; only shown."""
    message: str
    created_by: str
    created_at: datetime
    expires_at: datetime | None = None
    revision: int = 0

    def in_force(self, now: datetime) -> bool:
        return self.expires_at is None or now < self.expires_at
