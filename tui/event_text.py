"""An event of the audit log as the console says it: one row's columns, and the facts below. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from mezite.audit.events import Detail, Event
from mezite.clock import rfc3339
from tui.messages import Entry
from tui.themes import Token

FIELDS: Final = ("type", "user", "node", "from", "code", "level", "what", "last")
_LEVELS: Final = {"I": "info", "W": "warn", "E": "error"}
_TOKENS: Final[dict[str, Token]] = {"warn": "warn", "error": "bad"}


def level(entry: Entry) -> str:
    """How loud an event is: the last letter of its code says it. One that cannot be read is an error."""
    return _LEVELS.get(entry.event.code[-1:], "info") if entry.event else "error"


def loudness(entry: Entry) -> Token | None:
    return _TOKENS.get(level(entry))


def facts(entry: Entry) -> dict[str, str]:
    """What a filter may ask of an event; also what its row shows, by column."""
    event = entry.event
    if event is None:
        return {"type": "damaged", "level": "error", "detail": "cannot be read; see: mezctl audit verify"}
    return {
        "type": event.type,
        "code": event.code,
        "user": event.user,
        "node": event.node,
        "from": event.client_ip,
        "level": level(entry),
        "what": _about(event),
        "detail": _detail(event),
    }


def paragraphs(entry: Entry) -> list[tuple[str, str]]:
    """Everything an event says, as (name, value), the most asked first."""
    event = entry.event
    if event is None:
        return [("what", "this event cannot be read; see: mezctl audit verify"), ("body", entry.body)]
    outcome = "ok" if event.success else "failed"
    said = [("what", f"{event.code} {event.type} by {event.user} at {rfc3339(event.time)}, {outcome}")]
    optional = (
        ("about", _about(event)), ("request", event.request_id), ("session", event.session_id),
        ("reason", event.reason), ("from", event.client_ip), ("roles", ", ".join(event.roles)),
    )  # fmt: skip
    said += [(name, value) for name, value in optional if value]
    said += [(name.replace("_", " "), _value(value)) for name, value in sorted(event.details.items())]
    return [*said, ("id", event.id)]


def clock(moment: datetime, now: datetime) -> str:
    """The time today; of another day, which day."""
    return f"{moment:%H:%M:%S}" if moment.date() == now.date() else f"{moment:%d %b}  "


def _about(event: Event) -> str:
    if event.node:
        return f"{event.login}@{event.node}" if event.login else event.node
    return event.resource or event.session_id or event.request_id


def _detail(event: Event) -> str:
    parts = [] if event.success else ["failed"]
    if event.reason:
        parts.append(event.reason)
    if event.roles:
        parts.append(f"roles {', '.join(event.roles)}")
    # Numbers that only machines compare are in the event itself; the row has room for what people read.
    read = {name: value for name, value in event.details.items() if not name.endswith(("serial", "_id"))}
    parts += [f"{name.replace('_', ' ')} {_value(value)}" for name, value in sorted(read.items())]
    return " · ".join(parts)


def _value(value: Detail) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(map(str, value)) or "none"
        case _:
            return str(value)
