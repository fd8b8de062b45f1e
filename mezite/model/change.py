"""A line of the feed: something changed. It names what, never how; whoever cares reads it, if they may."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class ChangeKind(StrEnum):
    USER = "user"
    ROLE = "role"
    NODE = "node"
    TOKEN = "token"  # noqa: S105  # a noun, not a secret
    LOCK = "lock"
    AUTHORITY = "authority"
    AUDIT = "audit"


class ChangeOp(StrEnum):
    PUT = "put"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Change:
    """`revision` counts the feed's lines in commit order, without gaps."""

    revision: int
    kind: ChangeKind
    key: str
    op: ChangeOp
    time: datetime
