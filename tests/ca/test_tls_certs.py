"""X.509 certificates: identities there and back, every way to be wrong, three TLS stacks that take them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st

from mezite.ca import tls_certs
from mezite.ca.keys import new_leaf_key, private_pem
from mezite.ca.tls_authority import TlsAuthority, to_pem
from mezite.ca.tls_certs import (
    CLAIMS_OID,
    check_client,
    hub_name,
    issue_client,
    issue_server,
    load_public_key,
)
from mezite.ca.trust import Flaw
from mezite.errors import Invalid, NotLoggedIn
from mezite.model.identity import Identity, IdentityKind
from tests.support.authorities import ALICE, CLUSTER, HUB, NOW, WEB_1, tls

KEY = new_leaf_key()


def der(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.DER)


def issued(
    identity: Identity = ALICE, authority: TlsAuthority | None = None, cluster: str = CLUSTER
) -> bytes:
    return der(issue_client(authority or tls(), identity, public_key=KEY.public_key(), cluster=cluster))


def served(**more: Any) -> x509.Certificate:
    return issue_server(tls(), HUB, public_key=KEY.public_key(), cluster=CLUSTER, **more)


def check(certificate: bytes, now: datetime = NOW, **changed: Any) -> Identity:
    terms: dict[str, Any] = {"trusted": [tls().certificate], "cluster": CLUSTER, "now": now}
    return check_client(certificate, **(terms | changed))


def flaw_of(judge: Callable[[], object]) -> Flaw:
    with pytest.raises(NotLoggedIn) as refused:
        judge()
    return next(flaw for flaw in Flaw if flaw.code == refused.value.code)


def hand_made(
    *,
    drop: x509.ObjectIdentifier | None = None,
    add: x509.ExtensionType | None = None,
    critical: bool = False,
    authority: TlsAuthority | None = None,
) -> bytes:
    """Alice's certificate by our authority, an extension dropped or added, as issuing would never make it."""
    like, by = x509.load_der_x509_certificate(issued()), authority or tls()
    builder = (
        x509.CertificateBuilder()
        .subject_name(like.subject)
        .issuer_name(like.issuer)
        .public_key(KEY.public_key())
        .serial_number(like.serial_number)
        .not_valid_before(like.not_valid_before_utc)
        .not_valid_after(like.not_valid_after_utc)
    )
    for extension in like.extensions:
        if extension.oid != drop:
            builder = builder.add_extension(extension.value, extension.critical)
    if add is not None:
        builder = builder.add_extension(add, critical)
    return der(builder.sign(by.key, hashes.SHA256()))


# What is issued


@pytest.mark.parametrize(
    "identity", [ALICE, WEB_1, replace(ALICE, kind=IdentityKind.LOCAL, id="root", name="root")]
)
def test_an_identity_comes_back_from_its_certificate(identity: Identity) -> None:
    assert check(issued(identity)) == identity


names = st.text(max_size=60)


@given(
    st.lists(names, max_size=3).map(tuple),
    st.dictionaries(names, st.lists(names, max_size=3).map(tuple), max_size=3),
    st.integers(1, 2**63 - 1),
    st.booleans(),
)
def test_any_identity_comes_back(
    roles: tuple[str, ...], traits: dict[str, tuple[str, ...]], serial: int, mfa: bool
) -> None:
    identity = replace(ALICE, roles=roles, traits=traits, serial=serial, mfa=mfa)
    assert check(issued(identity)) == identity


@pytest.mark.parametrize("size", [0, 1, 0x7F, 0x80, 0xFF, 0x100, 15_000])
def test_claims_of_every_length_are_der(size: int) -> None:
    identity = replace(ALICE, traits={"t": ("x" * size,)})
    assert check(issued(identity)) == identity


def test_pem_is_judged_like_der() -> None:
    certificate = x509.load_der_x509_certificate(issued())
    assert check(to_pem(certificate)) == check(der(certificate)) == ALICE


def test_a_hub_calls_nobody() -> None:
    with pytest.raises(Invalid, match="no client certificate"):
        issued(HUB)


@pytest.mark.parametrize("kind", [IdentityKind.USER, IdentityKind.NODE, IdentityKind.LOCAL])
def test_only_hubs_serve(kind: IdentityKind) -> None:
    with pytest.raises(Invalid, match="no server certificate"):
        issue_server(tls(), replace(HUB, kind=kind), public_key=KEY.public_key(), cluster=CLUSTER)


def test_a_client_lasts_a_day_at_most_and_a_hub_ninety() -> None:
    longer = replace(ALICE, expires_at=NOW + timedelta(hours=25))
    with pytest.raises(Invalid, match="at most"):
        issued(longer)
    hub = replace(HUB, expires_at=NOW + timedelta(days=90))
    assert issue_server(tls(), hub, public_key=KEY.public_key(), cluster=CLUSTER).not_valid_after_utc > NOW
    with pytest.raises(Invalid, match="at most"):
        issue_server(
            tls(),
            replace(hub, expires_at=NOW + timedelta(days=91)),
            public_key=KEY.public_key(),
            cluster=CLUSTER,
        )


def test_no_leaf_outlives_its_authority() -> None:
    late = NOW + timedelta(days=3649, hours=20)
    with pytest.raises(Invalid, match="rotate"):
        issued(replace(ALICE, issued_at=late, expires_at=late + timedelta(hours=8)))


def test_a_hub_answers_to_the_clusters_name_and_its_own() -> None:
    certificate = served(names=["mezite.example.com"], addresses=[ip_address("192.0.2.7"), ip_address("::1")])
    alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == ["hub.production.mezite", "mezite.example.com"]
    assert alternatives.get_values_for_type(x509.IPAddress) == [ip_address("192.0.2.7"), ip_address("::1")]


def test_a_name_beyond_ascii_is_refused() -> None:
    with pytest.raises(Invalid, match="xn--"):
        served(names=["näive.example"])


@pytest.mark.parametrize(
    "key",
    [
        b"",
        b"noise",
        b"-----BEGIN PUBLIC KEY-----\nnoise\n-----END PUBLIC KEY-----\n",
        b"\0" * 2000,
        ec.generate_private_key(ec.SECP384R1())
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
    ],
)
def test_only_p256_keys_are_certified(key: bytes) -> None:
    with pytest.raises(Invalid, match="P-256"):
        load_public_key(key)


@pytest.mark.parametrize("encoding", [Encoding.DER, Encoding.PEM])
def test_a_public_key_loads_from_both_encodings(encoding: Encoding) -> None:
    key = KEY.public_key()
    assert load_public_key(key.public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)) == key


# What is believed


def test_a_certificate_is_good_from_a_minute_before_until_its_end() -> None:
    certificate = issued()
    check(certificate, NOW - timedelta(seconds=60))
    check(certificate, ALICE.expires_at - timedelta(microseconds=1))
    assert flaw_of(lambda: check(certificate, NOW - timedelta(seconds=62))) is Flaw.NOT_YET
    assert flaw_of(lambda: check(certificate, ALICE.expires_at)) is Flaw.EXPIRED


def test_any_of_several_authorities_will_do() -> None:
    both = [tls("second").certificate, tls().certificate]
    assert check(issued(), trusted=both) == ALICE
    assert check(issued(authority=tls("second")), trusted=both) == ALICE


def test_an_authority_of_the_same_name_is_not_the_same() -> None:
    assert flaw_of(lambda: check(issued(authority=tls("stranger")))) is Flaw.FORGED


def test_an_authority_of_another_name_is_not_trusted() -> None:
    assert flaw_of(lambda: check(issued(), trusted=[])) is Flaw.UNTRUSTED


def test_a_server_is_no_client_nor_is_the_authority() -> None:
    assert flaw_of(lambda: check(der(served()))) is Flaw.WRONG_KIND
    assert flaw_of(lambda: check(der(tls().certificate))) is Flaw.MALFORMED


def test_a_certificate_for_both_sides_is_refused() -> None:
    both = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])
    certificate = hand_made_with(x509.ExtendedKeyUsage.oid, both)
    assert flaw_of(lambda: check(certificate)) is Flaw.WRONG_KIND


def test_a_leaf_that_is_an_authority_is_refused() -> None:
    certificate = hand_made_with(x509.BasicConstraints.oid, x509.BasicConstraints(ca=True, path_length=None))
    assert flaw_of(lambda: check(certificate)) is Flaw.WRONG_KIND


def hand_made_with(oid: x509.ObjectIdentifier, value: x509.ExtensionType) -> bytes:
    return hand_made(drop=oid, add=value)


def test_an_unknown_critical_extension_is_refused_and_a_plain_one_passed_over() -> None:
    unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    assert flaw_of(lambda: check(hand_made(add=unknown, critical=True))) is Flaw.CRITICAL
    assert check(hand_made(add=unknown)) == ALICE


@pytest.mark.parametrize("oid", [x509.ExtendedKeyUsage.oid, x509.BasicConstraints.oid])
def test_a_certificate_that_does_not_say_its_use_is_refused(oid: x509.ObjectIdentifier) -> None:
    assert flaw_of(lambda: check(hand_made(drop=oid))) is Flaw.MALFORMED


def test_a_name_of_a_kind_the_library_does_not_know_is_refused() -> None:
    x400_address = x509.UnrecognizedExtension(
        x509.SubjectAlternativeName.oid, bytes.fromhex("3006a30430020500")
    )
    assert flaw_of(lambda: check(hand_made(add=x400_address))) is Flaw.MALFORMED


def test_a_certificate_without_claims_is_nobodys() -> None:
    assert flaw_of(lambda: check(hand_made(drop=CLAIMS_OID))) is Flaw.NAMELESS


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"\x0c",
        b"\x0c\x00",
        b"\x0c\x02{}",
        b"\x0c\x81\x02{}",
        b"\x0c\x05{}",
        b"\x04\x02{}",
        b"{}",
        b"\x0c\x02[]",
        b"\x0c\x04null",
        b"\x0c\x84\x00\x00\x00\x02{}",
    ],
)
def test_claims_that_do_not_read_are_nobodys(value: bytes) -> None:
    certificate = hand_made_with(CLAIMS_OID, x509.UnrecognizedExtension(CLAIMS_OID, value))
    assert flaw_of(lambda: check(certificate)) is Flaw.NAMELESS


def test_another_cluster_is_refused() -> None:
    assert flaw_of(lambda: check(issued(cluster="staging"))) is Flaw.FOREIGN


DER = issued()


@pytest.mark.filterwarnings("ignore:Parsed a serial number:DeprecationWarning")
@given(st.integers(0, len(DER) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, flip: int) -> None:
    changed = bytearray(DER)
    changed[at] ^= flip
    with pytest.raises(NotLoggedIn):
        check(bytes(changed))


def test_a_signature_of_fewer_bits_is_refused() -> None:
    signature = x509.load_der_x509_certificate(DER).signature
    for unused in range(1, 8):
        with pytest.raises(NotLoggedIn):
            check(DER[: -len(signature) - 1] + bytes((unused,)) + signature)


@given(st.integers(0, len(DER) - 1), st.binary(max_size=8))
def test_any_cut_or_longer_certificate_is_refused(size: int, more: bytes) -> None:
    with pytest.raises(NotLoggedIn):
        check(DER[:size])
    with pytest.raises(NotLoggedIn):
        check(DER + more + b"\0")


@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    assert flaw_of(lambda: check(noise)) is Flaw.MALFORMED
    assert flaw_of(lambda: check(b"-----BEGIN CERTIFICATE-----\n" + noise)) is Flaw.MALFORMED


def test_a_certificate_beyond_the_bound_is_not_parsed() -> None:
    padded = to_pem(x509.load_der_x509_certificate(issued())) + b"\n" * tls_certs.MAX_CERT_BYTES
    assert flaw_of(lambda: check(padded)) is Flaw.MALFORMED


# Real TLS, at the present time


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory of PEM files valid at this moment: authority, hub and alice."""
    place = tmp_path_factory.mktemp("tls")
    now = datetime.now(UTC)
    validity: dict[str, Any] = {"issued_at": now, "expires_at": now + timedelta(hours=1)}
    from mezite.ca.tls_authority import new_authority, open_authority
    from tests.support.authorities import seal

    authority = open_authority(new_authority(id="ca_1", cluster=CLUSTER, now=now, seal=seal()), seal())
    hub_key, alice_key = new_leaf_key(), new_leaf_key()
    hub = issue_server(authority, replace(HUB, **validity), public_key=hub_key.public_key(), cluster=CLUSTER)
    alice = issue_client(
        authority, replace(ALICE, **validity), public_key=alice_key.public_key(), cluster=CLUSTER
    )
    (place / "ca.pem").write_bytes(to_pem(authority.certificate))
    for name, certificate, key in (("hub", hub, hub_key), ("alice", alice, alice_key)):
        (place / f"{name}.pem").write_bytes(to_pem(certificate))
        (place / f"{name}.key").write_bytes(private_pem(key))
    return place


def test_grpc_takes_both_ends(live: Path) -> None:
    read = {file.name: file.read_bytes() for file in live.iterdir()}
    seen: list[bytes] = []

    class WhoAmI(grpc.GenericRpcHandler):  # type: ignore[type-arg] # generic in its stubs only
        def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
            def answer(request: bytes, context: grpc.ServicerContext) -> bytes:
                seen.extend(cast(list[bytes], context.auth_context()["x509_pem_cert"]))
                return request

            return grpc.unary_unary_rpc_method_handler(answer)

    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers((WhoAmI(),))
    credentials = grpc.ssl_server_credentials([(read["hub.key"], read["hub.pem"])], read["ca.pem"], True)
    port = server.add_secure_port("127.0.0.1:0", credentials)
    server.start()
    try:
        options = [("grpc.ssl_target_name_override", hub_name(CLUSTER))]
        mine = grpc.ssl_channel_credentials(read["ca.pem"], read["alice.key"], read["alice.pem"])
        with grpc.secure_channel(f"127.0.0.1:{port}", mine, options) as channel:
            assert channel.unary_unary("/x/y", None, None)(b"hello", timeout=20) == b"hello"
    finally:
        server.stop(None).wait()
    authority = x509.load_pem_x509_certificate(read["ca.pem"])
    caller = check_client(seen[0], trusted=[authority], cluster=CLUSTER, now=datetime.now(UTC))
    assert caller.id == ALICE.id


@contextlib.contextmanager
def one_tls_server(context: ssl.SSLContext) -> Iterator[int]:
    """Serves one handshake and says goodbye."""

    def serve() -> None:
        connection, _ = listener.accept()
        with (
            contextlib.suppress(OSError),
            connection,
            context.wrap_socket(connection, server_side=True) as tls_,
        ):
            tls_.sendall(b"y" if tls_.recv(1) else b"")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, name="one tls server")
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def _handshake(live: Path, server: ssl.SSLContext, name: str) -> None:
    client = ssl.create_default_context(cafile=str(live / "ca.pem"))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    client.load_cert_chain(live / "alice.pem", live / "alice.key")
    with one_tls_server(server) as port, socket.create_connection(("127.0.0.1", port)) as raw:
        with client.wrap_socket(raw, server_hostname=name) as tls_:
            tls_.send(b"x")
            assert tls_.recv(1) == b"y"


def _server_context(live: Path, name: str = "hub") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(live / "ca.pem"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    context.load_cert_chain(live / f"{name}.pem", live / f"{name}.key")
    return context


def test_pythons_tls_takes_both_ends_under_strict_rules(live: Path) -> None:
    _handshake(live, _server_context(live), hub_name(CLUSTER))


def test_pythons_tls_refuses_a_user_who_serves(live: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="purpose"):
        _handshake(live, _server_context(live, "alice"), hub_name(CLUSTER))


def test_pythons_tls_refuses_another_name(live: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
        _handshake(live, _server_context(live), "hub.staging.mezite")


@pytest.mark.parametrize(("name", "purpose"), [("hub", "sslserver"), ("alice", "sslclient")])
def test_openssl_verifies_each_for_its_purpose(live: Path, name: str, purpose: str) -> None:
    verify = ["openssl", "verify", "-x509_strict", "-CAfile", str(live / "ca.pem"), "-purpose"]
    subprocess.run([*verify, purpose, str(live / f"{name}.pem")], check=True, capture_output=True)
    other = "sslclient" if purpose == "sslserver" else "sslserver"
    assert subprocess.run([*verify, other, str(live / f"{name}.pem")], capture_output=True).returncode != 0
