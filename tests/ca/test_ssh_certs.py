"""SSH certificates: identities there and back, and every way a certificate may be wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    SSHCertificate,
    SSHCertificateBuilder,
    load_ssh_public_identity,
)
from hypothesis import given
from hypothesis import strategies as st

from mezite.ca.ssh_certs import (
    MAX_CERT_CHARS,
    NO_LOGIN,
    Permit,
    UserCertificate,
    check_host,
    check_user,
    issue_host,
    issue_user,
    node_principals,
    read_user,
)
from mezite.ca.ssh_keys import public_line
from mezite.ca.trust import Flaw
from mezite.errors import Invalid, MeziteError, NotLoggedIn, TooLarge
from mezite.ids import LOGIN
from mezite.model.identity import Identity, IdentityKind
from tests.support.authorities import ALICE, CLUSTER, HUB, NOW, WEB_1, public, ssh_authority

CA = ssh_authority()
KEY = Ed25519PrivateKey.generate().public_key()


def issued(identity: Identity = ALICE, **changed: Any) -> str:
    terms: dict[str, Any] = {"public_key": KEY, "cluster": CLUSTER, "principals": ["root", "alice"]}
    return issue_user(changed.pop("authority", CA), identity, **(terms | changed))


def hosted(identity: Identity = WEB_1, **changed: Any) -> str:
    names = node_principals(identity.name, CLUSTER, identity.id)
    terms: dict[str, Any] = {"public_key": KEY, "cluster": CLUSTER, "principals": names}
    return issue_host(changed.pop("authority", CA), identity, **(terms | changed))


def check(certificate: str | bytes, now: datetime = NOW, **changed: Any) -> UserCertificate:
    terms: dict[str, Any] = {"trusted": [public(CA)], "cluster": CLUSTER, "now": now}
    return check_user(certificate, **(terms | changed))


def flaw_of(judge: Callable[[], object]) -> Flaw:
    with pytest.raises(NotLoggedIn) as refused:
        judge()
    return next(flaw for flaw in Flaw if flaw.code == refused.value.code)


def parsed(certificate: str) -> SSHCertificate:
    found = load_ssh_public_identity(certificate.encode())
    assert isinstance(found, SSHCertificate)
    return found


def hand_made(**changed: Any) -> str:
    """A certificate by our authority that issuing would never make."""
    like = parsed(changed.pop("like", None) or issued())
    principals = changed.pop("principals", like.valid_principals)
    builder = (
        SSHCertificateBuilder()
        .public_key(changed.pop("public_key", KEY))
        .type(like.type)
        .serial(like.serial)
        .key_id(like.key_id)
        .valid_after(changed.pop("valid_after", like.valid_after))
        .valid_before(changed.pop("valid_before", like.valid_before))
    )
    for_all: Any = builder.valid_for_all_principals
    builder = builder.valid_principals(principals) if principals else for_all()
    for name, value in (like.extensions | changed.pop("extensions", {})).items():
        builder = builder.add_extension(name, value) if value is not None else builder
    for name, value in changed.pop("critical", {}).items():
        builder = builder.add_critical_option(name, value)
    assert not changed
    return builder.sign(CA).public_bytes().decode()


# What is issued


def test_an_identity_comes_back_from_its_certificate() -> None:
    user = check(issued(permits=[Permit.PORT_FORWARDING]))
    assert user == UserCertificate(
        identity=ALICE,
        cluster=CLUSTER,
        public_key=public_line(KEY),
        principals=("root", "alice"),
        permits=frozenset((Permit.PTY, Permit.PORT_FORWARDING)),
    )


names = st.text(max_size=12)


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
    assert check(issued(identity)).identity == identity


def test_a_p256_key_is_certified_too() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert check(issued(public_key=key)).public_key == public_line(key)


def test_the_bytes_inside_ssh_are_judged_like_the_line() -> None:
    line = issued()
    assert check(base64.b64decode(line.split()[1])) == check(f"{line} alice@laptop\n") == check(line)


def test_a_user_without_logins_can_log_in_nowhere() -> None:
    assert check(issued(principals=[])).principals == (NO_LOGIN,)
    assert not LOGIN.fullmatch(NO_LOGIN)


def test_openssh_finds_what_concerns_it() -> None:
    certificate = parsed(issued(permits=[*Permit]))
    assert certificate.key_id == b"alice"
    assert certificate.critical_options == {}
    assert {name for name in certificate.extensions if not name.endswith(b"@mezite.dev")} == {
        permit.encode() for permit in Permit
    }
    assert certificate.extensions[b"mezite-roles@mezite.dev"] == b'["access","ssh-production"]'
    assert certificate.valid_after == int(NOW.timestamp()) - 60


@pytest.mark.parametrize(
    "login", ["", "*", "root,bin", "-oProxyCommand=x", "a b", "näive", NO_LOGIN, "x" * 33]
)
def test_a_principal_that_is_no_login_is_refused(login: str) -> None:
    with pytest.raises(Invalid, match="is not a login"):
        issued(principals=["root", login])


def test_more_logins_than_openssh_takes_are_refused() -> None:
    issued(principals=[f"u{i}" for i in range(256)])
    with pytest.raises(TooLarge, match="257 logins"):
        issued(principals=[f"u{i}" for i in range(257)])


def test_a_login_named_twice_stands_once() -> None:
    assert check(issued(principals=["root", "root"])).principals == ("root",)


@pytest.mark.parametrize("kind", [IdentityKind.NODE, IdentityKind.HUB, IdentityKind.LOCAL])
def test_only_users_get_user_certificates(kind: IdentityKind) -> None:
    with pytest.raises(Invalid, match="gets no user certificate"):
        issued(replace(ALICE, kind=kind))


@pytest.mark.parametrize("kind", [IdentityKind.USER, IdentityKind.LOCAL])
def test_only_machines_get_host_certificates(kind: IdentityKind) -> None:
    with pytest.raises(Invalid, match="gets no host certificate"):
        hosted(replace(WEB_1, kind=kind))


# What is believed


def test_a_certificate_is_good_from_a_minute_before_until_its_end() -> None:
    certificate = issued()
    check(certificate, NOW - timedelta(seconds=60))
    check(certificate, ALICE.expires_at - timedelta(microseconds=1))
    assert flaw_of(lambda: check(certificate, NOW - timedelta(seconds=62))) is Flaw.NOT_YET
    assert flaw_of(lambda: check(certificate, ALICE.expires_at)) is Flaw.EXPIRED


def test_any_of_several_authorities_will_do() -> None:
    trusted = [public(ssh_authority("second")), public(CA)]
    assert check(issued(), trusted=trusted).identity == ALICE


def test_another_authority_is_not_trusted() -> None:
    stranger = issued(authority=ssh_authority("stranger"))
    assert flaw_of(lambda: check(stranger)) is Flaw.UNTRUSTED
    assert flaw_of(lambda: check(issued(), trusted=[])) is Flaw.UNTRUSTED


def test_an_authority_of_another_key_type_is_not_trusted() -> None:
    for authority in (ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)):
        certificate = issued(authority=authority)
        assert flaw_of(lambda certificate=certificate: check(certificate)) is Flaw.UNTRUSTED  # type: ignore[misc]


def test_a_host_certificate_is_no_user_certificate_nor_the_reverse() -> None:
    assert flaw_of(lambda: check(hosted())) is Flaw.WRONG_KIND
    assert flaw_of(lambda: host(issued())) is Flaw.WRONG_KIND
    assert flaw_of(lambda: read_user(hosted())) is Flaw.WRONG_KIND


@pytest.mark.parametrize(
    "option", [b"force-command", b"source-address", b"verify-required", b"mezite-x@mezite.dev"]
)
def test_any_critical_option_is_refused(option: bytes) -> None:
    certificate = hand_made(critical={option: b"x"})
    assert flaw_of(lambda: check(certificate)) is Flaw.CRITICAL


def test_no_principals_at_all_are_refused() -> None:
    certificate = hand_made(principals=[])
    assert flaw_of(lambda: check(certificate)) is Flaw.NAMELESS


def test_another_cluster_is_refused() -> None:
    assert flaw_of(lambda: check(issued(cluster="staging"))) is Flaw.FOREIGN


def test_a_user_certificate_that_claims_to_be_a_node_is_refused() -> None:
    certificate = hand_made(extensions={b"mezite-kind@mezite.dev": b"node"})
    assert flaw_of(lambda: check(certificate)) is Flaw.NAMELESS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            (f"mezite-{name}@mezite.dev", None)
            for name in ("kind", "id", "name", "cluster", "issued", "roles")
        ),
        ("mezite-roles@mezite.dev", b"admin"),
        ("mezite-roles@mezite.dev", b'{"admin":true}'),
        ("mezite-traits@mezite.dev", b"[" * 50_000),
        ("mezite-name@mezite.dev", b"\xff"),
        ("mezite-issued@mezite.dev", b"now"),
        ("mezite-mfa@mezite.dev", b"yes"),
    ],
)
def test_claims_that_do_not_read_are_no_identity(name: str, value: bytes | None) -> None:
    certificate = hand_made(extensions={name.encode(): value})
    assert flaw_of(lambda: check(certificate)) is Flaw.NAMELESS


def test_extensions_of_others_are_passed_over() -> None:
    certificate = hand_made(extensions={b"login@github.com": b"alice", b"mezite-later@mezite.dev": b"1"})
    assert check(certificate).identity == ALICE


@pytest.mark.parametrize("end", [2**63, 2**64 - 1])
def test_a_certificate_for_ever_is_not_read(end: int) -> None:
    certificate = hand_made(valid_before=end)
    assert flaw_of(lambda: check(certificate)) is Flaw.MALFORMED
    assert flaw_of(lambda: read_user(certificate)) is Flaw.NAMELESS


def test_a_key_that_is_not_certified_here_is_refused() -> None:
    certificate = hand_made(public_key=rsa.generate_private_key(65537, 2048).public_key())
    assert flaw_of(lambda: check(certificate)) is Flaw.MALFORMED


BLOB = base64.b64decode(issued().split()[1])


@given(st.integers(0, len(BLOB) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(at: int, flip: int) -> None:
    changed = bytearray(BLOB)
    changed[at] ^= flip
    with pytest.raises(NotLoggedIn):
        check(bytes(changed))


@given(st.integers(0, len(BLOB) - 1), st.binary(max_size=8))
def test_any_cut_or_longer_certificate_is_refused(size: int, more: bytes) -> None:
    with pytest.raises(NotLoggedIn):
        check(BLOB[:size])
    with pytest.raises(NotLoggedIn):
        check(BLOB + more + b"\0")


def test_a_signature_of_another_certificate_does_not_hold() -> None:
    other = base64.b64decode(issued(replace(ALICE, roles=("admin", "ssh-production"))).split()[1])
    assert flaw_of(lambda: check(other[:-64] + BLOB[-64:])) is Flaw.FORGED


@given(st.binary(max_size=300) | st.text(max_size=300))
def test_noise_is_refused(noise: bytes | str) -> None:
    assert flaw_of(lambda: check(noise)) is Flaw.MALFORMED


@pytest.mark.parametrize(
    "line",
    [
        public_line(KEY),
        issued() + "A" * MAX_CERT_CHARS,
        issued().replace(" ", " \x00", 1),
        issued()[:-1] + "!",
        issued() + "====",
        issued().replace("ssh-ed25519-cert", "ssh-rsa-cert"),
    ],
)
def test_lines_that_are_no_certificate_are_refused(line: str) -> None:
    assert flaw_of(lambda: check(line)) is Flaw.MALFORMED


def test_ones_own_certificate_is_read_without_trust() -> None:
    user = read_user(issued(authority=ssh_authority("stranger")))
    assert user.identity == ALICE


# Hosts


def host(certificate: str, name: str = "web-1.production", now: datetime = NOW, **changed: Any) -> Identity:
    terms: dict[str, Any] = {"trusted": [public(CA)], "cluster": CLUSTER}
    return check_host(certificate, name=name, now=now, **(terms | changed))


@pytest.mark.parametrize("name", ["web-1", "web-1.production", WEB_1.id])
def test_a_node_answers_to_its_names(name: str) -> None:
    assert host(hosted(), name) == WEB_1


@pytest.mark.parametrize("name", ["web-2", "web-1.staging", "", "web-1.production.example", "WEB-1"])
def test_a_node_answers_to_no_other_name(name: str) -> None:
    assert flaw_of(lambda: host(hosted(), name)) is Flaw.OTHER_NAME


def test_a_hub_answers_to_its_addresses() -> None:
    certificate = hosted(HUB, principals=["hub.example.com", "192.0.2.7", "2001:db8::7"])
    assert host(certificate, "2001:db8::7") == HUB


@pytest.mark.parametrize(
    "names", [[], ["*"], ["web-?"], ["*.production"], ["a,b"], ["-x"], ["!web"], ["x" * 254]]
)
def test_wildcards_and_lists_are_no_host_names(names: list[str]) -> None:
    with pytest.raises(Invalid, match="without wildcards"):
        hosted(principals=names)


def test_a_host_certificate_is_judged_by_the_same_rules() -> None:
    certificate = hosted()
    assert flaw_of(lambda: host(certificate, now=WEB_1.expires_at)) is Flaw.EXPIRED
    assert flaw_of(lambda: host(certificate, trusted=[])) is Flaw.UNTRUSTED
    assert flaw_of(lambda: host(certificate, cluster="staging")) is Flaw.FOREIGN
    optional = hand_made(like=certificate, critical={b"x": b"y"})
    assert flaw_of(lambda: host(optional)) is Flaw.CRITICAL


def test_a_refusal_quotes_nothing_of_the_certificate() -> None:
    with pytest.raises(MeziteError) as refused:
        check(hand_made(principals=[b"\x1b[2J"], extensions={b"mezite-name@mezite.dev": b"\x1b[2J\xff"}))
    assert str(refused.value).isprintable()
