"""The text of an access token: whole or refused, and never repeated."""

from __future__ import annotations

import base64
import hashlib
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.client.access_token import MAX_CHARS, AccessToken, parse
from mezite.errors import NotLoggedIn

TOKEN = AccessToken("mezite.example.com:3080", "sha256:" + "ab" * 32, "tok_1a2b", "s3cret_with_under-scores")


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_what_is_written_is_read(web: str, pin: str, id: str, secret: str) -> None:
    token = AccessToken(web, pin, id, secret)
    assert parse(token.text()) == token
    assert parse(f"  {token.text()}\n") == token


def test_it_looks_as_documented() -> None:
    assert re.fullmatch(r"mzt_[A-Za-z0-9_-]+_[0-9a-f]{6}", TOKEN.text())


@given(st.data())
def test_any_changed_character_is_noticed(data: st.DataObject) -> None:
    text = TOKEN.text()
    at = data.draw(st.integers(0, len(text) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda c: c != text[at]))
    with pytest.raises(NotLoggedIn):
        parse(text[:at] + other + text[at + 1 :])


@given(st.integers(0, len(TOKEN.text()) - 1))
def test_a_cut_token_is_noticed(length: int) -> None:
    with pytest.raises(NotLoggedIn):
        parse(TOKEN.text()[:length])


def checksummed(packed: bytes) -> str:
    body = "mzt_" + base64.urlsafe_b64encode(packed).decode().rstrip("=")
    return f"{body}_{hashlib.sha256(body.encode()).hexdigest()[:6]}"


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"x",
        b"[]",
        b"{}",
        b'{"a":1,"p":"","i":"","s":""}',
        b"\xff",
        b"[" * 2000,
        json.dumps({"a": ""}).encode(),
    ],
)
def test_a_right_checksum_over_nonsense_is_refused_without_repeating_it(packed: bytes) -> None:
    with pytest.raises(NotLoggedIn) as refused:
        parse(checksummed(packed))
    assert refused.value.code == "malformed_token"


@given(st.text())
def test_any_text_is_refused_by_one_error(text: str) -> None:
    with pytest.raises(NotLoggedIn):
        parse(text)


def test_a_text_without_end_is_not_looked_at() -> None:
    with pytest.raises(NotLoggedIn):
        parse(AccessToken("a", "p", "i", "s" * MAX_CHARS).text())


def test_the_secret_is_in_no_repr() -> None:
    assert TOKEN.secret not in repr(TOKEN)
