"""What a certificate says of its holder. It is a claim about the past: rights come from the present state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class IdentityKind(StrEnum):
    USER = "user"
    """A person or a machine user; `id` is the user's."""
    NODE = "node"
    HUB = "hub"
    LOCAL = "local"
    """An OS user of the hub's machine, by the admin socket: administers, never votes. `id` is its name."""


class Origin(StrEnum):
    """How a user came by a certificate; renewing keeps it."""

    LOGIN = "login"
    TOKEN = "token"  # noqa: S105 - a word, no secret
    """Exchanged for an access token."""
    SIGNED = "signed"
    """By an administrator's word."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The same facts in the SSH certificate and in its X.509 twin; both carry the same serial."""

    kind: IdentityKind
    id: str
    name: str
    serial: int
    """63 random bits: unique without a counter, and what `locks create --cert` names."""
    issued_at: datetime
    expires_at: datetime
    roles: tuple[str, ...] = ()
    traits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    request_ids: tuple[str, ...] = ()
    mfa: bool = False
    """The login that led here proved a second factor."""
    origin: Origin = Origin.LOGIN
