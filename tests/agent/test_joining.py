"""Whom an agent believes before it proves anything. The talk itself is tried in tests/hub/test_tunnels.py."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from daemons.agent.joining import Wish, check_hub, ended, issuers_of
from mezite.api.tunnel.messages import Bye, Challenge, Refused
from mezite.api.tunnel.proof import Prover, binding, mint_token, prove
from mezite.ca import keys, tls_authority, tls_certs
from mezite.ca.tls_authority import TlsAuthority
from mezite.errors import Denied, Invalid, MeziteError, NotLoggedIn, Unavailable
from mezite.model.identity import Identity, IdentityKind
from tests.support.authorities import HUB, tls

TOKEN = mint_token()
NOW = datetime.now(UTC)


def server_certificate(authority: TlsAuthority) -> bytes:
    hub = Identity(IdentityKind.HUB, HUB.id, "hub", 7, NOW, NOW + timedelta(hours=1))
    certificate = tls_certs.issue_server(
        authority, hub, public_key=keys.new_leaf_key().public_key(), cluster="production"
    )
    return certificate.public_bytes(Encoding.DER)


def der(name: str) -> bytes:
    return tls(name).certificate.public_bytes(Encoding.DER)


def challenge(
    *authorities: bytes, shown: bytes, key: bytes = TOKEN.key, version: int = 1
) -> tuple[Challenge, bytes]:
    bound = binding(
        offer=b"offer",
        hub_nonce=bytes(32),
        cluster="production",
        authorities=authorities,
        server_certificate=shown,
    )
    said = Challenge(
        nonce=bytes(32),
        cluster="production",
        authorities=authorities,
        proof=prove(Prover.HUB, key, bound),
        version=version,
    )
    return said, bound


def wish(*pins: str) -> Wish:
    return Wish("web-1", {}, "0.1.0", TOKEN, pins)


def test_a_hub_that_proves_itself_is_believed_with_and_without_pins() -> None:
    shown = server_certificate(tls("first"))
    said, bound = challenge(der("second"), der("first"), shown=shown)
    check_hub(said, wish(), bound, shown)
    check_hub(said, wish(tls_authority.pin(tls("first").certificate)), bound, shown)


def test_a_pin_of_an_authority_that_did_not_issue_the_hubs_certificate_does_not_count() -> None:
    shown = server_certificate(tls("first"))
    said, bound = challenge(der("second"), der("first"), shown=shown)
    with pytest.raises(Denied) as refusal:
        check_hub(said, wish(tls_authority.pin(tls("second").certificate)), bound, shown)
    assert refusal.value.code == "wrong_pin"


def test_a_hub_without_the_key_is_refused_pin_or_no_pin() -> None:
    shown = server_certificate(tls("first"))
    said, bound = challenge(der("first"), shown=shown, key=bytes(32))
    for pins in ((), (tls_authority.pin(tls("first").certificate),)):
        with pytest.raises(Denied) as refusal:
            check_hub(said, wish(*pins), bound, shown)
        assert refusal.value.code == "hub_unproven"


def test_a_certificate_from_none_of_the_named_authorities_is_refused() -> None:
    shown = server_certificate(tls("first"))
    said, bound = challenge(der("second"), shown=shown)
    with pytest.raises(Denied) as refusal:
        check_hub(said, wish(), bound, shown)
    assert refusal.value.code == "hub_unproven"


def test_another_version_is_refused_in_words_that_help() -> None:
    shown = server_certificate(tls("first"))
    said, bound = challenge(der("first"), shown=shown, version=2)
    with pytest.raises(Invalid) as refusal:
        check_hub(said, wish(), bound, shown)
    assert refusal.value.code == "version"


@pytest.mark.parametrize(("shown", "authority"), [(b"junk", None), (None, b"junk")])
def test_certificates_that_do_not_parse_are_refused(shown: bytes | None, authority: bytes | None) -> None:
    with pytest.raises(Invalid):
        issuers_of(shown or server_certificate(tls("first")), [authority or der("first")])


@pytest.mark.parametrize(
    ("message", "kind", "code"),
    [
        (Refused(code="locked", message="no"), NotLoggedIn, "locked"),
        (Refused(code="join_refused", message="no"), Denied, "join_refused"),
        (Refused(code="made up", message="no"), Denied, "made up"),
        (Bye(reason="stopping"), Unavailable, "hub_left"),
    ],
)
def test_a_last_word_becomes_the_error_it_means(message: object, kind: type[MeziteError], code: str) -> None:
    error = ended(message)
    assert type(error) is kind
    assert error.code == code
