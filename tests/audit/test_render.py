"""Rows and objects: in the shape the documents show, and safe whatever an event says."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.audit.body import encode
from mezite.audit.chain import Record
from mezite.audit.events import Event, ForeignKind, Kind
from mezite.audit.render import COLUMNS, MAX_REASON_CHARS, details, row, safe, to_dict

NOON = datetime(2026, 3, 24, 10, 0, 0, 999_999, tzinfo=UTC)
LOGIN = Event("evt_1", NOON, Kind.USER_LOGIN, "alice")


def recorded(event: Event) -> Record:
    return Record(7, encode(event), bytes(32))


def test_a_row_is_in_the_shape_the_documents_show() -> None:
    event = replace(
        LOGIN,
        kind=ForeignKind("access_request.created", "T5000I"),
        roles=("ssh-production",),
        reason="Deploying hotfix for order processing",
    )
    assert row(recorded(event)) == (
        "2026-03-24T10:00:00Z",
        "access_request.created",
        "alice",
        'roles=[ssh-production], reason="Deploying hotfix for order processing"',
    )
    assert COLUMNS == ("TIME", "TYPE", "USER", "DETAILS")


def test_details_stand_in_a_fixed_order() -> None:
    event = replace(
        LOGIN,
        success=False,
        request_id="req_1",
        resource="web-1",
        node="web-1",
        login="root",
        session_id="s",
        client_ip="2001:db8::1",
        roles=("a", "b"),
        details={"ttl": 60, "mfa": True, "none": None, "a list": ("x", "y, z")},
        reason="because",
    )
    assert details(event) == (
        "failed, request=req_1, resource=web-1, node=web-1, login=root, session=s, from=2001:db8::1, "
        'roles=[a, b], "a list"=[x, "y, z"], mfa=yes, none=none, ttl=60, reason="because"'
    )
    assert details(LOGIN) == ""


def test_a_long_reason_is_cut_in_a_row_only() -> None:
    event = replace(LOGIN, reason="x" * 200)
    shown = details(event)
    assert shown == f'reason="{"x" * (MAX_REASON_CHARS - 3)}..."'
    assert to_dict(recorded(event))["reason"] == "x" * 200


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", '"\\x1b[2J"'),
        ("a\nb", '"a\\nb"'),
        ('say "hi", x=1', '"say \\"hi\\", x=1"'),
        ("back\\slash", '"back\\\\slash"'),
        ("\u202egnp.exe", '"\\u202egnp.exe"'),
        ("\u009b31m", '"\\x9b31m"'),
        ("\ud800", '"\\ud800"'),
        ("naïve", "naïve"),
        ("", '""'),
        ("[red]x[/red]", '"[red]x[/red]"'),
    ],
)
def test_a_value_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert details(replace(LOGIN, details={"k": text})) == f"k={shown}"


@given(st.text(st.characters(codec=None, categories=None)))
def test_whatever_an_event_says_its_row_is_one_printable_line(text: str) -> None:
    event = replace(
        LOGIN,
        kind=ForeignKind(text, "T1"),
        user=text,
        roles=(text,),
        resource=text,
        details={text: (text,)},
        reason=text,
    )
    assert all(cell.isprintable() for cell in row(recorded(event)))
    assert safe(text).isprintable()


def test_json_has_every_name_and_every_value() -> None:
    event = replace(LOGIN, roles=("a",), details={"list": ("x",)}, unread={"orbit": 1})
    told = to_dict(recorded(event))
    assert told == {
        "seq": 7,
        "id": "evt_1",
        "time": "2026-03-24T10:00:00Z",
        "type": "user.login",
        "code": "T1000I",
        "user": "alice",
        "user_id": "",
        "roles": ["a"],
        "resource": "",
        "node": "",
        "login": "",
        "session_id": "",
        "request_id": "",
        "client_ip": "",
        "success": True,
        "reason": "",
        "details": {"list": ["x"]},
        "orbit": 1,
    }
    json.dumps(told)


def test_a_later_version_cannot_shadow_a_name() -> None:
    record = Record(7, encode(replace(LOGIN, unread={"seq": 99})), bytes(32))
    assert to_dict(record)["seq"] == 7


def test_a_damaged_record_is_shown_as_one() -> None:
    record = Record(7, "\x1b[2J not an event", bytes(32))
    assert row(record).type == "damaged"
    assert "event 7" in row(record).details
    assert to_dict(record) == {"seq": 7, "type": "damaged", "body": record.body}
