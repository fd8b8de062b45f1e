"""A cluster's authorities and the people of a story, made once per test run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mezite.ca import tls_authority
from mezite.ca.keys import Seal
from mezite.ca.tls_authority import TlsAuthority
from mezite.model.identity import Identity, IdentityKind

NOW: Final = datetime(2026, 3, 24, 10, 0, 0, 123456, tzinfo=UTC)
CLUSTER: Final = "production"

ALICE: Final = Identity(
    kind=IdentityKind.USER,
    id="user_alice0000000000",
    name="alice",
    serial=2**62 + 7,
    issued_at=NOW,
    expires_at=(NOW + timedelta(hours=12)).replace(microsecond=0),
    roles=("access", "ssh-production"),
    traits={"team": ("core", "näive"), "empty": ()},
    request_ids=("req_a1b2c3d4e5f6",),
    mfa=True,
)
WEB_1: Final = replace(
    ALICE,
    kind=IdentityKind.NODE,
    id="4b5a6d8e-0000-4000-8000-000000000001",
    name="web-1",
    roles=("node",),
    traits={},
    request_ids=(),
    mfa=False,
)
HUB: Final = replace(WEB_1, kind=IdentityKind.HUB, id="hub_000000000000001", name="hub", roles=())


@cache
def seal() -> Seal:
    return Seal.from_key(bytes(range(32)))


@cache
def ssh_authority(name: str = "first") -> Ed25519PrivateKey:
    """A key for each name, the same one all through the run."""
    return Ed25519PrivateKey.generate()


@cache
def tls(name: str = "first") -> TlsAuthority:
    return tls_authority.open_authority(
        tls_authority.new_authority(id=f"ca_{name}", cluster=CLUSTER, now=NOW, seal=seal()), seal()
    )


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
