"""What this user knows of a hub, and the login there: two nouns, and the document of their plain facts.

A profile without a login is a hub whose authority was agreed to; one logs in without being asked again.
How profiles lie on disk is in `profiles`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from mezite.clock import rfc3339
from mezite.errors import NotLoggedIn

VERSION: Final = 1

_UNSAFE: Final = re.compile(r"[^A-Za-z0-9.-]")


@dataclass(frozen=True, slots=True)
class KnownHub:
    """A hub whose authority this user agreed to."""

    proxy: str
    """`host:port` as the user says it: the name of the profile."""
    cluster: str
    auth_addr: str
    ssh_addr: str | None
    tls_authorities: str = field(repr=False)
    """PEM: the only roots for 3025, and for 3080 unless it shows a certificate of the public web."""
    public_web: bool = False
    """3080 is verified by the system's roots and its own name."""
    host_authorities: tuple[str, ...] = field(default=(), repr=False)
    """OpenSSH public keys that sign this cluster's nodes."""

    @property
    def server_name(self) -> str:
        """The name in the hub's own certificate, whatever address it is dialled at."""
        return f"hub.{self.cluster}.mezite"


@dataclass(frozen=True, slots=True)
class HeldRole:
    """A role, and when it ends if it came with a grant."""

    name: str
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Keys:
    """The key pairs and certificates of one login; they only make sense together."""

    ssh_key: str = field(repr=False)
    ssh_public: str
    ssh_certificate: str = field(repr=False)
    tls_key: str = field(repr=False)
    tls_certificate: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    user: str
    user_id: str
    roles: tuple[HeldRole, ...]
    logins: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    keys: Keys = field(repr=False)

    def valid(self, now: datetime) -> bool:
        return now < self.expires_at


@dataclass(frozen=True, slots=True)
class Pass:
    """All that dialling 3025 needs: from a login, or a certificate of minutes for the API alone."""

    hub: KnownHub
    certificate: str = field(repr=False)
    key: str = field(repr=False)
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Profile:
    hub: KnownHub
    login: Login | None = None

    @property
    def name(self) -> str:
        return directory_name(self.hub.proxy)

    def as_pass(self) -> Pass:
        """What the login lets dial; raises when there is none."""
        if self.login is None:
            proxy = self.hub.proxy
            raise NotLoggedIn(f"not logged in at {proxy}; run: msh login --proxy={proxy} --user=NAME")
        login = self.login
        return Pass(self.hub, login.keys.tls_certificate, login.keys.tls_key, login.expires_at)


def directory_name(proxy: str) -> str:
    """`mezite.example.com:3080` as a file name; never a dot file, never outside its directory."""
    name = _UNSAFE.sub("_", proxy)[:200]
    return f"_{name[1:]}" if name.startswith(".") else name


def describe(profile: Profile, digests: Mapping[str, str]) -> str:
    """The plain facts as JSON; keys and authorities lie beside it in files with these digests."""
    hub, login = profile.hub, profile.login
    facts: dict[str, object] = {
        "version": VERSION,
        "proxy": hub.proxy,
        "cluster": hub.cluster,
        "auth_addr": hub.auth_addr,
        "ssh_addr": hub.ssh_addr,
        "public_web": hub.public_web,
        "host_authorities": list(hub.host_authorities),
        "digests": dict(digests),
        "login": None,
    }
    if login:
        facts["login"] = {
            "user": login.user,
            "user_id": login.user_id,
            "roles": [
                {"name": role.name, "expires_at": rfc3339(role.expires_at) if role.expires_at else None}
                for role in login.roles
            ],
            "logins": list(login.logins),
            "issued_at": rfc3339(login.issued_at),
            "expires_at": rfc3339(login.expires_at),
        }
    return json.dumps(facts, indent=2) + "\n"


def digests(text: str) -> dict[str, str]:
    """The SHA-256 of each file that lies beside; raises ValueError when this is no document of ours."""
    found = _mapping(_mapping(json.loads(text)).get("digests"))
    return {name: _text(found, name) for name in found}


def understand(text: str, tls_authorities: str, keys: Keys | None) -> Profile:
    """The profile that `describe` wrote; raises ValueError when this is none. Unknown facts are ignored."""
    facts = _mapping(json.loads(text))
    if facts.get("version") != VERSION:
        raise ValueError("it was written by another version")
    hub = KnownHub(
        proxy=_text(facts, "proxy"),
        cluster=_text(facts, "cluster"),
        auth_addr=_text(facts, "auth_addr"),
        ssh_addr=_text(facts, "ssh_addr") if facts.get("ssh_addr") is not None else None,
        tls_authorities=tls_authorities,
        public_web=facts.get("public_web") is True,
        host_authorities=_texts(facts, "host_authorities"),
    )
    if facts.get("login") is None:
        return Profile(hub)
    if keys is None:
        raise ValueError("its keys are missing")
    return Profile(hub, _login(_mapping(facts["login"]), keys))


def _login(facts: dict[str, Any], keys: Keys) -> Login:
    roles = facts.get("roles")
    if not isinstance(roles, list):
        raise ValueError("no roles")
    return Login(
        user=_text(facts, "user"),
        user_id=_text(facts, "user_id"),
        roles=tuple(_role(_mapping(role)) for role in roles),
        logins=_texts(facts, "logins"),
        issued_at=_moment(facts, "issued_at"),
        expires_at=_moment(facts, "expires_at"),
        keys=keys,
    )


def _role(facts: dict[str, Any]) -> HeldRole:
    ends = _moment(facts, "expires_at") if facts.get("expires_at") is not None else None
    return HeldRole(_text(facts, "name"), ends)


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")
    return value


def _text(facts: dict[str, Any], key: str) -> str:
    value = facts.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"no {key}")
    return value


def _texts(facts: dict[str, Any], key: str) -> tuple[str, ...]:
    value = facts.get(key)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError(f"no {key}")
    return tuple(value)


def _moment(facts: dict[str, Any], key: str) -> datetime:
    moment = datetime.fromisoformat(_text(facts, key))
    if moment.tzinfo is None:
        raise ValueError(f"no time zone in {key}")
    return moment.astimezone(UTC)
