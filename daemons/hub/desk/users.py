"""Users: created, changed, reset, deleted. What proves them is in `logins` and `second_factor`."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from daemons.hub.desk import facts, giving
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing, lock_on, role_named
from daemons.hub.proof.passwords import Passwords
from mezite import ids
from mezite.audit.events import Kind
from mezite.errors import Conflict, Exists, Invalid, NotFound, TooLarge
from mezite.model.change import ChangeKind, ChangeOp
from mezite.model.lock import LockTarget
from mezite.model.role import Verb
from mezite.model.user import Credential, Enrolment, EnrolmentPurpose, User, UserKind
from mezite.storage.ports import Reading, Writing

INVITE_TTL: Final = timedelta(hours=24)
RESET_TTL: Final = timedelta(hours=1)
MOST_ROLES: Final = 64
MOST_LOGINS: Final = 64
MOST_TRAITS: Final = 64
MOST_TRAIT_VALUES: Final = 64
LONGEST_TRAIT: Final = 256
HEAVIEST_TRAITS: Final = 8 * 1024
"""All of them together, as a certificate writes them: a login must not fail for what was accepted here."""


@dataclass(frozen=True, slots=True)
class NewUser:
    name: str
    kind: UserKind = UserKind.HUMAN
    roles: tuple[str, ...] = ()
    logins: tuple[str, ...] = ()
    traits: Mapping[str, tuple[str, ...]] | None = None
    password: str | None = None
    owner: str = ""


@dataclass(frozen=True, slots=True)
class UserEdit:
    add_roles: tuple[str, ...] = ()
    remove_roles: tuple[str, ...] = ()
    set_traits: Mapping[str, tuple[str, ...]] | None = None
    """An empty tuple removes the trait."""
    set_logins: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time enrolment, as told to whoever passes it on. The token is nowhere else."""

    token: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class UserView:
    """A user as an administrator sees one."""

    user: User
    enrolled: bool
    mfa: bool
    locked: bool
    owner: str


async def create(
    desk: Desk, passwords: Passwords, caller: Caller, wanted: NewUser
) -> tuple[UserView, Invitation | None]:
    """A user with the given password, or with an invitation to set one. A machine has neither."""
    ids.user_name(wanted.name)
    if wanted.kind is UserKind.MACHINE and wanted.password is not None:
        raise Invalid("a machine has no password; it is given certificates by `mezctl auth sign`")
    await desk.look(caller, lambda _tx, who: bool(who.sieve("users", Verb.CREATE)))
    password_hash = None
    if wanted.password is not None:
        password_hash = await passwords.hash(wanted.password, address=caller.client_ip)

    def unit(tx: Writing, who: Standing) -> tuple[UserView, Invitation | None]:
        who.sieve("users", Verb.CREATE)
        fresh = _new_user(tx, who, wanted)
        who.require("users", Verb.CREATE, facts.of_user(tx, fresh))
        giving.require_roles(who, fresh.roles)
        user = tx.users.insert(fresh)
        tx.credentials.insert(Credential(user.id, password_hash))
        tx.record(
            who.event(
                Kind.USER_CREATED,
                resource=user.name,
                user_id=user.id,
                roles_given=user.roles,
                user_kind=user.kind.value,
            )
        )
        tx.changed(ChangeKind.USER, user.id)
        invited = None
        if user.kind is UserKind.HUMAN and password_hash is None:
            invited = invite(tx, user, EnrolmentPurpose.INVITE, by=who.name, now=who.now, ttl=INVITE_TTL)
        return view(tx, user, who.now), invited

    return await desk.act(caller, unit)


def _new_user(tx: Reading, who: Standing, wanted: NewUser) -> User:
    if tx.users.one(name=wanted.name) is not None:
        raise Exists(f"user {wanted.name} exists; change it with `mezctl users update {wanted.name}`")
    return User(
        id=ids.mint("usr"),
        name=wanted.name,
        kind=wanted.kind,
        roles=existing_roles(tx, wanted.roles),
        logins=_sound_logins(wanted.logins),
        traits=_bearable(_sound_traits(wanted.traits or {})),
        created_at=who.now,
        created_by=who.name,
        owner_id=_owner(tx, who, wanted),
    )


def _owner(tx: Reading, who: Standing, wanted: NewUser) -> str | None:
    """The person who answers for a machine: the one named, else whoever makes it, if that is a person."""
    if wanted.kind is not UserKind.MACHINE:
        if wanted.owner:
            raise Invalid("only a machine has an owner; leave it out, or make the user a machine")
        return None
    owner = named(tx, wanted.owner) if wanted.owner else who.user
    if owner is None or (owner.kind is UserKind.MACHINE and not wanted.owner):
        return None
    if owner.kind is UserKind.MACHINE:
        raise Invalid(f"{owner.name} is a machine; name a person who answers for {wanted.name}")
    return owner.id


async def get(desk: Desk, caller: Caller, name: str) -> UserView:
    def query(tx: Reading, who: Standing) -> UserView:
        oneself = who.user is not None and who.user.name == name
        user = who.person if oneself else required(tx, who, name, Verb.READ)
        return view(tx, user, who.now)

    return await desk.look(caller, query)


async def page(desk: Desk, caller: Caller, *, after: str, limit: int) -> list[UserView]:
    """In order of name: the key of a page is a name, though rows are kept by id."""

    def query(tx: Reading, who: Standing) -> list[UserView]:
        listed = who.sieve("users", Verb.LIST)
        rows = sorted((user for user in tx.users.all() if user.name > after), key=lambda user: user.name)
        seen = (user for user in rows if listed(facts.of_user(tx, user)))
        return [view(tx, user, who.now) for user in islice(seen, limit)]

    return await desk.look(caller, query)


async def update(desk: Desk, caller: Caller, name: str, edit: UserEdit) -> UserView:
    def unit(tx: Writing, who: Standing) -> UserView:
        user = required(tx, who, name, Verb.UPDATE)
        changed = _edited(tx, user, edit)
        if changed == user:
            return view(tx, user, who.now)
        _check_edit(tx, who, user, changed)
        _keep_an_administrator(tx, user, changed)
        changed = tx.users.replace(changed)
        tx.record(
            who.event(
                Kind.USER_UPDATED,
                resource=name,
                user_id=user.id,
                added=tuple(sorted(set(changed.roles) - set(user.roles))),
                removed=tuple(sorted(set(user.roles) - set(changed.roles))),
                logins=changed.logins,
                traits=tuple(f"{key}={','.join(values)}" for key, values in sorted(changed.traits.items())),
            )
        )
        tx.changed(ChangeKind.USER, user.id)
        return view(tx, changed, who.now)

    return await desk.act(caller, unit)


def _edited(tx: Reading, user: User, edit: UserEdit) -> User:
    missing = set(edit.remove_roles) - set(user.roles)
    if missing:
        raise Conflict(f"{user.name} does not have {', '.join(sorted(missing))}; nothing was changed")
    kept = [role for role in user.roles if role not in edit.remove_roles]
    roles = existing_roles(tx, (*kept, *(role for role in edit.add_roles if role not in kept)))
    traits = {**user.traits, **(_sound_traits(edit.set_traits) if edit.set_traits else {})}
    traits = _bearable({key: values for key, values in traits.items() if values})
    logins = user.logins if edit.set_logins is None else _sound_logins(edit.set_logins)
    return replace(user, roles=roles, traits=traits, logins=logins)


def _check_edit(tx: Reading, who: Standing, user: User, changed: User) -> None:
    """What the user would be must be within the rules too, and nobody gives more than they have."""
    who.require("users", Verb.UPDATE, facts.of_user(tx, changed))
    giving.require_not_oneself(who, user)
    giving.require_roles(who, set(user.roles) ^ set(changed.roles))
    if (user.logins, user.traits) != (changed.logins, changed.traits):
        giving.require_power_over(who, user)


async def delete(desk: Desk, caller: Caller, name: str) -> None:
    """Ends the user, every certificate and token of it; its id is never used again."""

    def unit(tx: Writing, who: Standing) -> None:
        user = required(tx, who, name, Verb.DELETE)
        if who.user is not None and who.user.id == user.id:
            raise Conflict("you cannot delete yourself; ask another administrator")
        _keep_an_administrator(tx, user, None)
        for enrolment in tx.enrolments.all(user_id=user.id):
            tx.enrolments.delete(enrolment)
        for token in tx.access_tokens.all(user_id=user.id):
            tx.access_tokens.delete(token)
        if credential := tx.credentials.get(user.id):
            tx.credentials.delete(credential)
        for lock in tx.locks.all(target=LockTarget.USER.value, value=user.id):
            tx.locks.delete(lock)
        tx.users.delete(user)
        tx.record(who.event(Kind.USER_DELETED, resource=name, user_id=user.id))
        tx.changed(ChangeKind.USER, user.id, ChangeOp.DELETE)

    await desk.act(caller, unit)


async def reset(desk: Desk, caller: Caller, name: str, *, mfa: bool) -> tuple[UserView, Invitation]:
    """Takes the password away (and the second factor, if said), ends all logins, and invites anew."""

    def unit(tx: Writing, who: Standing) -> tuple[UserView, Invitation]:
        user = required(tx, who, name, Verb.UPDATE)
        giving.require_power_over(who, user)
        if user.kind is UserKind.MACHINE:
            raise Conflict(f"{name} is a machine and has no password")
        credential = tx.credentials.get(user.id) or tx.credentials.insert(Credential(user.id))
        cleared = replace(credential, password_hash=None)
        if mfa:
            cleared = replace(cleared, totp=None, recovery_hashes=())
        tx.credentials.replace(cleared)
        user = end_logins(tx, user, who.now)
        tx.record(who.event(Kind.USER_RESET, resource=name, user_id=user.id, mfa=mfa))
        invited = invite(tx, user, EnrolmentPurpose.RESET, by=who.name, now=who.now, ttl=RESET_TTL)
        return view(tx, user, who.now), invited

    return await desk.act(caller, unit)


def end_logins(tx: Writing, user: User, now: datetime) -> User:
    """No certificate or token issued before `now` is honoured any longer."""
    for token in tx.access_tokens.all(user_id=user.id):
        tx.access_tokens.delete(token)
    tx.changed(ChangeKind.USER, user.id)
    return tx.users.replace(replace(user, logins_valid_from=now))


def invite(
    tx: Writing, user: User, purpose: EnrolmentPurpose, *, by: str, now: datetime, ttl: timedelta
) -> Invitation:
    """A fresh enrolment for the user; those open before end, so that only the newest link works."""
    for old in tx.enrolments.all(user_id=user.id):
        tx.enrolments.delete(old)
    token = f"mze_{secrets.token_urlsafe(24)}"
    tx.enrolments.insert(Enrolment(token_hash(token), user.id, purpose, by, now, now + ttl))
    return Invitation(token, now + ttl)


def token_hash(token: str) -> str:
    """How bearer secrets of 128 random bits and more are kept: a plain hash leaves nothing to guess."""
    return hashlib.sha256(b"mezite token 1\0" + token.encode("utf-8", "surrogatepass")).hexdigest()


def required(tx: Reading, who: Standing, name: str, verb: Verb) -> User:
    """The user of this name, if the caller may do this to it. Who may not learns nothing of who exists."""
    user = tx.users.one(name=name)
    who.require("users", verb, facts.of_user(tx, user) if user else facts.of_name(name))
    return user or named(tx, name)


def named(tx: Reading, name: str) -> User:
    user = tx.users.one(name=name)
    if user is None:
        raise NotFound(f"no user {name[:80]!a}; `mezctl users ls` lists them")
    return user


def view(tx: Reading, user: User, now: datetime) -> UserView:
    credential = tx.credentials.get(user.id)
    owner = tx.users.get(user.owner_id) if user.owner_id else None
    return UserView(
        user=user,
        enrolled=credential is not None and credential.password_hash is not None,
        mfa=credential is not None and credential.totp is not None and credential.totp.confirmed,
        locked=lock_on(tx, now, [(LockTarget.USER, user.id)]) is not None,
        owner=owner.name if owner else "",
    )


def existing_roles(tx: Reading, names: Sequence[str]) -> tuple[str, ...]:
    """The names, once each, in order; `Invalid` unless every one is a role."""
    wanted = tuple(dict.fromkeys(names))
    if len(wanted) > MOST_ROLES:
        raise Invalid(f"a user has at most {MOST_ROLES} roles")
    missing = [name for name in wanted if role_named(tx, name) is None]
    if missing:
        raise Invalid(
            f"no role {', '.join(f'{name[:80]!a}' for name in missing)}; `mezctl roles ls` lists them"
        )
    return wanted


def _keep_an_administrator(tx: Reading, user: User, changed: User | None) -> None:
    """The last person who holds `admin` stays one: the way back would lead over the hub's own machine."""
    if not _administers(user) or (changed is not None and _administers(changed)):
        return
    if not any(_administers(other) for other in tx.users.all() if other.id != user.id):
        raise Conflict(f"{user.name} is the last administrator; make another one first")


def _sound_logins(logins: Sequence[str]) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(ids.login(login) for login in logins))
    if len(wanted) > MOST_LOGINS:
        raise Invalid(f"a user has at most {MOST_LOGINS} logins")
    return wanted


def _sound_traits(traits: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if len(traits) > MOST_TRAITS or any(len(values) > MOST_TRAIT_VALUES for values in traits.values()):
        raise Invalid(f"a user has at most {MOST_TRAITS} traits of {MOST_TRAIT_VALUES} values each")
    for name, values in traits.items():
        ids.trait_name(name)
        for value in values:
            if not value or len(value) > LONGEST_TRAIT or not value.isprintable():
                raise Invalid(
                    f"trait {name}: {value[:80]!a} is not 1 to {LONGEST_TRAIT} printable characters"
                )
    return {name: tuple(dict.fromkeys(values)) for name, values in traits.items()}


def _bearable(traits: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    if len(json.dumps(traits)) > HEAVIEST_TRAITS:
        raise TooLarge(f"the traits of a user have at most {HEAVIEST_TRAITS // 1024} KiB together")
    return traits


def _administers(user: User) -> bool:
    return user.kind is UserKind.HUMAN and "admin" in user.roles
