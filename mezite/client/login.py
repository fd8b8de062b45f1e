"""From a password, an access token or an enrolment to what they give. The hub decides, this only asks.

Answers are checked for form before anything of them is written to disk: a key line of the hub's ends up in
OpenSSH's known_hosts, where one line more would be one more trusted authority.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from mezite.client.contact import Contact
from mezite.client.keypairs import ssh_pair, tls_pair
from mezite.client.profile import HeldRole, Keys, KnownHub, Login, Pass, Profile
from mezite.client.trust import authorities
from mezite.errors import OurFault

MAX_NAMES: Final = 4096

_KEY_LINE: Final = re.compile(
    r"((?:ssh|ecdsa)-[a-z0-9@.-]{1,60} [A-Za-z0-9+/]{16,4000}={0,2})(?: [^\r\n]*)?\n?"
)
_CERTIFICATE_LINE: Final = re.compile(r"(ssh|ecdsa)-[a-z0-9@.-]{1,80} [A-Za-z0-9+/]+={0,2}(?: [^\r\n]*)?\n?")


@dataclass(frozen=True, slots=True)
class Password:
    """What a person proves themselves with."""

    user: str
    password: str = field(repr=False)
    otp: str = field(default="", repr=False)


def log_in(contact: Contact, who: Password, ttl: timedelta | None, now: datetime) -> Profile:
    """A fresh login with fresh keys. Raises `OtpRequired` when the password held and a code is missing."""
    ssh, tls = ssh_pair(), tls_pair()
    body: dict[str, object] = {
        "user": who.user,
        "password": who.password,
        "ssh_public_key": ssh.public,
        "tls_public_key": tls.public_text,
    }
    if who.otp:
        body["otp"] = who.otp
    if ttl:
        body["ttl_s"] = int(ttl.total_seconds())
    said = _Answer(contact.web.post("/v1/webapi/login/certificates", body))
    keys = Keys(
        ssh_key=ssh.private,
        ssh_public=ssh.public + "\n",
        ssh_certificate=certificate_line(said.text("ssh_certificate")),
        tls_key=tls.private,
        tls_certificate=said.text("tls_certificate"),
    )
    login = Login(
        user=said.text("user"),
        user_id=said.text("user_id"),
        roles=tuple(HeldRole(name) for name in said.texts("roles")),
        logins=said.texts("logins"),
        issued_at=now,
        expires_at=said.moment("expires_at"),
        keys=keys,
    )
    return Profile(said.hub(contact.hub), login)


def exchange(contact: Contact, token: str) -> Pass:
    """A pass for the bearer of an access token."""
    tls = tls_pair()
    body = {"token": token, "tls_public_key": tls.public_text}
    said = _Answer(contact.web.post("/v1/webapi/token/certificates", body))
    return Pass(said.hub(contact.hub), said.text("tls_certificate"), tls.private, said.moment("expires_at"))


def enrol(contact: Contact, token: str, password: str) -> str:
    """Sets the first password of the token's user, once; the user's name."""
    answer = _Answer(contact.web.post("/v1/webapi/enrol", {"token": token, "password": password}))
    return answer.text("user")


def key_line(text: str) -> str:
    """An OpenSSH public key as one line without its comment; raises when it is anything else."""
    found = _KEY_LINE.fullmatch(text)
    if not found:
        raise _unreadable("a key")
    return found[1]


def certificate_line(text: str) -> str:
    """An OpenSSH certificate as a file holds it: one line; raises when it is anything else."""
    if not _CERTIFICATE_LINE.fullmatch(text):
        raise _unreadable("a certificate")
    return text.rstrip("\n") + "\n"


class _Answer:
    """An answer of the hub, read field by field and strictly."""

    def __init__(self, fields: dict[str, Any]) -> None:
        self._fields = fields

    def text(self, name: str) -> str:
        value = self._fields.get(name)
        if not isinstance(value, str) or not value:
            raise _unreadable(name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._fields.get(name)
        if not isinstance(value, list) or len(value) > MAX_NAMES:
            raise _unreadable(name)
        if not all(isinstance(item, str) for item in value):
            raise _unreadable(name)
        return tuple(value)

    def moment(self, name: str) -> datetime:
        try:
            moment = datetime.fromisoformat(self.text(name))
        except ValueError:
            raise _unreadable(name) from None
        if moment.tzinfo is None:
            raise _unreadable(name)
        return moment.astimezone(UTC)

    def hub(self, known: KnownHub) -> KnownHub:
        """What is known of the hub, with the authorities it names over a connection that it has proved."""
        pem = "".join(authority.pem for authority in authorities(self.text("tls_authorities")))
        hosts = tuple(key_line(line) for line in self.texts("host_authorities"))
        if known.public_web:
            # The door was proved by the public web, not by the agreed authority: it cannot replace that one.
            pem = known.tls_authorities
        return replace(known, tls_authorities=pem, host_authorities=hosts)


def _unreadable(what: str) -> OurFault:
    return OurFault(f"the hub's answer does not read ({what}); do its version and this one match?")
