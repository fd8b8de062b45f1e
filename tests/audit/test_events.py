"""The table of kinds: one code, one type, and the same table in the document."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mezite.audit.events import Event, ForeignKind, Kind, is_known_type, kind_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats" / "audit.md"


def test_no_code_and_no_type_means_two_things() -> None:
    """A type that fails differs from one that succeeds by its code's letter and by its name."""
    assert len({kind.code for kind in Kind}) == len({kind.type for kind in Kind}) == len(Kind)


def test_codes_are_in_form() -> None:
    assert all(re.fullmatch(r"T[1-9][0-9]{3}[IWE]", kind.code) for kind in Kind)
    assert all(re.fullmatch(r"[a-z_]+(\.[a-z_]+)+", kind.type) for kind in Kind)


def test_the_document_has_the_same_table() -> None:
    rows = re.findall(r"^\| (T\d+[IWE]) \| `([a-z_.]+)` \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    assert [(code, type_) for code, type_, _ in rows] == [(kind.code, kind.type) for kind in Kind]
    assert len({meaning for _, _, meaning in rows}) == len(rows)


def test_the_words_fixed_for_users_stand() -> None:
    assert (Kind.SESSION_START.type, Kind.SESSION_START.code) == ("session.start", "T2000I")
    assert Kind.PORT_FORWARDING_DENIED.type == "access.denied.port_forwarding"
    assert Kind.PORT_FORWARDING_DENIED.code == "T4002W"


def test_a_kind_is_found_by_both_its_words() -> None:
    assert all(kind_of(kind.type, kind.code) is kind for kind in Kind)
    assert kind_of("user.login", "T9999I") == ForeignKind("user.login", "T9999I")


def test_an_event_speaks_for_its_kind() -> None:
    event = Event("evt_1", datetime(2026, 3, 24, tzinfo=UTC), ForeignKind("moon.landed", "T9999E"), "neil")
    assert (event.type, event.code) == ("moon.landed", "T9999E")


@pytest.mark.parametrize(
    ("pattern", "known"),
    [
        ("user.login", True),
        ("user.*", True),
        ("*", True),
        ("user", False),
        ("nosuch.type", False),
        ("nosuch.*", False),
        ("*.created", False),
        ("", False),
    ],
)
def test_types_one_may_ask_for(pattern: str, *, known: bool) -> None:
    assert is_known_type(pattern) is known
