"""Seals: what is closed opens for its own seal, kind and id, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mezite.ca import keys
from mezite.ca.keys import Seal
from mezite.errors import Damaged, Invalid, MeziteError, SettingsError
from mezite.model.authority import AuthorityKind
from tests.support.authorities import NOW, seal

CHEAP = 2**4
OTHER = Seal.from_key(bytes(32))
SEALED = seal().close(b"a secret", kind="totp", id="user_1")


@given(st.binary(max_size=200), st.text(), st.text())
def test_what_is_closed_opens(secret: bytes, kind: str, id: str) -> None:
    assert seal().open(seal().close(secret, kind=kind, id=id), kind=kind, id=id) == secret


def test_closing_twice_gives_different_bytes() -> None:
    assert seal().close(b"a secret", kind="totp", id="user_1") != SEALED


@given(st.integers(0, len(SEALED) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(at: int, flip: int) -> None:
    changed = bytearray(SEALED)
    changed[at] ^= flip
    with pytest.raises((Damaged, SettingsError)):
        seal().open(bytes(changed), kind="totp", id="user_1")


@given(st.integers(0, len(SEALED) - 1))
def test_any_cut_is_noticed(size: int) -> None:
    with pytest.raises((Damaged, SettingsError)):
        seal().open(SEALED[:size], kind="totp", id="user_1")


@pytest.mark.parametrize(("kind", "id"), [("totp", "user_2"), ("authority", "user_1"), ("totpuser", "_1")])
def test_a_secret_does_not_open_as_another(kind: str, id: str) -> None:
    with pytest.raises(Damaged, match="does not open"):
        seal().open(SEALED, kind=kind, id=id)


def test_another_seal_is_the_operators_slip() -> None:
    with pytest.raises(SettingsError, match="wrong ca_key_passphrase"):
        OTHER.open(SEALED, kind="totp", id="user_1")


def test_a_passphrase_makes_the_same_seal_again() -> None:
    closed = Seal.from_passphrase("correct horse", b"salt" * 4, cost=CHEAP).close(b"x", kind="k", id="i")
    again = Seal.from_passphrase("correct horse", b"salt" * 4, cost=CHEAP)
    assert again.open(closed, kind="k", id="i") == b"x"


@pytest.mark.parametrize(
    ("passphrase", "salt"), [("correct horsf", b"salt" * 4), ("correct horse", b"tlas" * 4)]
)
def test_another_passphrase_or_salt_is_another_seal(passphrase: str, salt: bytes) -> None:
    closed = Seal.from_passphrase("correct horse", b"salt" * 4, cost=CHEAP).close(b"x", kind="k", id="i")
    with pytest.raises(SettingsError):
        Seal.from_passphrase(passphrase, salt, cost=CHEAP).open(closed, kind="k", id="i")


def test_an_empty_passphrase_or_a_short_salt_is_refused() -> None:
    with pytest.raises(SettingsError, match="ca_key_passphrase"):
        Seal.from_passphrase("", b"salt" * 4, cost=CHEAP)
    with pytest.raises(SettingsError, match="ca_key_passphrase"):
        Seal.from_passphrase("correct horse", b"salt", cost=CHEAP)


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(SettingsError, match=f"{size} bytes"):
        Seal.from_key(bytes(size))


def test_nothing_secret_shows() -> None:
    shown = repr(seal()) + repr(keys.new_authority(AuthorityKind.USER, id="ca_1", now=NOW, seal=seal()))
    assert "_cipher" not in shown
    assert "sealed_private" not in shown


@pytest.mark.parametrize("kind", [AuthorityKind.USER, AuthorityKind.HOST, AuthorityKind.AUDIT])
def test_an_authority_opens_with_its_seal(kind: AuthorityKind) -> None:
    authority = keys.new_authority(kind, id="ca_1", now=NOW, seal=seal())
    key = keys.open_authority(authority, seal())
    assert key.public_key().public_bytes_raw() == authority.public
    assert key.private_bytes_raw() not in authority.sealed_private


def test_an_authority_cannot_be_passed_off_as_another() -> None:
    user = keys.new_authority(AuthorityKind.USER, id="ca_1", now=NOW, seal=seal())
    for forged in (replace(user, kind=AuthorityKind.HOST), replace(user, id="ca_2")):
        with pytest.raises(Damaged):
            keys.open_authority(forged, seal())


def test_halves_that_do_not_belong_together_are_damaged() -> None:
    user = keys.new_authority(AuthorityKind.USER, id="ca_1", now=NOW, seal=seal())
    stranger = Ed25519PrivateKey.generate().public_key().public_bytes_raw()
    with pytest.raises(Damaged, match="two halves"):
        keys.open_authority(replace(user, public=stranger), seal())


def test_a_private_half_of_the_wrong_size_is_damaged() -> None:
    user = keys.new_authority(AuthorityKind.USER, id="ca_1", now=NOW, seal=seal())
    short = keys.seal_private(b"short", kind=AuthorityKind.USER, id="ca_1", seal=seal())
    with pytest.raises(Damaged, match="Ed25519"):
        keys.open_authority(replace(user, sealed_private=short), seal())


def test_a_tls_authority_is_made_elsewhere() -> None:
    with pytest.raises(Invalid):
        keys.new_authority(AuthorityKind.TLS, id="ca_1", now=NOW, seal=seal())


def test_a_refusal_tells_no_secret() -> None:
    with pytest.raises(MeziteError) as refused:
        OTHER.open(SEALED, kind="totp", id="user_1")
    assert "a secret" not in str(refused.value)
    assert SEALED.hex() not in str(refused.value)
