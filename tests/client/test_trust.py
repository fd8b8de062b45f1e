"""Which authority of a hub one agrees to."""

from __future__ import annotations

import pytest

from mezite.ca.tls_authority import pin, to_pem
from mezite.client.trust import MAX_AUTHORITIES, agreed, authorities
from mezite.errors import CallerError
from tests.support.authorities import tls

FIRST, SECOND = tls("first").certificate, tls("second").certificate


def test_only_agreed_authorities_are_kept() -> None:
    offered = authorities(to_pem(FIRST, SECOND).decode())
    assert agreed(offered, [pin(FIRST)]) == to_pem(FIRST).decode(), "one slipped in beside it is dropped"
    assert agreed(offered, [pin(SECOND), pin(FIRST)]) == to_pem(FIRST, SECOND).decode()


def test_another_pin_is_refused_and_both_are_told() -> None:
    with pytest.raises(CallerError) as refused:
        agreed(authorities(to_pem(FIRST).decode()), [pin(SECOND)])
    assert refused.value.code == "untrusted_hub"
    assert pin(FIRST) in refused.value.message
    assert pin(SECOND) in refused.value.message


@pytest.mark.parametrize(
    "pem", ["", "x", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "\ud800"]
)
def test_what_is_no_authority_is_refused(pem: str) -> None:
    with pytest.raises(CallerError, match="no authority"):
        authorities(pem)


def test_a_flood_of_authorities_is_refused() -> None:
    with pytest.raises(CallerError, match="is the most"):
        authorities(to_pem(FIRST).decode() * (MAX_AUTHORITIES + 1))
