"""A whole hub, over its real ports: who is out is out on an open connection, and no secret is told."""

from __future__ import annotations

import logging
import ssl
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from daemons.hub.binding import bind, port_of
from daemons.hub.proof import totp
from mezite.api.generated import audit_pb2, common_pb2, feed_pb2, identity_pb2, locks_pb2, users_pb2
from mezite.ca import keys
from mezite.client import identity
from mezite.client.identity import Acting
from mezite.client.login import enrol
from mezite.client.methods import (
    AUDIT_EXPORT,
    AUDIT_LIST,
    AUDIT_TAIL,
    AUDIT_VERIFY,
    FEED_WATCH,
    IDENTITY_BEGIN_TOTP,
    IDENTITY_CONFIRM_TOTP,
    IDENTITY_CREATE_ACCESS_TOKEN,
    IDENTITY_WHO_AM_I,
    LOCKS_CREATE,
    LOCKS_DELETE,
    STATUS_GET,
    USERS_CREATE,
    USERS_DELETE,
    USERS_LIST,
)
from mezite.client.profiles import Profiles
from mezite.clock import to_us
from mezite.config import Address, ProxySettings, Secret, TlsSettings
from mezite.errors import Conflict, MeziteError, NotLoggedIn, OtpRequired, SettingsError, Unavailable
from tests.support.hub import ANYWHERE, EMPTY, PASSWORD, LiveHub, hub_settings, live_hub


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveHub]:
    with live_hub(hub_settings(tmp_path_factory.mktemp("live") / "data")) as live:
        live.enrol_first()
        yield live


def test_a_lock_and_a_deletion_bite_on_an_open_connection(live: LiveHub) -> None:
    with live.dial(live.log_in("admin")) as admin:
        live.create(admin, "alice", "access")
        with live.dial(live.log_in("alice")) as alice:
            assert alice.call(IDENTITY_WHO_AM_I, EMPTY).name == "alice"
            watch = alice.stream(FEED_WATCH, feed_pb2.WatchRequest())
            assert next(watch).WhichOneof("line") == "here"
            lock = admin.call(
                LOCKS_CREATE, locks_pb2.CreateLockRequest(target="user", name="alice", message="bye")
            )
            with pytest.raises(NotLoggedIn, match="locked: bye"):
                alice.call(IDENTITY_WHO_AM_I, EMPTY)
            with pytest.raises(NotLoggedIn, match="locked: bye"):
                next(watch)
            admin.call(LOCKS_DELETE, locks_pb2.LockId(id=lock.id))
            assert alice.call(IDENTITY_WHO_AM_I, EMPTY).name == "alice"
            admin.call(USERS_DELETE, users_pb2.UserName(name="alice"))
            with pytest.raises(NotLoggedIn, match="msh login"):
                alice.call(IDENTITY_WHO_AM_I, EMPTY)


def test_a_tail_tells_of_a_failed_login_as_it_happens(live: LiveHub) -> None:
    with live.dial(live.as_local()) as local:
        tail = local.stream(AUDIT_TAIL, audit_pb2.TailEventsRequest(from_start=True))
        first = next(tail)
        assert first.seq == 1
        with pytest.raises(NotLoggedIn):
            live.log_in("nobody-at-all")
        for event in tail:
            if "nobody-at-all" in event.body:
                assert "user.login.failed" in event.body
                break


def test_places_beyond_every_log_are_empty_and_no_fault(live: LiveHub) -> None:
    far = 2**64 - 1
    with live.dial(live.as_local()) as local:
        assert local.call(AUDIT_LIST, audit_pb2.ListEventsRequest(before=far, limit=1)).events
        assert list(local.stream(AUDIT_EXPORT, audit_pb2.ExportEventsRequest(after=far))) == []
        watch = local.stream(FEED_WATCH, feed_pb2.WatchRequest(after=far))
        assert next(watch).WhichOneof("line") == "reset"
        for since in (-(2**63), 2**63 - 1):
            which = audit_pb2.EventFilter(since_us=since)
            with pytest.raises(MeziteError) as refusal:
                local.call(AUDIT_LIST, audit_pb2.ListEventsRequest(filter=which))
            assert refusal.value.code == "invalid"


def test_a_message_too_large_is_refused_and_the_connection_goes_on(live: LiveHub) -> None:
    with live.dial(live.as_local()) as local:
        with pytest.raises(MeziteError):
            local.call(USERS_CREATE, users_pb2.CreateUserRequest(name="x" * 2_000_000))
        assert local.call(STATUS_GET, EMPTY).cluster == "test"


def test_the_peers_address_is_in_the_log_as_people_write_it(live: LiveHub) -> None:
    with live.dial(live.log_in("admin")) as admin:
        admin.call(USERS_CREATE, users_pb2.CreateUserRequest(name="addressed"))
        events = admin.call(AUDIT_LIST, audit_pb2.ListEventsRequest(limit=10)).events
    assert any('"client_ip":"127.0.0.1"' in event.body and "addressed" in event.body for event in events)


def test_pages_are_whole(live: LiveHub) -> None:
    with live.dial(live.as_local()) as local:
        for number in range(5):
            local.call(USERS_CREATE, users_pb2.CreateUserRequest(name=f"page-{number}"))
        seen: list[str] = []
        while True:
            answer = local.call(USERS_LIST, common_pb2.Page(after=seen[-1] if seen else "", limit=2))
            seen += [user.name for user in answer.users]
            if not answer.more:
                break
        assert seen == sorted(set(seen))
        assert {f"page-{number}" for number in range(5)} <= set(seen)


class Everything(logging.Handler):
    """Every record of every logger, at every level, as it would be written with all that it carries."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record) + repr(record.args))


@pytest.fixture
def logs() -> Iterator[Everything]:
    root, handler = logging.getLogger(), Everything()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def test_no_secret_of_a_whole_story_is_told(tmp_path: Path, logs: Everything) -> None:
    """Enrolment, logins right and wrong, a second factor, tokens: then each secret is looked for."""
    with live_hub(hub_settings(tmp_path / "data")) as live:
        assert live.running.first_admin is not None
        secrets = {"first enrolment": live.running.first_admin.invitation.token, "password": PASSWORD}
        live.enrol_first()
        with live.dial(live.log_in("admin")) as admin:
            invited = admin.call(USERS_CREATE, users_pb2.CreateUserRequest(name="alice"))
            secrets |= {"enrolment": invited.enrolment_token, "her password": "a battery of her own"}
            enrol(live.contact, invited.enrolment_token, "a battery of her own")
            secrets["wrong password"] = "wrong and yet a secret"
            with pytest.raises(NotLoggedIn):
                live.log_in("alice", password=secrets["wrong password"])
            profile = live.log_in("alice", password=secrets["her password"])
            assert profile.login is not None
            secrets |= {"tls key": profile.login.keys.tls_key, "ssh key": profile.login.keys.ssh_key}
            with live.dial(profile) as alice:
                question = identity_pb2.BeginTotpRequest(password=secrets["her password"])
                secrets["totp secret"] = alice.call(IDENTITY_BEGIN_TOTP, question).secret
                codes = alice.call(
                    IDENTITY_CONFIRM_TOTP, identity_pb2.OtpCode(otp=code(secrets["totp secret"]))
                )
                secrets |= {f"recovery code {number}": text for number, text in enumerate(codes.codes)}
                token = alice.call(IDENTITY_CREATE_ACCESS_TOKEN, identity_pb2.CreateAccessTokenRequest())
                secrets["access token"] = token.token
            with pytest.raises(OtpRequired):
                live.log_in("alice", password=secrets["her password"])
            live.log_in("alice", password=secrets["her password"], otp=codes.codes[0])
            acting = Acting(Profiles(tmp_path / "home"), tmp_path, environ={"MEZITE_AUTH_TOKEN": token.token})
            with live.dial(identity.find(acting, datetime.now(UTC))) as script:
                assert script.call(IDENTITY_WHO_AM_I, EMPTY).name == "alice"
            order = {"user": "alice", "password": secrets["her password"], "otp": codes.codes[1]}
            secrets["bearer"] = live.contact.web.post("/v1/webapi/login", order)["access_token"]
            events = "".join(
                link.event.body for link in admin.stream(AUDIT_EXPORT, audit_pb2.ExportEventsRequest())
            )
            assert admin.call(AUDIT_VERIFY, audit_pb2.VerifyRequest()).sound
        numbers = metrics(live)
        seal_key = (tmp_path / "data" / "seal.key").read_bytes()
    told = "\n".join(logs.lines) + events + numbers
    assert "audit head" in told
    assert "user.login.failed" in told
    for name, secret in secrets.items():
        assert secret not in told, name
    assert seal_key.hex() not in told
    assert "alice" not in numbers
    database = b"".join(path.read_bytes() for path in (tmp_path / "data").glob("mezite.db*"))
    for name, secret in secrets.items():
        assert secret.encode() not in database, f"{name} is stored as it is"
    assert "BEGIN PRIVATE KEY" not in told


def code(secret: str) -> str:
    import base64

    raw = base64.b32decode(secret + "=" * (-len(secret) % 8))
    return totp.code_at(raw, to_us(datetime.now(UTC)) // 1_000_000 // totp.STEP_S)


def metrics(live: LiveHub) -> str:
    context = ssl.create_default_context(cadata=live.tls_authorities)
    with urllib.request.urlopen(f"https://{live.proxy}/metrics", context=context, timeout=10) as answer:
        return str(answer.read().decode())


def test_a_second_hub_on_the_same_data_is_refused_and_the_first_goes_on(live: LiveHub) -> None:
    with pytest.raises(Conflict, match="in use by process"):
        with live_hub(live.settings):
            pass
    with live.dial(live.as_local()) as local:
        assert local.call(STATUS_GET, EMPTY).hubs == 1


@pytest.mark.parametrize("key", ["ssh_listen_addr", "web_listen_addr", "tunnel_listen_addr"])
def test_a_port_in_use_is_one_clear_line(tmp_path: Path, key: str) -> None:
    with bind("x", Address("127.0.0.1", 0)) as taken:
        addresses = ("ssh_listen_addr", "tunnel_listen_addr", "web_listen_addr")
        proxy: dict[str, Any] = dict.fromkeys(addresses, ANYWHERE)
        proxy[key] = Address("127.0.0.1", port_of(taken))
        with pytest.raises(
            Unavailable, match=rf"^proxy\.{key}: cannot listen on .*another hub running there"
        ):
            with live_hub(hub_settings(tmp_path / "data", proxy=ProxySettings(**proxy))):
                pass
        assert not (tmp_path / "data" / "mezite.db").exists(), "nothing is begun on ports that cannot be had"


def test_the_auth_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    from mezite.config import AuthSettings

    with bind("x", Address("127.0.0.1", 0)) as taken:
        address = Address("127.0.0.1", port_of(taken))
        with pytest.raises(Unavailable, match=r"^auth\.listen_addr: cannot listen on"):
            with live_hub(hub_settings(tmp_path / "data", auth=AuthSettings(listen_addr=address))):
                pass


def test_a_passphrase_instead_of_a_file(tmp_path: Path) -> None:
    from mezite.config import AuthSettings

    def settings(passphrase: str) -> AuthSettings:
        return AuthSettings(listen_addr=ANYWHERE, ca_key_passphrase=Secret(passphrase))

    with live_hub(hub_settings(tmp_path / "data", auth=settings("one"))) as live:
        pin = live.pin
        assert not (tmp_path / "data" / "seal.key").exists()
    with pytest.raises(SettingsError, match="wrong ca_key_passphrase"):
        with live_hub(hub_settings(tmp_path / "data", auth=settings("two"))):
            pass
    with pytest.raises(SettingsError, match="missing"):
        with live_hub(hub_settings(tmp_path / "data")):
            pass
    with live_hub(hub_settings(tmp_path / "data", auth=settings("one"))) as live:
        assert live.pin == pin


def own_certificate(directory: Path) -> TlsSettings:
    key, now = keys.new_leaf_key(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hub.example")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hub.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    files = TlsSettings(directory / "cert.pem", directory / "key.pem")
    assert files.cert_file is not None
    assert files.key_file is not None
    files.cert_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key_file.write_bytes(keys.private_pem(key))
    return files


def proxy_with(files: TlsSettings) -> ProxySettings:
    return ProxySettings(
        ssh_listen_addr=ANYWHERE, tunnel_listen_addr=ANYWHERE, web_listen_addr=ANYWHERE, tls=files
    )


def test_a_certificate_of_ones_own_is_shown_on_the_web_and_nowhere_else(tmp_path: Path) -> None:
    files = own_certificate(tmp_path)
    with live_hub(hub_settings(tmp_path / "data", proxy=proxy_with(files))) as live:
        shown = ssl.get_server_certificate((live.proxy.host, live.proxy.port))
        assert files.cert_file is not None
        assert shown.strip() == files.cert_file.read_text().strip()
        host, _, port = live.auth_addr.rpartition(":")
        assert ssl.get_server_certificate((host, int(port))) != shown
        with live.dial(live.as_local()) as local:
            assert local.call(STATUS_GET, EMPTY).cluster == "test"


@pytest.mark.parametrize("broken", ["missing", "not a certificate", "another key"])
def test_a_certificate_that_does_not_load_is_one_clear_line(tmp_path: Path, broken: str) -> None:
    files = own_certificate(tmp_path)
    assert files.cert_file is not None
    assert files.key_file is not None
    match broken:
        case "missing":
            files.cert_file.unlink()
        case "not a certificate":
            files.cert_file.write_text("hello")
        case _:
            files.key_file.write_bytes(keys.private_pem(keys.new_leaf_key()))
    with pytest.raises(SettingsError, match=r"proxy\.tls\.cert_file") as refusal:
        with live_hub(hub_settings(tmp_path / "data", proxy=proxy_with(files))):
            pass
    assert "\n" not in str(refusal.value)


def test_many_callers_at_once(live: LiveHub) -> None:
    with live.dial(live.as_local()) as local:
        channel = local._channel
        ask = channel.unary_unary(
            IDENTITY_WHO_AM_I.path,
            request_serializer=common_pb2.Empty.SerializeToString,
            response_deserializer=identity_pb2.Me.FromString,
        )
        answers = [ask.future(EMPTY, timeout=20) for _ in range(200)]
        assert {answer.result().kind for answer in answers} == {"local"}
        assert all(answer.code() is grpc.StatusCode.OK for answer in answers)
