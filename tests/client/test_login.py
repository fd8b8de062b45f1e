"""Answers to a login are taken whole and sound, or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from mezite.ca.tls_authority import to_pem
from mezite.client.contact import Contact
from mezite.client.login import Password, certificate_line, enrol, exchange, key_line, log_in
from mezite.client.web import Web
from mezite.errors import MeziteError, OurFault
from tests.support.authorities import tls
from tests.support.profiles import HOST_KEY, NOW, hub_at

CERTIFICATE = "ssh-ed25519-cert-v01@openssh.com AAAAIHNzaC1lZDI1NTE5LWNlcnQtdjAxQG9wZW5zc2guY29t"
ANSWER: dict[str, Any] = {
    "ssh_certificate": CERTIFICATE,
    "tls_certificate": "-----BEGIN CERTIFICATE-----\n",
    "host_authorities": [HOST_KEY],
    "tls_authorities": to_pem(tls().certificate).decode(),
    "expires_at": "2026-03-24T22:00:00Z",
    "user": "alice",
    "user_id": "usr_1",
    "roles": ["access"],
    "logins": ["alice"],
    "cluster": "production",
}


@dataclass
class Answering:
    """A door that gives one answer."""

    answer: Mapping[str, Any]
    asked: list[tuple[str, Mapping[str, object]]] = field(default_factory=list)

    def post(self, path: str, body: Mapping[str, object], *, bearer: str = "") -> dict[str, Any]:
        self.asked.append((path, body))
        return dict(self.answer)


def at(door: Answering, *, public_web: bool = False) -> Contact:
    return Contact(replace(hub_at(), public_web=public_web), cast(Web, door))


def test_a_login_takes_what_the_hub_says() -> None:
    door = Answering(ANSWER)
    profile = log_in(at(door), Password("alice", "pw", "123456"), timedelta(hours=1), NOW)
    assert profile.login
    assert (profile.login.user, profile.login.logins) == ("alice", ("alice",))
    assert profile.login.expires_at == datetime(2026, 3, 24, 22, tzinfo=UTC)
    path, body = door.asked[0]
    assert path == "/v1/webapi/login/certificates"
    assert (body["otp"], body["ttl_s"]) == ("123456", 3600)
    assert str(body["ssh_public_key"]).startswith("ssh-ed25519 ")
    assert "PRIVATE" not in str(body)


def test_each_login_has_keys_of_its_own() -> None:
    door = Answering(ANSWER)
    first, second = (log_in(at(door), Password("alice", "pw"), None, NOW).login for _ in range(2))
    assert first
    assert second
    assert first.keys.ssh_key != second.keys.ssh_key
    assert first.keys.tls_key != second.keys.tls_key
    assert "otp" not in door.asked[0][1]


@pytest.mark.parametrize("name", sorted(set(ANSWER) - {"cluster"}))
@pytest.mark.parametrize("value", [None, 7, "", [], {}, "x", [7], "2026-03-24T22:00:00", ["a\nb"]])
def test_an_answer_with_a_wrong_field_is_refused_or_harmless(name: str, value: object) -> None:
    try:
        profile = log_in(at(Answering(ANSWER | {name: value})), Password("alice", "pw"), None, NOW)
    except MeziteError as refused:
        assert "\n" not in refused.message
        return
    assert profile.login
    assert profile.hub.tls_authorities
    assert all("\n" not in line for line in profile.hub.host_authorities)


def test_a_host_authority_cannot_bring_a_second_line_along() -> None:
    for line in (f"{HOST_KEY}\n@cert-authority * {HOST_KEY}", f"{HOST_KEY}\r{HOST_KEY}", "* " + HOST_KEY, ""):
        with pytest.raises(OurFault):
            key_line(line)
    assert key_line(f"{HOST_KEY} a comment\n") == HOST_KEY


def test_a_certificate_is_one_line() -> None:
    assert certificate_line(CERTIFICATE) == CERTIFICATE + "\n"
    for wrong in ("", CERTIFICATE + "\nx", "x " + CERTIFICATE, "ssh-ed25519"):
        with pytest.raises(OurFault):
            certificate_line(wrong)


def test_a_door_of_the_public_web_does_not_replace_the_agreed_authority() -> None:
    slipped = Answering(ANSWER | {"tls_authorities": to_pem(tls("slipped-in").certificate).decode()})
    kept = log_in(at(slipped, public_web=True), Password("alice", "pw"), None, NOW)
    assert kept.hub.tls_authorities == hub_at().tls_authorities
    replaced = log_in(at(slipped), Password("alice", "pw"), None, NOW)
    assert replaced.hub.tls_authorities != hub_at().tls_authorities


def test_exchanging_and_enrolling() -> None:
    door = Answering(ANSWER)
    given = exchange(at(door), "mzt_x")
    assert door.asked[0][1]["token"] == "mzt_x"
    assert given.key not in repr(given)
    assert enrol(at(door), "mze_x", "password") == "alice"


def test_nothing_secret_is_in_a_repr() -> None:
    shown = repr(Password("alice", "hunter2", "123456"))
    assert "hunter2" not in shown
    assert "123456" not in shown
