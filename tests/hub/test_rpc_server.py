"""The gRPC listener: what it shows is renewed while it serves, and gRPC is told of it only then."""

from __future__ import annotations

from datetime import timedelta

import pytest

from daemons.hub.rpc.door import address_of
from daemons.hub.rpc.server import Renewals
from daemons.hub.server_tls import RENEW_AFTER, ServerTls
from tests.support.desk import Office


async def test_grpc_hears_of_a_certificate_once_and_only_when_it_was_renewed(office: Office) -> None:
    tls = ServerTls(office.desk.keyring, "hub_test", office.clock, ["localhost"])
    renewals = Renewals(tls, tls.pair())
    assert [renewals() for _ in range(3)] == [None] * 3
    office.clock.advance(RENEW_AFTER)
    assert renewals() is None, "asking renews nothing: it is asked from gRPC's own threads"
    tls.pair()
    assert renewals() is not None
    assert [renewals() for _ in range(3)] == [None] * 3
    office.pass_time(seconds=timedelta(days=1).total_seconds())
    tls.pair()
    assert renewals() is None


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:192.0.2.7:5000", "192.0.2.7"),
        ("ipv6:%5B::1%5D:5000", "::1"),
        ("ipv6:[2001:db8::7]:5000", "2001:db8::7"),
        ("ipv6:%5B::ffff:192.0.2.7%5D:5000", "192.0.2.7"),
        ("unix:/tmp/socket", ""),
        ("", ""),
        ("ipv4:nonsense", ""),
    ],
)
def test_peers_are_named_as_people_write_addresses(peer: str, address: str) -> None:
    assert address_of(peer) == address
