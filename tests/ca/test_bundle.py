"""What the cluster gives others to trust it by."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography import x509

from mezite.ca import bundle, keys, tls_authority
from mezite.ca.ssh_keys import load_public_key, public_line
from mezite.errors import Invalid
from mezite.model.authority import AuthorityKind
from tests.support.authorities import CLUSTER, NOW, seal

USER, HOST, AUDIT = (
    keys.new_authority(kind, id=f"ca_{kind}", now=NOW, seal=seal())
    for kind in (AuthorityKind.USER, AuthorityKind.HOST, AuthorityKind.AUDIT)
)
TLS = tls_authority.new_authority(id="ca_tls", cluster=CLUSTER, now=NOW, seal=seal())
NEXT_USER = replace(
    keys.new_authority(AuthorityKind.USER, id="ca_next", now=NOW, seal=seal()),
    created_at=NOW + timedelta(days=1),
)
BUNDLE = bundle.of(CLUSTER, [NEXT_USER, TLS, AUDIT, HOST, USER])


def test_authorities_stand_in_the_order_they_were_made() -> None:
    assert BUNDLE.users == (USER.public, NEXT_USER.public)
    assert BUNDLE.hosts == (HOST.public,)


def test_sshd_gets_one_key_a_line() -> None:
    lines = bundle.trusted_user_keys(BUNDLE).splitlines()
    assert [public_line(load_public_key(line)).split()[1] for line in lines] == [
        line.split()[1] for line in lines
    ]
    assert all(line.endswith(" production user authority") for line in lines)


def test_ssh_gets_cert_authority_lines() -> None:
    mark, patterns, *key = bundle.known_hosts(BUNDLE, ["*.production", "*.production.mezite"]).split(" ")
    assert (mark, patterns) == ("@cert-authority", "*.production,*.production.mezite")
    assert key[0] == "ssh-ed25519"
    assert bundle.known_hosts(BUNDLE).startswith("@cert-authority *.production ssh-ed25519 ")


@pytest.mark.parametrize("pattern", ["", "a b", "a,b", "a\nb", "#a", "!a", "\x1b", "näive"])
def test_a_pattern_cannot_say_more_than_one_thing(pattern: str) -> None:
    with pytest.raises(Invalid, match="known_hosts"):
        bundle.known_hosts(BUNDLE, [pattern])


def test_callers_get_pem_and_pins() -> None:
    (certificate,) = x509.load_pem_x509_certificates(bundle.tls_authorities(BUNDLE))
    assert bundle.pins(BUNDLE) == (tls_authority.pin(certificate),)


def test_nothing_private_and_nothing_of_the_audit_key_leaves() -> None:
    everything = repr(BUNDLE) + bundle.trusted_user_keys(BUNDLE) + bundle.known_hosts(BUNDLE)
    assert AUDIT.public not in (*BUNDLE.users, *BUNDLE.hosts)
    assert "sealed" not in everything
