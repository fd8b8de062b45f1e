"""Certificates that are not ours to believe, shown at the real 3025: none gets an answer out of the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mezite.ca import keys, tls_authority, tls_certs
from mezite.ca.tls_authority import TlsAuthority
from mezite.client.hub import Hub
from mezite.client.keypairs import tls_pair
from mezite.client.methods import IDENTITY_WHO_AM_I
from mezite.client.profile import Pass
from mezite.errors import MeziteError, NotLoggedIn, Unavailable
from mezite.model.identity import Identity, IdentityKind
from tests.support.authorities import seal
from tests.support.hub import CLUSTER, EMPTY, LiveHub, hub_settings, live_hub

Shown = tuple[str, str]
"""(certificate, key), PEM."""


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    with live_hub(hub_settings(tmp_path_factory.mktemp("foreign") / "data")) as live:
        live.enrol_first()
        yield live


def ours(live: LiveHub) -> TlsAuthority:
    return live.running.desk.keyring._tls


def theirs() -> TlsAuthority:
    now = datetime.now(UTC)
    return tls_authority.open_authority(
        tls_authority.new_authority(id="ca_theirs", cluster=CLUSTER, now=now, seal=seal()), seal()
    )


def identity_of_admin(live: LiveHub) -> Identity:
    now = datetime.now(UTC)
    user = live.run(live.running.desk.store.read(lambda tx: tx.users.one(name="admin")))
    assert user is not None
    return Identity(IdentityKind.USER, user.id, "admin", 7, now, now + timedelta(hours=1), ("admin",))


def client(authority: TlsAuthority, identity: Identity, cluster: str = CLUSTER) -> Shown:
    pair = tls_pair()
    key = tls_certs.load_public_key(pair.public)
    certificate = tls_certs.issue_client(authority, identity, public_key=key, cluster=cluster)
    return tls_authority.to_pem(certificate).decode(), pair.private


def genuine(live: LiveHub) -> Shown:
    return client(ours(live), identity_of_admin(live))


def of_another_authority(live: LiveHub) -> Shown:
    """The same names, the same claims; only the signature is somebody else's."""
    return client(theirs(), identity_of_admin(live))


def of_another_cluster(live: LiveHub) -> Shown:
    return client(ours(live), identity_of_admin(live), "other")


def of_a_server(live: LiveHub) -> Shown:
    pair = live.running.desk.keyring.server_pair("hub_1", datetime.now(UTC), ["localhost"])
    return pair.chain.decode(), pair.key.decode()


def of_nobody(live: LiveHub) -> Shown:
    """From our authority, and without a word about who it is for."""
    key = keys.new_leaf_key()
    now, name = datetime.now(UTC), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "admin")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(ours(live).certificate.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .sign(ours(live).key, hashes.SHA256())
    )
    return tls_authority.to_pem(certificate).decode(), keys.private_pem(key).decode()


def that_has_ended(live: LiveHub) -> Shown:
    then = datetime.now(UTC) - timedelta(hours=2)
    ended = replace(identity_of_admin(live), issued_at=then, expires_at=then + timedelta(hours=1))
    return client(ours(live), ended)


def that_has_not_begun(live: LiveHub) -> Shown:
    then = datetime.now(UTC) + timedelta(hours=2)
    early = replace(identity_of_admin(live), issued_at=then, expires_at=then + timedelta(hours=1))
    return client(ours(live), early)


def ask(live: LiveHub, shown: Shown) -> str:
    certificate, key = shown
    hub = replace(live.contact.hub, auth_addr=live.auth_addr)
    with Hub(Pass(hub, certificate, key, datetime.now(UTC))) as dialled:
        return dialled.call(IDENTITY_WHO_AM_I, EMPTY).name


def test_the_genuine_one_is_believed(live: LiveHub) -> None:
    assert ask(live, genuine(live)) == "admin"


@pytest.mark.parametrize(
    ("made", "refusal"),
    [
        (of_another_authority, Unavailable),
        (of_a_server, Unavailable),
        (that_has_ended, Unavailable),
        (that_has_not_begun, Unavailable),
        (of_another_cluster, NotLoggedIn),
        (of_nobody, NotLoggedIn),
    ],
    ids=lambda value: value.__name__,
)
def test_none_of_these_is(
    live: LiveHub, made: Callable[[LiveHub], Shown], refusal: type[MeziteError]
) -> None:
    with pytest.raises(refusal) as told:
        ask(live, made(live))
    assert "\n" not in told.value.message


def test_a_hub_without_our_authority_is_not_talked_to(live: LiveHub) -> None:
    """The other way round: what answers cannot prove that it is the hub, and gets no call."""
    certificate, key = genuine(live)
    hub = replace(
        live.contact.hub,
        auth_addr=live.auth_addr,
        tls_authorities=tls_authority.to_pem(theirs().certificate).decode(),
    )
    with Hub(Pass(hub, certificate, key, datetime.now(UTC))) as dialled:
        with pytest.raises(MeziteError, match=r"does not show a certificate of the hub you know"):
            dialled.call(IDENTITY_WHO_AM_I, EMPTY)


def test_without_tls_there_is_no_door(live: LiveHub) -> None:
    with grpc.insecure_channel(live.auth_addr) as channel:
        with pytest.raises(grpc.RpcError):
            channel.unary_unary(IDENTITY_WHO_AM_I.path, None, None)(b"", timeout=10)
