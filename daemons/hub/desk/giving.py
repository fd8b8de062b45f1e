"""Nobody gives more than they have: what administering users and roles may not be used for.

A verb on users, roles or authorities says what may be touched; this says how far. Whoever holds the built-in
`admin`, and whoever sits at the hub's machine, is bound by none of it. For all others:

1. A role is given and taken by who holds it, and nobody changes their own user.
2. Who resets a user, signs for one or sets its logins and traits could become that user, so its roles are
   among their own.
3. Nobody writes a role they hold, nor one whose administrative, review or join rights go beyond their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from daemons.hub.desk.who import Standing
from mezite.errors import Denied
from mezite.model.identity import IdentityKind
from mezite.model.role import JoinRule, ReviewRule, Role
from mezite.model.user import User
from mezite.rbac.decide import RESOURCES
from mezite.rbac.labels import EVERY

ASK: Final = "ask somebody who holds admin"


def require_roles(who: Standing, names: Iterable[str]) -> None:
    """To give or to take these roles."""
    if beyond := _beyond(who, names):
        raise Denied(f"you do not hold {beyond} and cannot give or take it; {ASK}", code="beyond_own")


def require_power_over(who: Standing, user: User) -> None:
    """To do what would let one act as this user."""
    if beyond := _beyond(who, user.roles):
        raise Denied(f"{user.name} holds {beyond}, which you do not; {ASK}", code="beyond_own")


def require_not_oneself(who: Standing, user: User) -> None:
    if not _unbound(who) and who.user is not None and who.user.id == user.id:
        raise Denied(f"you cannot change your own user; {ASK}", code="beyond_own")


def require_role_within(who: Standing, role: Role) -> None:
    """To write a role that says this."""
    if _unbound(who):
        return
    if role.name in _held(who):
        raise Denied(f"you hold {role.name} and cannot change it; {ASK}", code="beyond_own")
    if beyond := _excess(who, role):
        raise Denied(f"role {role.name} would allow {beyond}, which you may not; {ASK}", code="beyond_own")


def _unbound(who: Standing) -> bool:
    at_the_machine = who.caller.identity.kind is IdentityKind.LOCAL
    return at_the_machine or "admin" in {role.name for role in who.roles}


def _held(who: Standing) -> set[str]:
    """Also what came after the certificate: a role to be held tomorrow is not written today."""
    return {role.name for role in who.roles} | set(who.user.roles if who.user else ())


def _beyond(who: Standing, names: Iterable[str]) -> str:
    if _unbound(who):
        return ""
    return ", ".join(sorted(set(names) - {role.name for role in who.roles}))


def _excess(who: Standing, role: Role) -> str:
    """The first right of the role that its writer lacks. What cannot be compared counts as lacking."""
    for rule in role.allow.rules:
        for verb in rule.verbs:
            # Every resource there is, and "*" itself, which only a rule about all of them covers.
            for resource in (*RESOURCES, EVERY) if EVERY in rule.resources else rule.resources:
                if not who.may(resource, verb):
                    return f"{verb} on {resource}"
    if not _reviews_within(who, role.allow.review_requests):
        return "reviews of requests"
    if not all(_join_within(who, rule) for rule in role.allow.join_sessions):
        return "joining sessions"
    return ""


def _reviews_within(who: Standing, wanted: ReviewRule | None) -> bool:
    if wanted is None or not wanted.roles:
        return True
    if any(held.deny.review_requests for held in who.roles):
        return False
    own = {
        pattern
        for held in who.roles
        if (rule := held.allow.review_requests) is not None and not rule.where
        for pattern in rule.roles
    }
    return EVERY in own or set(wanted.roles) <= own


def _join_within(who: Standing, wanted: JoinRule) -> bool:
    if any(held.deny.join_sessions for held in who.roles):
        return False
    own = {
        (pattern, mode)
        for held in who.roles
        for rule in held.allow.join_sessions
        for pattern in rule.roles
        for mode in rule.modes
    }
    return all(
        (EVERY, mode) in own or (pattern, mode) in own for pattern in wanted.roles for mode in wanted.modes
    )
