"""Claims: an identity survives the way through them, and nothing half-said becomes one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.ca.claims import MAX_CLAIM_BYTES, Claims, from_json, from_values, to_json, to_values
from mezite.errors import TooLarge
from mezite.model.identity import Identity, Origin
from tests.support.authorities import ALICE, CLUSTER

texts = st.lists(st.text(max_size=20), max_size=5).map(tuple)
identities = st.builds(
    replace,
    st.just(ALICE),
    id=st.text(max_size=30),
    name=st.text(max_size=30),
    roles=texts,
    traits=st.dictionaries(st.text(max_size=10), texts, max_size=4),
    request_ids=texts,
    mfa=st.booleans(),
    origin=st.sampled_from(Origin),
)


def read(values: dict[str, Any]) -> Claims:
    return from_values(values, serial=ALICE.serial, expires_at=ALICE.expires_at)


@given(identities, st.text(max_size=30))
def test_claims_come_back_through_json(identity: Identity, cluster: str) -> None:
    claims = Claims(identity, cluster)
    assert read(from_json(to_json(to_values(claims)))) == claims


def test_a_claim_of_a_later_version_is_passed_over() -> None:
    claims = Claims(ALICE, CLUSTER)
    assert read(to_values(claims) | {"shoe_size": 43}) == claims


def test_a_certificate_that_does_not_say_where_it_came_from_is_of_a_login() -> None:
    values = to_values(Claims(replace(ALICE, origin=Origin.TOKEN), CLUSTER))
    assert read(values).identity.origin is Origin.TOKEN
    del values["origin"]
    assert read(values).identity.origin is Origin.LOGIN


@pytest.mark.parametrize("name", sorted(set(to_values(Claims(ALICE, CLUSTER))) - {"origin"}))
def test_every_claim_is_needed(name: str) -> None:
    values = to_values(Claims(ALICE, CLUSTER))
    del values[name]
    with pytest.raises(ValueError, match=name):
        read(values)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kind", "king"),
        ("id", 7),
        ("origin", "found"),
        ("origin", None),
        ("name", None),
        ("cluster", []),
        ("issued", "yesterday"),
        ("issued", "2026-03-24T10:00:00"),
        ("issued", 0),
        ("roles", "admin"),
        ("roles", [1]),
        ("traits", ["team"]),
        ("traits", {"team": "core"}),
        ("requests", {}),
        ("mfa", 1),
        ("mfa", "true"),
    ],
)
def test_a_claim_of_the_wrong_shape_is_no_identity(name: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        read(to_values(Claims(ALICE, CLUSTER)) | {name: value})


@pytest.mark.parametrize("text", [b"", b"{", b"\xff", b"[" * 100_000, b" " * (8 * MAX_CLAIM_BYTES + 1)])
def test_text_that_is_no_claim_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        from_json(text)


@pytest.mark.parametrize(
    "identity",
    [
        replace(ALICE, roles=("r" * 60,) * 300),
        replace(ALICE, traits={"team": ("x" * MAX_CLAIM_BYTES,)}),
        replace(ALICE, request_ids=("req_" + "x" * 12,) * 1000),
    ],
)
def test_claims_too_large_for_a_certificate_are_refused(identity: Identity) -> None:
    with pytest.raises(TooLarge, match="do not fit in a certificate"):
        to_values(Claims(identity, CLUSTER))
