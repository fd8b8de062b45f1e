"""Users' connections to nodes: who may open one, and what it is worth from moment to moment.

1. A node that one may not reach does not exist, whether it is named by name, id or label.
2. A connection is allowed, its second factor spent and its row written in one unit: what stands open is on
   record, so a hub that comes back can still cut it.
3. A second factor belongs to the connection it was proved for, and is asked for only where a connection would
   be had for it.
4. What a connection is worth is judged from its certificate and the present state, by the same rules as when
   it was opened. There is no other source, least of all the node.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.second_factor import check_otp
from daemons.hub.desk.who import Caller, Standing, lock_on, standing
from daemons.hub.proof.throttle import Throttle
from mezite import ids
from mezite.api.tunnel.orders import Rights
from mezite.audit.events import Detail, Event, Kind
from mezite.clock import to_us
from mezite.errors import Conflict, Denied, Invalid, MeziteError, NotFound, NotLoggedIn, Unavailable
from mezite.model.connection import Connection
from mezite.model.lock import Lock, LockTarget
from mezite.model.node import Node
from mezite.model.role import Role, SessionMfa
from mezite.quoting import quoted
from mezite.rbac.document import to_document
from mezite.rbac.options import Terms
from mezite.rbac.roleset import RoleSet
from mezite.storage.ports import Reading, Writing

MOST_NAMED: Final = 5
"""Of several nodes that match, so many are told."""
TOLD_FOR: Final = timedelta(days=7)
"""How long a node may still deliver what it has to report of a connection that is over."""
_SCAN: Final = 500


@dataclass(frozen=True, slots=True)
class Wish:
    """What a client asks for. `login` may be left open; then any that is allowed will do."""

    node: str
    login: str = ""
    otp: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Admitted:
    """A connection that may be opened. Its row is written; whoever cannot open it takes that back."""

    connection: Connection
    node: Node
    rights: Rights
    logins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Place:
    """A user on a node, at one moment: what every rule about connections and sessions looks at."""

    who: Standing
    roles: RoleSet
    node: Node
    locked_logins: frozenset[str]

    @property
    def logins(self) -> tuple[str, ...]:
        return tuple(sorted(self.roles.logins_for(self.node.labels) - self.locked_logins))

    def terms(self, logins: Iterable[str]) -> Terms:
        """The terms under the roles that let these logins in here."""
        letting_in: list[Role] = []
        for login in logins:
            letting_in += self.roles.letting_in(self.node.labels, login)
        return self.roles.terms(letting_in)

    def event(
        self,
        kind: Kind,
        *,
        success: bool = True,
        login: str = "",
        session_id: str = "",
        reason: str = "",
        **details: Detail,
    ) -> Event:
        event = self.who.event(kind, success=success, resource=self.node.name, reason=reason, **details)
        return replace(event, node=self.node.name, login=login, session_id=session_id)


async def admit(
    desk: Desk, throttle: Throttle, caller: Caller, wish: Wish, *, is_online: Callable[[str], bool]
) -> Admitted:
    """Allows a connection, or says why not: `OtpRequired` asks for a code, `wrong_otp` for another one."""

    def unit(tx: Writing) -> Admitted:
        who = standing(tx, caller, desk.clock.now())
        who.person  # noqa: B018  a property that refuses whoever is none
        place = _place(tx, who, _found(tx, who, wish.node, desk.cluster))
        _check_login(place, wish.login)
        if not is_online(place.node.id):
            raise Unavailable(f"{place.node.name} is offline", code="offline")
        check_room(tx, place)
        mfa = _prove_factor(desk, tx, place, wish)
        connection = tx.connections.insert(
            Connection(
                id=ids.mint_uuid(),
                node_id=place.node.id,
                user_id=who.person.id,
                hub_id=desk.hub_id,
                identity=caller.identity,
                client_ip=caller.client_ip,
                started_at=who.now,
                mfa=mfa,
            )
        )
        tx.record(
            place.event(Kind.CONNECTION_START, login=wish.login, connection=connection.id, mfa=connection.mfa)
        )
        return Admitted(connection, place.node, rights(tx, place, connection), place.logins)

    try:
        return await _guessed(desk, throttle, caller, wish, unit)
    except (Denied, NotLoggedIn, NotFound, Conflict) as refusal:
        if refusal.code != "ambiguous":
            await desk.note_refusal(caller, refusal, node=wish.node, login=wish.login)
        raise


async def _guessed(
    desk: Desk, throttle: Throttle, caller: Caller, wish: Wish, unit: Callable[[Writing], Admitted]
) -> Admitted:
    """A wrong code counts wherever it is tried: six digits must not be tried through."""
    if not wish.otp:
        return await desk.store.write(unit)
    now = desk.clock.monotonic()
    with throttle.guess(f"otp {caller.identity.id}", caller.client_ip, now) as guess:
        try:
            admitted = await desk.store.write(unit)
        except NotLoggedIn as refusal:
            if refusal.code == "wrong_otp":
                guess.wrong()
            raise
        # A code that nothing asked for proves nothing.
        if admitted.connection.mfa:
            guess.right()
        return admitted


def _check_login(place: Place, login: str) -> None:
    if not place.logins:
        raise Denied(f"every login that you may use on {place.node.name} is locked", code="locked")
    if not login or login in place.logins:
        return
    if login in place.locked_logins:
        raise Denied(f"the login {quoted(login)} is locked; ask an administrator", code="locked")
    allowed = ", ".join(place.logins)
    raise Denied(
        f"you may not log in to {place.node.name} as {quoted(login)}; you may as {allowed}", code="login"
    )


def _prove_factor(desk: Desk, tx: Writing, place: Place, wish: Wish) -> bool:
    """Rule 3. Whether a factor was proved; raises where one is demanded and missing."""
    match place.terms([wish.login] if wish.login else place.logins).require_session_mfa:
        case SessionMfa.OFF:
            return False
        case SessionMfa.WEBAUTHN:
            raise Denied(
                f"{place.node.name} demands a security key at each connection, which this cluster "
                "cannot ask for; have the role changed",
                code="webauthn_demanded",
            )
        case SessionMfa.TOTP:
            user = place.who.person
            credential = tx.credentials.get(user.id)
            if credential is None or credential.totp is None or not credential.totp.confirmed:
                raise Denied(
                    f"{place.node.name} demands a second factor at each connection and you have none; "
                    "`msh mfa add` enrols one",
                    code="mfa_missing",
                )
            return check_otp(desk, tx, user, credential, wish.otp)[1]


def check_room(tx: Reading, place: Place, own: Connection | None = None) -> None:
    """Whether `max_sessions` leaves room for one more session, on `own` or on a connection yet to be made.

    A connection takes a place from its beginning: one that only forwards has no session, and is not free.
    """
    limit = place.roles.held_options().max_sessions
    if limit is None:
        return
    taken = len(own.sessions) if own else 0
    for each in tx.connections.all(user_id=place.who.person.id):
        if is_live(each, place.who.now) and (own is None or each.id != own.id):
            taken += max(1, len(each.sessions))
    if taken >= limit:
        raise Conflict(
            f"you have {taken} sessions open, and your roles allow {limit}; close one first",
            code="too_many_sessions",
        )


def rights(tx: Reading, place: Place, connection: Connection) -> Rights:
    """What the node is told to decide by. It says nothing that these rules do not."""
    who = place.who
    return Rights(
        revision=tx.changes.span()[1],
        user_id=who.person.id,
        user=who.person.name,
        serial=connection.identity.serial,
        certificate_expires_us=to_us(connection.identity.expires_at),
        client_ip=connection.client_ip,
        mfa=connection.mfa,
        roles=tuple(json.dumps(to_document(role)) for role in who.roles),
        logins=who.person.logins,
        traits=dict(who.person.traits),
        locked_logins=tuple(sorted(place.locked_logins)),
        labels=place.node.labels,
    )


async def judged(desk: Desk, connection_ids: Collection[str]) -> dict[str, Rights | MeziteError | None]:
    """What each is worth now: its rights, or why it must end; None for one that is not on record."""

    def query(tx: Reading) -> dict[str, Rights | MeziteError | None]:
        now = desk.clock.now()
        found: dict[str, Rights | MeziteError | None] = {}
        for connection_id in connection_ids:
            connection = tx.connections.get(connection_id)
            found[connection_id] = None if connection is None else _worth(tx, connection, now)
        return found

    return await desk.store.read(query)


def _worth(tx: Reading, connection: Connection, now: datetime) -> Rights | MeziteError:
    try:
        place = place_of(tx, connection, now)
        for session_id, login in connection.sessions.items():
            _check_session(tx, place, session_id, login)
        return rights(tx, place, connection)
    except MeziteError as refusal:
        return refusal


def place_of(tx: Reading, connection: Connection, now: datetime) -> Place:
    """A connection held against the present state; raises, typed, when it may stand no more."""
    who = standing(tx, Caller(connection.identity, connection.client_ip), now)
    node = tx.nodes.get(connection.node_id)
    if node is None:
        raise NotFound("this node was removed from the cluster")
    place = _place(tx, who, node)
    if not place.roles.sees(node.labels):
        raise Denied(f"you may no longer reach {node.name}")
    return place


def _check_session(tx: Reading, place: Place, session_id: str, login: str) -> None:
    if lock := lock_on(tx, place.who.now, [(LockTarget.SESSION, session_id)]):
        raise Denied(_locked("this session", lock), code="locked")
    if lock := lock_on(tx, place.who.now, [(LockTarget.LOGIN, login)]):
        raise Denied(_locked(f"the login {login}", lock), code="locked")
    if login not in place.logins:
        raise Denied(f"you may no longer log in to {place.node.name} as {login}")


async def forget(desk: Desk, connection_id: str) -> None:
    """It was allowed and never came about."""

    def unit(tx: Writing) -> None:
        if connection := tx.connections.get(connection_id):
            _note_end(tx, desk, connection, "it did not come about")
            tx.connections.delete(connection)

    await desk.store.write(unit)


async def note_cut(desk: Desk, connection: Connection, why: str) -> None:
    """Writes down that the hub ends it, also when its node was quicker to say that it is over."""
    await desk.store.write(
        lambda tx: tx.record(_told_of(tx, desk, connection, Kind.CONNECTION_CUT, reason=why))
    )


async def ended(desk: Desk, connection_id: str, why: str = "", **moved: int) -> None:
    """No byte passes any more. The row waits for what its node has yet to report."""

    def unit(tx: Writing) -> None:
        connection = tx.connections.get(connection_id)
        if connection is None or connection.ended_at is not None:
            return
        _note_end(tx, desk, connection, why, **moved)
        tx.connections.replace(replace(connection, ended_at=desk.clock.now()))

    await desk.store.write(unit)


async def taken_up(
    desk: Desk, node_id: str, held: Collection[str], *, before: datetime
) -> dict[str, Connection]:
    """The connections that a node says it holds and that were dialled there, which this hub answers for now.

    Those allowed `before` this moment that it does not hold are over.
    """

    def unit(tx: Writing) -> dict[str, Connection]:
        now, found = desk.clock.now(), {}
        for connection in tx.connections.all(node_id=node_id):
            if connection.id in held and connection.ended_at is None:
                if connection.hub_id != desk.hub_id:
                    connection = tx.connections.replace(replace(connection, hub_id=desk.hub_id))
                found[connection.id] = connection
            elif connection.started_at < before and connection.ended_at is None:
                over = replace(connection, ended_at=now, sessions={})
                _note_end(tx, desk, connection, "the node lost it")
                tx.connections.replace(over)
                for session_id, login in connection.sessions.items():
                    tx.record(
                        _told_of(
                            tx, desk, connection, Kind.SESSION_END, session_id=session_id, login=login,
                            reason="the node lost it",
                        )
                    )  # fmt: skip
        return found

    return await desk.store.write(unit)


async def recorded(desk: Desk, connection_ids: Collection[str]) -> dict[str, Connection | None]:
    """What is on record of each; None for those that are over or unknown."""

    def query(tx: Reading) -> dict[str, Connection | None]:
        found = {connection_id: tx.connections.get(connection_id) for connection_id in connection_ids}
        return {
            key: each if each is not None and each.ended_at is None else None for key, each in found.items()
        }

    return await desk.store.read(query)


def sweep(tx: Writing, now: datetime) -> None:
    """Forgets what no node will tell of any more."""
    for connection in tx.connections.all():
        over = connection.ended_at or connection.identity.expires_at
        if now - over > TOLD_FOR:
            tx.connections.delete(connection)


def is_live(connection: Connection, now: datetime) -> bool:
    return connection.ended_at is None and connection.identity.expires_at > now


def _note_end(tx: Writing, desk: Desk, connection: Connection, why: str, **moved: int) -> None:
    """Once for each: whoever writes it marks the row as over, or deletes it, in the same unit."""
    if connection.ended_at is None:
        event = _told_of(tx, desk, connection, Kind.CONNECTION_END, reason=why)
        tx.record(replace(event, details={**event.details, **moved}))


def _told_of(
    tx: Reading,
    desk: Desk,
    connection: Connection,
    kind: Kind,
    *,
    session_id: str = "",
    login: str = "",
    reason: str = "",
) -> Event:
    node = tx.nodes.get(connection.node_id)
    name = node.name if node else connection.node_id
    event = desk.event(
        kind,
        user=connection.identity.name,
        user_id=connection.user_id,
        resource=name,
        node=name,
        reason=reason,
        client_ip=connection.client_ip,
        details={"connection": connection.id},
    )
    return replace(event, session_id=session_id, login=login, roles=connection.identity.roles)


def _place(tx: Reading, who: Standing, node: Node) -> Place:
    if lock := lock_on(tx, who.now, [(LockTarget.NODE, node.id)]):
        raise Denied(_locked(node.name, lock), code="locked")
    locked = frozenset(
        lock.value for lock in tx.locks.all(target=LockTarget.LOGIN.value) if lock.in_force(who.now)
    )
    return Place(who, RoleSet(who.subject, who.roles), node, locked)


def _locked(what: str, lock: Lock) -> str:
    return f"{what} is locked{f': {lock.message}' if lock.message else ''}; ask an administrator"


def _found(tx: Reading, who: Standing, name: str, cluster: str) -> Node:
    """Rule 1: the one node that is meant, among those this user may reach."""
    roles = RoleSet(who.subject, who.roles)
    if "=" in name:
        return _by_labels(tx, roles, name)
    plain = without_suffix(name, cluster)
    node = tx.nodes.one(name=plain) or tx.nodes.get(plain)
    if node is None or not roles.sees(node.labels):
        raise _missing(name)
    return node


def _by_labels(tx: Reading, roles: RoleSet, name: str) -> Node:
    labels = _labels(name)
    found: list[Node] = []
    place = ""
    while batch := tx.nodes.page(after=place, limit=_SCAN):
        place = batch[-1].id
        found += [node for node in batch if labels.items() <= node.labels.items() and roles.sees(node.labels)]
    if not found:
        raise _missing(name)
    if len(found) > 1:
        names = ", ".join(sorted(node.name for node in found)[:MOST_NAMED])
        raise Conflict(f"{len(found)} nodes have {quoted(name)}: {names}; name one", code="ambiguous")
    return found[0]


def _labels(text: str) -> Mapping[str, str]:
    """`env=staging,team=core`, all of which must be there."""
    pairs = [part.partition("=") for part in text.split(",")]
    if not all(key and equals for key, equals, _ in pairs):
        raise Invalid(f"{quoted(text)} is no label match; write key=value, or several with commas")
    return {key: value for key, _, value in pairs}


def without_suffix(name: str, cluster: str) -> str:
    """A node's name out of what ssh calls it: names have no dots, so what follows one is the cluster's."""
    for suffix in (f".{cluster}.mezite", ".mezite", f".{cluster}"):
        if name.endswith(suffix):
            return name.removesuffix(suffix)
    return name


def _missing(name: str) -> NotFound:
    return NotFound(f"no node {quoted(name)}; `msh ls` lists those you may reach", code="no_node")
