"""Our certificates before the real OpenSSH: whom sshd lets in, and what ssh takes for its host."""

from __future__ import annotations

import base64
import struct
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)

from mezite.ca import bundle, keys
from mezite.ca.ssh_certs import NO_LOGIN, Permit, issue_host, issue_user, node_principals, read_user
from mezite.ca.ssh_keys import public_line
from mezite.model.authority import Authority, AuthorityKind
from mezite.model.identity import Identity
from tests.support.authorities import ALICE, CLUSTER, WEB_1, seal
from tests.support.openssh import MISSING, Client, Sshd, keygen, me, running_sshd, write_private

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]


def _valid(identity: Identity, **changed: Any) -> Identity:
    """At this moment, since OpenSSH reads the machine's clock."""
    now = datetime.now(UTC)
    return replace(identity, **({"issued_at": now, "expires_at": now + timedelta(hours=1)} | changed))


def _private(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())


@dataclass(frozen=True)
class Stage:
    """A running node that trusts the cluster, and a place to call it from."""

    place: Path
    sshd: Sshd
    users: Authority
    user_key: Ed25519PrivateKey

    def certificate(
        self, identity: Identity | None = None, *, principals: Sequence[str] | None = None, **terms: Any
    ) -> str:
        return issue_user(
            keys.open_authority(self.users, seal()),
            identity or _valid(ALICE),
            public_key=self.user_key.public_key(),
            cluster=CLUSTER,
            principals=[me()] if principals is None else principals,
            **terms,
        )

    def call(
        self,
        certificate: str,
        *command: str,
        host: str = "web-1.production",
        flags: Sequence[str] = (),
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command on the node as `host`, with this certificate."""
        (self.place / "tried-cert.pub").write_text(f"{certificate}\n")
        client = Client(
            self.place,
            self.sshd.port,
            {
                "IdentityFile": "id",
                "CertificateFile": "tried-cert.pub",
                "UserKnownHostsFile": "known_hosts",
                "StrictHostKeyChecking": "yes",
                "HostKeyAlias": host,
            },
        )
        return client.run(*command, flags=flags)

    def lets_in(self, certificate: str) -> bool:
        answer = self.call(certificate, "echo", "in")
        assert answer.returncode == 0 or "Permission denied (publickey)" in answer.stderr, answer.stderr
        return answer.stdout == "in\n"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    place = tmp_path_factory.mktemp("openssh")
    now = datetime.now(UTC)
    users, hosts = (
        keys.new_authority(kind, id=f"ca_{kind}", now=now, seal=seal())
        for kind in (AuthorityKind.USER, AuthorityKind.HOST)
    )
    trust = bundle.of(CLUSTER, [users, hosts])
    (place / "users.pub").write_text(bundle.trusted_user_keys(trust))
    (place / "known_hosts").write_text(bundle.known_hosts(trust))
    host_key, user_key = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    write_private(place / "host", _private(host_key))
    write_private(place / "id", _private(user_key))
    host_certificate = issue_host(
        keys.open_authority(hosts, seal()),
        _valid(WEB_1),
        public_key=host_key.public_key(),
        cluster=CLUSTER,
        principals=node_principals(WEB_1.name, CLUSTER, WEB_1.id),
    )
    (place / "host-cert.pub").write_text(f"{host_certificate}\n")
    # The same authority trusted in the other way OpenSSH knows, where a certificate needs no principal.
    line = public_line(keys.open_authority(users, seal()).public_key())
    (place / "authorized_keys").write_text(f"cert-authority {line}\n")
    settings = {
        "TrustedUserCAKeys": str(place / "users.pub"),
        "HostCertificate": str(place / "host-cert.pub"),
    }
    with running_sshd(place, host_key=place / "host", settings=settings) as sshd:
        yield Stage(place, sshd, users, user_key)


# A user before sshd


def test_a_certificate_lets_its_holder_in(stage: Stage) -> None:
    assert stage.lets_in(stage.certificate())
    assert f"ID alice (serial {ALICE.serial})" in stage.sshd.said


def test_the_key_alone_does_not(stage: Stage) -> None:
    answer = Client(
        stage.place,
        stage.sshd.port,
        {"IdentityFile": "id", "UserKnownHostsFile": "known_hosts", "HostKeyAlias": "web-1.production"},
    ).run("true")
    assert answer.returncode == 255
    assert "Permission denied (publickey)" in answer.stderr


def test_a_certificate_that_ran_out_is_kept_out(stage: Stage) -> None:
    hours_ago = datetime.now(UTC) - timedelta(hours=2)
    ended = _valid(ALICE, issued_at=hours_ago, expires_at=hours_ago + timedelta(hours=1))
    assert not stage.lets_in(stage.certificate(ended))
    assert "expired" in stage.sshd.said


def test_a_certificate_of_later_is_kept_out(stage: Stage) -> None:
    hours_ahead = datetime.now(UTC) + timedelta(hours=2)
    later = _valid(ALICE, issued_at=hours_ahead, expires_at=hours_ahead + timedelta(hours=1))
    assert not stage.lets_in(stage.certificate(later))
    assert "not yet valid" in stage.sshd.said


def test_another_principal_is_kept_out(stage: Stage) -> None:
    assert not stage.lets_in(stage.certificate(principals=["somebody-else"]))
    assert stage.lets_in(stage.certificate(principals=["somebody-else", me()]))


def test_a_certificate_without_logins_is_good_for_none(stage: Stage) -> None:
    assert not stage.lets_in(stage.certificate(principals=[]))


def test_a_stranger_authority_is_kept_out(stage: Stage) -> None:
    stranger = keys.new_authority(AuthorityKind.USER, id="ca_x", now=datetime.now(UTC), seal=seal())
    assert not stage.lets_in(replace(stage, users=stranger).certificate())


@pytest.mark.parametrize("part", ["principal", "name", "end", "signature"])
def test_a_tampered_certificate_is_kept_out(stage: Stage, part: str) -> None:
    """ssh does not even offer it; sshd would judge it by the same code."""
    other = "z" * len(me())
    certificate = stage.certificate(principals=[other if part == "principal" else me()])
    kind, text = certificate.split()
    blob = base64.b64decode(text)
    end = int(read_user(certificate).identity.expires_at.timestamp())
    before, after = {
        "principal": (other.encode(), me().encode()),
        "name": (b"alice", b"alicf"),
        "end": (struct.pack(">Q", end), struct.pack(">Q", 2 * end)),
        "signature": (blob[-8:], bytes(8)),
    }[part]
    head, found, tail = blob.rpartition(before)
    assert found
    assert not stage.lets_in(f"{kind} {base64.b64encode(head + after + tail).decode()}")


def test_why_no_certificate_is_without_a_principal(stage: Stage) -> None:
    """Where `authorized_keys` trusts our authority, one without is good for every login; ours is for none."""
    for_all: Any = SSHCertificateBuilder().valid_for_all_principals
    without = (
        for_all()
        .public_key(stage.user_key.public_key())
        .type(SSHCertificateType.USER)
        .valid_after(0)
        .valid_before(2**62)
        .sign(keys.open_authority(stage.users, seal()))
        .public_bytes()
        .decode()
    )
    settings = {
        "AuthorizedKeysFile": str(stage.place / "authorized_keys"),
        "HostCertificate": str(stage.place / "host-cert.pub"),
    }
    with running_sshd(stage.place, host_key=stage.place / "host", settings=settings) as sshd:
        there = replace(stage, sshd=sshd)
        assert there.lets_in(without)
        assert not there.lets_in(stage.certificate(principals=[]))
        assert there.lets_in(stage.certificate())


@pytest.mark.parametrize(("permits", "answered"), [([], False), ([Permit.PORT_FORWARDING], True)])
def test_a_forward_is_opened_as_the_certificate_permits(
    stage: Stage, permits: list[Permit], answered: bool
) -> None:
    """`-W` asks for a channel to an address; the one at hand that speaks first is sshd's own."""
    certificate = stage.certificate(permits=permits)
    answer = stage.call(certificate, flags=("-W", f"127.0.0.1:{stage.sshd.port}"))
    assert answer.stdout.startswith("SSH-2.0-") == answered
    assert ("administratively prohibited" in answer.stderr) != answered


# A host before ssh


def test_ssh_takes_our_host_without_a_question(stage: Stage) -> None:
    answer = stage.call(stage.certificate(), "echo", "in")
    assert answer.stdout == "in\n"
    assert "authenticity" not in answer.stderr
    assert "Permanently added" not in answer.stderr


@pytest.mark.parametrize("host", ["web-2.production", "web-1.staging"])
def test_ssh_takes_it_under_no_other_name(stage: Stage, host: str) -> None:
    answer = stage.call(stage.certificate(), "echo", "in", host=host)
    assert answer.returncode == 255
    assert answer.stdout == ""
    assert "Host key verification failed" in answer.stderr


# What a person sees


def test_ssh_keygen_shows_what_a_certificate_says(stage: Stage) -> None:
    identity = _valid(ALICE)
    (stage.place / "shown-cert.pub").write_text(
        stage.certificate(identity, principals=["root", "alice"], permits=[Permit.PORT_FORWARDING]) + "\n"
    )
    lines = [line.strip() for line in keygen("-L", "-f", "shown-cert.pub", place=stage.place).splitlines()]
    assert "Type: ssh-ed25519-cert-v01@openssh.com user certificate" in lines
    assert 'Key ID: "alice"' in lines
    assert f"Serial: {ALICE.serial}" in lines
    assert lines[lines.index("Principals:") + 1 :][:2] == ["root", "alice"]
    assert "Critical Options: (none)" in lines
    shown = {line.split()[0] for line in lines[lines.index("Extensions:") + 1 :]}
    assert {
        "permit-pty",
        "permit-port-forwarding",
        "mezite-roles@mezite.dev",
        "mezite-id@mezite.dev",
    } <= shown
    assert "permit-user-rc" not in shown
    (valid,) = [line for line in lines if line.startswith("Valid:")]
    local = identity.expires_at.astimezone().strftime("%Y-%m-%dT%H:%M:%S")
    assert valid.endswith(f"to {local}")


def test_ssh_keygen_shows_that_nobody_may_log_in(stage: Stage) -> None:
    (stage.place / "shown-cert.pub").write_text(stage.certificate(principals=[]) + "\n")
    assert NO_LOGIN in keygen("-L", "-f", "shown-cert.pub", place=stage.place)
