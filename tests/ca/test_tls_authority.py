"""The TLS authority: its certificate, its seal, its pin."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mezite.ca import tls_authority
from mezite.ca.keys import Seal, seal_private
from mezite.errors import Damaged, Invalid, SettingsError
from mezite.model.authority import AuthorityKind
from tests.support.authorities import CLUSTER, NOW, seal

STORED = tls_authority.new_authority(id="ca_1", cluster=CLUSTER, now=NOW, seal=seal())
OTHER = tls_authority.new_authority(id="ca_2", cluster=CLUSTER, now=NOW, seal=seal())


def test_an_authority_opens_and_signs_leaves_only() -> None:
    certificate = tls_authority.open_authority(STORED, seal()).certificate
    constraints = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage)
    assert constraints.critical
    assert constraints.value == x509.BasicConstraints(ca=True, path_length=0)
    assert usage.critical
    assert usage.value.key_cert_sign
    assert not usage.value.digital_signature
    certificate.verify_directly_issued_by(certificate)


def test_an_authority_lasts_ten_years() -> None:
    certificate = tls_authority.authority_certificate(STORED.public)
    assert certificate.not_valid_before_utc < NOW
    assert certificate.not_valid_after_utc > NOW + timedelta(days=3649)


def test_another_seal_does_not_open_it() -> None:
    with pytest.raises(SettingsError, match="wrong ca_key_passphrase"):
        tls_authority.open_authority(STORED, Seal.from_key(bytes(32)))


def test_halves_that_do_not_belong_together_are_damaged() -> None:
    with pytest.raises(Damaged, match="two halves"):
        tls_authority.open_authority(replace(OTHER, public=STORED.public), seal())
    with pytest.raises(Damaged, match="does not open"):
        tls_authority.open_authority(replace(OTHER, id="ca_1"), seal())


@pytest.mark.parametrize("private", [b"", b"noise"])
def test_a_private_half_that_is_no_key_is_damaged(private: bytes) -> None:
    sealed = seal_private(private, kind=AuthorityKind.TLS, id="ca_1", seal=seal())
    with pytest.raises(Damaged, match="private key"):
        tls_authority.open_authority(replace(STORED, sealed_private=sealed), seal())


@pytest.mark.parametrize("public", [b"", b"noise", STORED.public[:-1], STORED.public + b"\0"])
def test_a_public_half_that_is_no_certificate_is_damaged(public: bytes) -> None:
    with pytest.raises(Damaged, match="certificate"):
        tls_authority.authority_certificate(public)


def test_the_pin_is_of_the_key() -> None:
    certificate = tls_authority.authority_certificate(STORED.public)
    spki = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert tls_authority.pin(certificate) == "sha256:" + hashlib.sha256(spki).hexdigest()
    assert tls_authority.pin(certificate) != tls_authority.pin(
        tls_authority.authority_certificate(OTHER.public)
    )


def test_a_typed_pin_is_brought_into_form() -> None:
    pin = tls_authority.pin(tls_authority.authority_certificate(STORED.public))
    assert tls_authority.parse_pin(f" {pin.upper()}\n") == pin


@pytest.mark.parametrize(
    "text", ["", "sha256:", "sha256:" + "0" * 63, "sha1:" + "0" * 64, "0" * 64, "sha256:" + "g" * 64]
)
def test_what_is_no_pin_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="64 hexadecimal digits"):
        tls_authority.parse_pin(text)


def test_the_key_is_what_grpc_takes() -> None:
    key = tls_authority.open_authority(STORED, seal()).key
    assert isinstance(key.curve, ec.SECP256R1)
