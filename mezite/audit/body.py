"""An event as text: the canonical JSON that is hashed, stored and exported, and the way back. Pure.

1. One event has exactly one body: keys sorted, no white space, printable ASCII only (the rest as `\\uXXXX`),
   times in UTC with six decimals, empty fields left out. `encode(decode(body)) == body` for all that is
   written here.
2. An event can always be written. What is too long is cut and says by how much, in ever shorter pieces until
   the whole fits; nothing an outsider sends can make an act go unrecorded.
3. What a later version wrote is kept: unknown kinds as `ForeignKind`, unknown fields in `Event.unread`.

Which fields an event has is in `events`; how bodies are tied together, in `chain`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from mezite.audit.events import Detail, Event, kind_of
from mezite.errors import Damaged

MAX_BODY_CHARS: Final = 64 * 1024
"""No body written here is longer; PostgreSQL and SQLite keep such rows without a second thought."""
MAX_READ_CHARS: Final = 1024 * 1024
"""A longer body is not ours, and is not parsed."""

_TEXT_FIELDS: Final = (
    "user_id", "resource", "node", "login", "session_id", "request_id", "client_ip", "reason",
)  # fmt: skip
_FIELDS: Final = frozenset(
    ("id", "time", "type", "code", "user", "success", "roles", "details", *_TEXT_FIELDS)
)


@dataclass(frozen=True, slots=True)
class _Room:
    """How much of each thing is kept."""

    text: int
    items: int


_ROOMS: Final = (_Room(4096, 256), _Room(1024, 64), _Room(256, 16), _Room(64, 4), _Room(24, 1))
_MAX_DETAILS: Final = 48
_MAX_KEY: Final = 48

_ascii_json: Final = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")
).encode


def encode(event: Event) -> str:
    """The body of `event`, never longer than `MAX_BODY_CHARS`."""
    for room in _ROOMS:
        fields = _fields(event, room)
        # Weighed first: writing out tens of megabytes to find them too long would cost everybody else time.
        weight = _weight(fields.get("roles")) + _weight(fields.get("details"))
        if weight <= MAX_BODY_CHARS and len(body := _canonical(fields)) <= MAX_BODY_CHARS:
            return body
    raise AssertionError("the smallest room is sized to fit every event")


def decode(body: str) -> Event:
    """The event in `body`; `Damaged` when that is no event."""
    fields = _parse(body)
    try:
        return Event(
            id=_text(fields["id"]),
            time=_moment(fields["time"]),
            kind=kind_of(_text(fields["type"]), _text(fields["code"])),
            user=_text(fields["user"]),
            success=_flag(fields["success"]),
            roles=_texts(fields.get("roles", [])),
            details=_details(fields.get("details", {})),
            unread={name: value for name, value in fields.items() if name not in _FIELDS},
            **{name: _text(fields.get(name, "")) for name in _TEXT_FIELDS},
        )
    except KeyError as missing:
        raise Damaged(f"an audit event without its {missing.args[0]!a}") from None
    except (TypeError, ValueError) as wrong:
        raise Damaged(f"an audit event that does not read: {wrong}") from None


def time_text(moment: datetime) -> str:
    """`2026-03-24T10:00:00.000000Z`."""
    if moment.tzinfo is None:
        raise ValueError("the time of an event needs its zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _fields(event: Event, room: _Room) -> dict[str, object]:
    fields: dict[str, object] = {
        name: _cut(text, room.text) for name in _TEXT_FIELDS if (text := getattr(event, name))
    }
    if event.roles:
        fields["roles"] = _cut_list(event.roles, room)
    if event.details:
        fields["details"] = _cut_details(event.details, room)
    return {
        **event.unread,
        **fields,
        "id": _cut(event.id, room.text),
        "time": time_text(event.time),
        "type": _cut(event.type, room.text),
        "code": _cut(event.code, room.text),
        "user": _cut(event.user, room.text),
        "success": event.success,
    }


def _weight(value: object) -> int:
    """Characters of text in `value`: its JSON is never shorter."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(map(len, value)) + sum(map(_weight, value.values()))
    return sum(map(_weight, value)) if isinstance(value, list) else 0


def _canonical(fields: dict[str, object]) -> str:
    # DEL is ASCII, so the encoder lets it through, and it stands only inside strings.
    return _ascii_json(fields).replace("\x7f", "\\u007f")


def _cut(text: str, limit: int) -> str:
    """Cut text is within `limit` with its mark, so that cutting it again changes nothing."""
    if len(text) <= limit:
        return text
    mark = f"…(+{len(text)})"
    kept = limit - len(mark)
    return f"{text[:kept]}…(+{len(text) - kept})" if kept > 0 else mark[:limit]


def _cut_list(items: tuple[str, ...], room: _Room) -> list[str]:
    if len(items) <= room.items:
        return [_cut(item, room.text) for item in items]
    kept = room.items - 1
    return [*(_cut(item, room.text) for item in items[:kept]), f"…(+{len(items) - kept})"]


def _cut_details(details: Mapping[str, Detail], room: _Room) -> dict[str, object]:
    names = sorted(details)
    left_out = len(names) - _MAX_DETAILS
    if left_out > 0:
        names = names[: _MAX_DETAILS - 1]
    kept = {_cut(name, _MAX_KEY): _cut_detail(details[name], room) for name in names}
    if left_out > 0:
        kept["…"] = left_out + 1
    return kept


def _cut_detail(value: Detail, room: _Room) -> object:
    match value:
        case str():
            return _cut(value, room.text)
        case tuple():
            return _cut_list(value, room)
        case bool() | None:
            return value
        case int():
            fits = -(2**63) <= value < 2**63
            return value if fits else f"…(an integer of {value.bit_length()} bits)"


def _parse(body: str) -> dict[str, Any]:
    if len(body) > MAX_READ_CHARS:
        raise Damaged(f"an audit event of {len(body)} characters")
    try:
        fields = json.loads(
            body, object_pairs_hook=_no_twins, parse_constant=_no_constant, parse_float=_finite
        )
    except (ValueError, RecursionError):
        raise Damaged("an audit event that is not JSON") from None
    if not isinstance(fields, dict):
        raise Damaged("an audit event that is not an object")
    return fields


def _no_twins(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Two readers may pick different ones of two equal keys, and so read two events out of one body."""
    if len(fields := dict(pairs)) != len(pairs):
        raise ValueError("a key twice")
    return fields


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    if not math.isfinite(value := float(digits)):
        raise ValueError("a number beyond all bounds")
    return value


def _moment(value: object) -> datetime:
    text = _text(value)
    moment = datetime.fromisoformat(text)
    if time_text(moment) != text:
        raise ValueError("time is not in the canonical form")
    return moment


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{type(value).__name__} where text belongs")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{type(value).__name__} where true or false belongs")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError(f"{type(value).__name__} where a list belongs")
    return tuple(_text(item) for item in value)


def _details(value: object) -> dict[str, Detail]:
    if not isinstance(value, dict):
        raise TypeError(f"{type(value).__name__} where details belong")
    return {name: _detail(item) for name, item in value.items()}


def _detail(value: object) -> Detail:
    if isinstance(value, list):
        return _texts(value)
    if value is None or isinstance(value, (str, int)):
        return value
    raise TypeError(f"{type(value).__name__} where a detail belongs")
