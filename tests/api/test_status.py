"""Errors survive the wire: class, code and message, in gRPC and in HTTP; faults of ours say nothing."""

from __future__ import annotations

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.api import status
from mezite.errors import (
    Conflict,
    Damaged,
    Invalid,
    MeziteError,
    NotLoggedIn,
    OurFault,
    SettingsError,
    Unavailable,
    family,
)

SENT = [
    kind for kind in family() if not issubclass(kind, (OurFault, SettingsError)) and kind is not MeziteError
]


@pytest.mark.parametrize("kind", family())
def test_every_status_named_in_the_tree_exists(kind: type[MeziteError]) -> None:
    assert grpc.StatusCode[kind.wire.grpc].name == kind.wire.grpc


@pytest.mark.parametrize("kind", SENT)
def test_an_error_comes_back_as_what_it_was(kind: type[MeziteError]) -> None:
    sent = status.answer(kind("no such role; see mezctl roles ls"))
    for back in (
        status.from_grpc(sent.status, sent.message, sent.code),
        status.from_http(sent.http, sent.message, sent.code),
    ):
        assert type(back) is kind
        assert (back.message, back.code) == ("no such role; see mezctl roles ls", kind.default_code)


def test_a_refined_code_survives_and_its_status_says_the_class() -> None:
    sent = status.answer(Conflict("the role is held by alice", code="role_in_use"))
    back = status.from_grpc(sent.status, sent.message, sent.code)
    assert type(back) is Conflict
    assert back.code == "role_in_use"


def test_a_code_that_contradicts_its_status_does_not_choose_the_class() -> None:
    assert type(status.from_grpc("INVALID_ARGUMENT", "x", "not_found")) is Invalid
    assert type(status.from_http(401, "x", "unavailable")) is NotLoggedIn


@pytest.mark.parametrize("kind", [OurFault, Damaged])
def test_a_fault_of_ours_is_told_to_nobody(kind: type[OurFault]) -> None:
    sent = status.answer(kind("row 7 of secrets is broken", code="row_7"))
    assert "row" not in sent.message
    assert sent.code == "internal"
    assert sent.status == "INTERNAL"


def test_settings_arrive_as_one_line() -> None:
    sent = status.answer(SettingsError(["a: wrong", "b: wrong"]))
    assert sent.message == "a: wrong; b: wrong"


@pytest.mark.parametrize("name", ["DEADLINE_EXCEEDED", "CANCELLED", "UNAVAILABLE"])
def test_what_grpc_says_itself_about_reaching_the_hub_is_unavailable(name: str) -> None:
    assert type(status.from_grpc(name, "Connection refused")) is Unavailable


@given(st.text(), st.text())
def test_any_message_leaves_as_one_bounded_encodable_line(message: str, code: str) -> None:
    sent = status.answer(Invalid(message, code=code))
    assert len(sent.message) <= status.MAX_MESSAGE_CHARS
    assert len(sent.message.splitlines()) <= 1
    sent.message.encode()


@given(st.sampled_from([code.name for code in grpc.StatusCode] + ["BOGUS"]), st.text(), st.text())
def test_any_answer_becomes_an_error_of_ours(name: str, message: str, code: str) -> None:
    back = status.from_grpc(name, message, code)
    assert isinstance(back, MeziteError)
    assert back.message


@given(st.integers(300, 999), st.text(), st.text())
def test_any_http_refusal_becomes_an_error_of_ours(number: int, message: str, code: str) -> None:
    assert isinstance(status.from_http(number, message, code), MeziteError)
