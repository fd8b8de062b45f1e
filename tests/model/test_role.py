"""Roles survive storage as they are, and say nothing by themselves."""

from __future__ import annotations

import msgspec
from hypothesis import given

from mezite.model.role import Conditions, Options, Role
from tests.support.roles import roles


@given(roles())
def test_a_role_survives_json(role: Role) -> None:
    assert msgspec.json.decode(msgspec.json.encode(role), type=Role) == role


def test_a_role_that_says_nothing_says_nothing() -> None:
    assert Role("x") == Role("x", options=Options(), allow=Conditions(), deny=Conditions())
    said = [getattr(Options(), name) for name in Options.__dataclass_fields__]
    assert all(value in (None, ()) for value in said)
