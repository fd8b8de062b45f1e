"""Who may be on a connection, and on which terms: the certificate shown, held against the hub's rights. Pure.

1. The certificate is one of our user authorities', in force, without a critical option.
2. It is the certificate, by serial and user id, of whom the hub sent here. Another user's is no good on this
   connection, however valid.
3. The roles that count are those in the certificate and in the rights; a lent role only while it is lent.
   Neither alone is enough, and the principals of the certificate decide nothing.
4. Deny overrides allow. A locked login is denied whatever roles say.
5. What the terms demand and this node cannot give refuses the session.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from mezite.api.tunnel.orders import Rights
from mezite.ca import ssh_certs
from mezite.ca.ssh_certs import UserCertificate
from mezite.clock import from_us
from mezite.errors import Denied
from mezite.model.role import RecordPolicy, Role, SessionMfa
from mezite.quoting import quoted
from mezite.rbac import decide
from mezite.rbac.document import parse_roles
from mezite.rbac.options import Terms
from mezite.rbac.roleset import RoleSet
from mezite.rbac.subject import Subject


@dataclass(frozen=True, slots=True)
class Admitted:
    """One user, in as one login. `terms` are those in force until the rights change."""

    login: str
    certificate: UserCertificate
    terms: Terms

    @property
    def expires_at(self) -> datetime:
        return self.certificate.identity.expires_at


def admit(
    shown: bytes,
    login: str,
    rights: Rights,
    *,
    trusted: Collection[bytes],
    cluster: str,
    labels: Mapping[str, str],
    now: datetime,
    lent_s: float = 0.0,
) -> Admitted:
    """Whoever shows this certificate, as this login. Raises `NotLoggedIn` or `Denied`, fit to be shown.

    `lent_s` is how long ago, by the monotonic clock, the rights came.
    """
    certificate = ssh_certs.check_user(shown, trusted=trusted, cluster=cluster, now=now)
    who = certificate.identity
    if who.id != rights.user_id:
        raise Denied("this connection was opened for another user; connect again")
    if who.serial != rights.serial:
        raise Denied("this connection was opened under another certificate of yours; connect again")
    return Admitted(login, certificate, terms(certificate, login, rights, labels, lent_s=lent_s))


def terms(
    certificate: UserCertificate,
    login: str,
    rights: Rights,
    labels: Mapping[str, str],
    *,
    lent_s: float = 0.0,
) -> Terms:
    """On which terms the holder is in as this login at this moment; `Denied` if not at all."""
    if login in rights.locked_logins:
        raise Denied(f"login {quoted(login)} is locked")
    roles = _in_force(certificate, rights, lent_s)
    subject = Subject(
        id=rights.user_id,
        name=rights.user,
        logins=rights.logins,
        traits=rights.traits,
        roles=tuple(role.name for role in roles),
    )
    decision = decide.ssh(RoleSet(subject, roles), labels, login)
    if not decision or decision.terms is None:
        raise Denied(f"you may not log in to this node as {quoted(login)}")
    if (why := _unmet(decision.terms, rights)) is not None:
        raise Denied(why)
    return decision.terms


def lives_off_grants(rights: Rights) -> bool:
    return bool(rights.grants)


def runs_out_at(rights: Rights, admitted: Admitted) -> datetime:
    """When the connection must end: the hub and the certificate both know an end, and the sooner counts."""
    return min(from_us(rights.certificate_expires_us), admitted.expires_at)


def grant_ends(rights: Rights) -> tuple[float, ...]:
    """Seconds from when the rights came to each end of a grant, soonest first."""
    return tuple(sorted(grant.seconds_left for grant in rights.grants))


def _in_force(certificate: UserCertificate, rights: Rights, lent_s: float) -> tuple[Role, ...]:
    over = {role for grant in rights.grants if grant.seconds_left <= lent_s for role in grant.roles}
    still = {role for grant in rights.grants if grant.seconds_left > lent_s for role in grant.roles}
    carried = set(certificate.identity.roles) - (over - still)
    documents = (role for text in rights.roles for role in parse_roles(text))
    return tuple(role for role in documents if role.name in carried)


def _unmet(terms: Terms, rights: Rights) -> str | None:
    """Fail closed: a demand that cannot be met is a no with its reason."""
    if terms.require_session_mfa is SessionMfa.WEBAUTHN:
        return "a role demands a security key for this session, which this way in cannot ask for"
    if terms.require_session_mfa is SessionMfa.TOTP and not rights.mfa:
        return "a role demands a second factor for this session; connect with msh ssh, which asks for it"
    if terms.require_session_join:
        return "a role demands that others be present at this session, which this node cannot arrange"
    if terms.record is RecordPolicy.STRICT:
        return "a role demands that this session be recorded, which this node cannot do"
    if terms.enhanced_recording:
        return "a role demands enhanced recording of this session, which this node cannot do"
    return None
