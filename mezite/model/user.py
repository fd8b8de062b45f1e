"""Who one is: people and machines, and what proves it. What they may do is in `role` and `mezite.rbac`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class UserKind(StrEnum):
    HUMAN = "human"
    MACHINE = "machine"


@dataclass(frozen=True, slots=True)
class User:
    """`id` is minted once and never used again; certificates and votes name it, never the name alone."""

    id: str
    name: str
    roles: tuple[str, ...]
    created_at: datetime
    created_by: str
    kind: UserKind = UserKind.HUMAN
    logins: tuple[str, ...] = ()
    traits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    owner_id: str | None = None
    """The person who answers for a machine."""
    logins_valid_from: datetime | None = None
    """Certificates and tokens issued before this moment are refused: set by a password change or reset."""
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Totp:
    """A second factor. `last_step` is the newest 30-second step accepted: no step is accepted twice."""

    sealed_secret: bytes
    confirmed: bool
    last_step: int = 0


@dataclass(frozen=True, slots=True)
class Credential:
    """What proves a user; apart from `User` so that no listing can carry it by mistake."""

    user_id: str
    password_hash: str | None = field(default=None, repr=False)
    totp: Totp | None = field(default=None, repr=False)
    recovery_hashes: tuple[bytes, ...] = field(default=(), repr=False)
    revision: int = 0


class EnrolmentPurpose(StrEnum):
    FIRST_ADMIN = "first_admin"
    INVITE = "invite"
    RESET = "reset"


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A one-time right to set one user's password. Kept by the SHA-256 of its token, deleted when used."""

    token_hash: str
    user_id: str
    purpose: EnrolmentPurpose
    created_by: str
    created_at: datetime
    expires_at: datetime
    revision: int = 0


class AccessTokenKind(StrEnum):
    WEB = "web"
    """What `POST /v1/webapi/login` gives: a bearer for the web routes."""
    CTL = "ctl"
    """What `mezctl login` prints: exchanged for certificates of a few minutes."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A bearer token of one user, kept by its SHA-256; its roles are those the user has at each use."""

    id: str
    token_hash: str = field(repr=False)
    kind: AccessTokenKind
    user_id: str
    created_at: datetime
    expires_at: datetime
    mfa: bool = False
    client_ip: str = ""
    note: str = ""
    revision: int = 0
