from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.api.tunnel.proof import Prover, TokenText, binding, holds, mint_token, parse_token, prove
from mezite.errors import Invalid
from tests.support.tunnel import FACTS, KEY

BOUND = binding(**FACTS)  # type: ignore[arg-type]  # one literal for all the keyword arguments


def test_vector() -> None:
    """For whoever writes another end: docs/formats/tunnel.md gives the same numbers."""
    assert BOUND.hex() == "7b11d2f510b39f723594864956a982f463f644a9e4b4e3fc4add7c5432596103"
    assert (
        prove(Prover.HUB, KEY, BOUND).hex()
        == "170353de6c747728fed44cf245b613510825584b50e28b3e419faae59e6d0ac3"
    )
    assert (
        prove(Prover.AGENT, KEY, BOUND).hex()
        == "9470a4964aa6bca2e393a911583df3a15ca67d0e526baeaaeef19cbd8c8861d5"
    )
    assert prove(Prover.HUB, KEY, BOUND) == hmac.digest(KEY, b"mezite join 1: hub\0" + BOUND, "sha256")


def test_a_proof_holds_for_its_prover_key_and_facts_alone() -> None:
    proof = prove(Prover.HUB, KEY, BOUND)
    assert holds(Prover.HUB, KEY, BOUND, proof)
    assert not holds(Prover.AGENT, KEY, BOUND, proof), "sent back, it proves nothing"
    assert not holds(Prover.HUB, hashlib.sha256(b"guess").digest(), BOUND, proof)


@pytest.mark.parametrize(
    ("fact", "other"),
    [
        ("offer", b'{"type":"join","name":"other"}'),
        ("hub_nonce", b"\1" + bytes(31)),
        ("cluster", "productioN"),
        ("authorities", (b"authority one",)),
        ("authorities", (b"authority two", b"authority one")),
        ("authorities", (b"authority oneauthority two",)),
        ("server_certificate", b"certificate of somebody in between"),
    ],
)
def test_every_fact_is_bound(fact: str, other: object) -> None:
    assert binding(**{**FACTS, fact: other}) != BOUND  # type: ignore[arg-type]  # see FACTS


@given(st.binary(max_size=64))
def test_no_other_bytes_pass_for_a_proof(guess: bytes) -> None:
    assert holds(Prover.AGENT, KEY, BOUND, guess) == (guess == prove(Prover.AGENT, KEY, BOUND))


def test_a_token_is_carried_as_text_and_told_apart() -> None:
    token = mint_token()
    assert parse_token(f"  {token.text}\n") == token
    assert token.key == hashlib.sha256(token.secret.encode()).digest()
    assert len(token.secret) * 4 >= 192
    assert mint_token() != token


def test_a_token_does_not_show_its_secret() -> None:
    token = mint_token()
    assert token.secret not in repr(token)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a1b2c3d4e5f6",
        "a1b2c3d4e5f6.",
        "a1b2c3d4e5f6." + "0" * 47,
        "A1b2c3d4e5f6." + "0" * 48,
        "x" * 100_000,
    ],
)
def test_what_is_no_token_is_refused_without_being_quoted(text: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_token(text)
    assert refusal.value.code == "bad_token"
    assert not text or text not in str(refusal.value)


@given(st.text(max_size=80))
def test_parsing_never_surprises(text: str) -> None:
    try:
        token = parse_token(text)
    except Invalid:
        return
    assert isinstance(token, TokenText)
    assert token.text == text.strip()
