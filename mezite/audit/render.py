"""An event as people and programs read it: one row of a table, or one JSON object.

Whatever an event says came from outside at some point. In a row it is shown, never obeyed: all that is not
printable is escaped, and what could be taken for two values is quoted. JSON keeps every value whole.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from mezite.audit.body import decode
from mezite.audit.chain import Record
from mezite.audit.events import Detail, Event
from mezite.clock import rfc3339
from mezite.errors import Damaged

COLUMNS: Final = ("TIME", "TYPE", "USER", "DETAILS")
MAX_REASON_CHARS: Final = 60
"""In a row. JSON has it whole."""
DAMAGED: Final = "damaged"

_PLAIN: Final = re.compile(r"[\w.@:/+*%-]+")
_ABOUT: Final = (
    ("request", "request_id"),
    ("resource", "resource"),
    ("node", "node"),
    ("login", "login"),
    ("session", "session_id"),
    ("from", "client_ip"),
)


class Row(NamedTuple):
    time: str
    type: str
    user: str
    details: str


def row(record: Record) -> Row:
    """The record's row; one that cannot be read says so instead of hiding."""
    try:
        event = decode(record.body)
    except Damaged:
        return Row("", DAMAGED, "", f"event {record.seq} cannot be read; see: mezctl audit verify")
    return Row(rfc3339(event.time), safe(event.type), safe(event.user), details(event))


def details(event: Event) -> str:
    """`roles=[ssh-production], reason="Deploying..."`: what the other columns leave out, in fixed order."""
    parts = [] if event.success else ["failed"]
    parts += [f"{name}={_value(text)}" for name, field in _ABOUT if (text := getattr(event, field))]
    if event.roles:
        parts.append(f"roles={_value(event.roles)}")
    parts += [f"{_value(name)}={_value(event.details[name])}" for name in sorted(event.details)]
    if event.reason:
        parts.append(f"reason={_quoted(_shortened(event.reason))}")
    return ", ".join(parts)


def to_dict(record: Record) -> dict[str, object]:
    """Every field by its name, the empty ones too; a record that cannot be read gives its body as it is."""
    try:
        event = decode(record.body)
    except Damaged:
        return {"seq": record.seq, "type": DAMAGED, "body": record.body}
    return {
        **event.unread,
        "seq": record.seq,
        "id": event.id,
        "time": rfc3339(event.time),
        "type": event.type,
        "code": event.code,
        "user": event.user,
        "user_id": event.user_id,
        "roles": list(event.roles),
        "resource": event.resource,
        "node": event.node,
        "login": event.login,
        "session_id": event.session_id,
        "request_id": event.request_id,
        "client_ip": event.client_ip,
        "success": event.success,
        "reason": event.reason,
        "details": {
            name: list(value) if isinstance(value, tuple) else value for name, value in event.details.items()
        },
    }


def safe(text: str) -> str:
    """`text` on one line, with everything a terminal might obey or hide written as an escape."""
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _value(value: Detail) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return "yes" if value else "no"
        case int():
            return str(value)
        case tuple():
            return f"[{', '.join(map(_value, value))}]"
        case str():
            return value if _PLAIN.fullmatch(value) else _quoted(value)


def _quoted(text: str) -> str:
    inner = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{safe(inner)}"'


def _shortened(text: str) -> str:
    return text if len(text) <= MAX_REASON_CHARS else f"{text[: MAX_REASON_CHARS - 3]}..."


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape").decode("ascii")
