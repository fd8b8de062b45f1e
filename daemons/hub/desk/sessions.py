"""What happens on connections: sessions and forwards as nodes ask for them, and what nodes report.

1. A node is believed about a connection only if that was dialled to it, and about nothing else.
2. A session is allowed, counted and written down in one unit.
3. A report is taken once, by its number, and written down with both times: the node's and that of arrival.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk import connections, forwarding
from daemons.hub.desk.connections import Place, check_room, is_live
from daemons.hub.desk.desk import Desk
from mezite.api.tunnel.orders import Ask, Asked, Report, Told
from mezite.audit.events import Detail, Event, Kind
from mezite.clock import from_us
from mezite.errors import Conflict, Denied, Invalid, MeziteError
from mezite.ids import mint_uuid
from mezite.model.connection import Connection, ReportMark
from mezite.model.role import RecordPolicy, SessionMfa
from mezite.quoting import quoted
from mezite.rbac.options import Terms
from mezite.storage.ports import Reading, Writing

MOST_SESSIONS: Final = 256
"""Of one connection, whatever roles say."""
SKEW: Final = timedelta(minutes=1)
_SESSION_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


async def answer(desk: Desk, node_id: str, question: Ask) -> None:
    """Returns when it may happen; raises, with words for the user, when it may not."""

    def unit(tx: Writing) -> None:
        now = desk.clock.now()
        connection = _own(tx, node_id, question.connection_id, now)
        place = connections.place_of(tx, connection, now)
        terms = _terms(place, connection, question.login)
        if question.kind is Asked.SESSION:
            _begin(tx, place, connection, question, terms)
        elif why := forwarding.refusal(question, terms, place.roles.held_options()):
            raise Denied(why, code="forwarding")

    try:
        await desk.store.write(unit)
    except MeziteError as refusal:
        await _note(desk, node_id, question, refusal)
        raise


def _terms(place: Place, connection: Connection, login: str) -> Terms:
    """The terms of a session here under this login, all demands of which are met."""
    if login not in place.logins:
        raise Denied(f"you may not log in to {place.node.name} as {quoted(login)}", code="login")
    terms = place.terms([login])
    if terms.require_session_mfa is not SessionMfa.OFF and not connection.mfa:
        raise Denied(
            f"{login} on {place.node.name} demands a second factor at each connection; "
            f"name the login when you connect: `msh ssh {login}@{place.node.name}`",
            code="mfa_missing",
        )
    return terms


def _begin(tx: Writing, place: Place, connection: Connection, question: Ask, terms: Terms) -> None:
    if connection.sessions.get(question.session_id) == question.login:
        return
    _check_demands(place, terms)
    if _SESSION_ID.fullmatch(question.session_id) is None or question.session_id in connection.sessions:
        raise Invalid("a session needs an id of its own", code="bad_session_id")
    if len(connection.sessions) >= MOST_SESSIONS:
        raise Conflict(f"a connection has at most {MOST_SESSIONS} sessions", code="too_many_sessions")
    check_room(tx, place, connection)
    sessions = {**connection.sessions, question.session_id: question.login}
    tx.connections.replace(replace(connection, sessions=sessions))
    tx.record(
        place.event(
            Kind.SESSION_START,
            login=question.login,
            session_id=question.session_id,
            what=question.what,
            connection=connection.id,
            mfa=connection.mfa,
        )
    )


def _check_demands(place: Place, terms: Terms) -> None:
    """What a role demands of a session and cannot be had here ends it before it begins."""
    if terms.require_session_join:
        names = ", ".join(demand.role for demand in terms.require_session_join)
        raise Denied(
            f"a session on {place.node.name} must be attended by others ({names}), "
            "which this cluster cannot arrange",
            code="join_demanded",
        )
    if terms.record is RecordPolicy.STRICT:
        raise Denied(
            f"a session on {place.node.name} must be recorded, which this node cannot do",
            code="recording_demanded",
        )
    if terms.enhanced_recording:
        raise Denied(
            f"a session on {place.node.name} must be recorded in depth, which this node cannot do",
            code="enhanced_recording_demanded",
        )


async def heard(desk: Desk, node_id: str, report: Report) -> int:
    """Writes a report down, unless that was done before; the number up to which all is written."""

    def unit(tx: Writing) -> int:
        mark = tx.report_marks.get(node_id) or tx.report_marks.insert(ReportMark(node_id, 0))
        if report.number <= mark.heard:
            return mark.heard
        connection = _dialled(tx, node_id, report.connection_id)
        if connection is not None:
            _take(tx, desk, connection, report)
        tx.report_marks.replace(replace(mark, heard=report.number))
        return report.number

    return await desk.store.write(unit)


def _take(tx: Writing, desk: Desk, connection: Connection, report: Report) -> None:
    now = desk.clock.now()
    match report.kind:
        case Told.SESSION_END:
            _end_session(tx, connection, report, now)
        case Told.EXEC:
            tx.record(_reported(tx, connection, report, Kind.SESSION_COMMAND, now))
        case Told.FILE:
            failed = report.facts.get("ok") is False
            kind = Kind.FILE_TRANSFER_FAILED if failed else Kind.FILE_TRANSFER
            tx.record(_reported(tx, connection, report, kind, now))
        case Told.CONNECTION_END:
            for session_id in connection.sessions:
                tx.record(_reported(tx, connection, report, Kind.SESSION_END, now, session_id=session_id))
            if connection.ended_at is None:
                tx.record(_reported(tx, connection, report, Kind.CONNECTION_END, now))
            tx.connections.delete(connection)


def _end_session(tx: Writing, connection: Connection, report: Report, now: datetime) -> None:
    if report.session_id not in connection.sessions:
        return
    tx.record(_reported(tx, connection, report, Kind.SESSION_END, now))
    left = {key: login for key, login in connection.sessions.items() if key != report.session_id}
    tx.connections.replace(replace(connection, sessions=left))


def _reported(
    tx: Reading, connection: Connection, report: Report, kind: Kind, now: datetime, *, session_id: str = ""
) -> Event:
    """Rule 3. A node's clock is believed only within the life of the connection."""
    session_id = session_id or report.session_id
    node = tx.nodes.get(connection.node_id)
    name = node.name if node else connection.node_id
    earliest, latest = connection.started_at - SKEW, now + SKEW
    at = min(max(_moment(report.time_us, now), earliest), latest)
    facts = {key: value for key, value in report.facts.items() if key not in ("connection", "arrived")}
    return Event(
        id=mint_uuid(),
        time=at,
        kind=kind,
        user=connection.identity.name,
        user_id=connection.user_id,
        roles=connection.identity.roles,
        success=kind is not Kind.FILE_TRANSFER_FAILED,
        resource=name,
        node=name,
        login=connection.sessions.get(session_id) or report.login,
        session_id=session_id,
        client_ip=connection.client_ip,
        details={"connection": connection.id, "arrived": now.isoformat(), **facts},
    )


def _moment(time_us: int, now: datetime) -> datetime:
    try:
        return from_us(time_us)
    except OverflowError:
        return now


def _own(tx: Reading, node_id: str, connection_id: str, now: datetime) -> Connection:
    """Rule 1."""
    connection = _dialled(tx, node_id, connection_id)
    if connection is None or not is_live(connection, now):
        raise Denied("the hub knows of no such connection on this node", code="no_connection")
    return connection


async def _note(desk: Desk, node_id: str, question: Ask, refusal: MeziteError) -> None:
    """Writes the refusal down, in the user's name; a question about another's connection in the node's."""
    connection = await desk.store.read(lambda tx: _dialled(tx, node_id, question.connection_id))
    # By what the node cannot make up: with a key for each id it invents there would be no bound.
    about = f"ask:{question.kind}:{node_id}:{connection.user_id if connection else ''}"
    unwritten = desk.denials.admit(about, desk.clock.monotonic())
    if unwritten is None:
        return

    def unit(tx: Writing) -> None:
        node = tx.nodes.get(node_id)
        name = node.name if node else node_id
        forward = question.kind is Asked.FORWARD
        details: dict[str, Detail] = {
            "code": refusal.code,
            "connection": question.connection_id,
            "what": question.what,
        }
        event = desk.event(
            Kind.PORT_FORWARDING_DENIED if forward else Kind.SESSION_REFUSED,
            user=connection.identity.name if connection else f"node:{name}",
            user_id=connection.user_id if connection else "",
            success=False,
            resource=forwarding.target(question) if forward else name,
            reason=refusal.evidence or refusal.message,
            client_ip=connection.client_ip if connection else "",
            node=name,
            details={**details, "unwritten": unwritten} if unwritten else details,
        )
        roles = connection.identity.roles if connection else ()
        tx.record(replace(event, roles=roles, login=question.login, session_id=question.session_id))

    await desk.store.write(unit)


def _dialled(tx: Reading, node_id: str, connection_id: str) -> Connection | None:
    """Rule 1, of one that may be over."""
    connection = tx.connections.get(connection_id)
    return connection if connection is not None and connection.node_id == node_id else None
