"""Meeting a hub, and everything that answers like one and is none: over real TLS."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from mezite.ca.tls_authority import pin, to_pem
from mezite.client import web as web_module
from mezite.client.contact import PING, Contact, meet, parse_proxy
from mezite.client.profile import KnownHub
from mezite.client.web import Web
from mezite.config.address import Address
from mezite.errors import CallerError, Invalid, MeziteError, NotLoggedIn, OtpRequired, Throttled, Unavailable
from tests.support.https import Scripted, fresh_authority, serving

GOOD = fresh_authority("first")
PINS = (pin(GOOD.certificate),)


def never(cluster: str, pins: tuple[str, ...]) -> bool:
    raise AssertionError("nobody was to be asked")


def said(**changes: object) -> tuple[int, bytes]:
    facts: dict[str, object] = {
        "cluster": "production",
        "auth_addr": ":3025",
        "ssh_addr": None,
        "tls_authorities": to_pem(GOOD.certificate).decode(),
    }
    return 200, json.dumps(facts | changes).encode()


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Scripted]:
    with serving(tmp_path, GOOD) as script:
        script.answers[PING] = said()
        yield script


@pytest.fixture
def met(hub: Scripted) -> Contact:
    return meet(Address("127.0.0.1", hub.port), None, pins=PINS, consent=never)


def test_a_named_pin_is_enough_and_an_empty_host_is_the_one_dialled(hub: Scripted, met: Contact) -> None:
    assert met.hub == KnownHub(
        proxy=f"127.0.0.1:{hub.port}",
        cluster="production",
        auth_addr="127.0.0.1:3025",
        ssh_addr=None,
        tls_authorities=to_pem(GOOD.certificate).decode(),
    )


def test_without_a_pin_somebody_is_asked_once(hub: Scripted) -> None:
    asked = []

    def consent(cluster: str, pins: tuple[str, ...]) -> bool:
        asked.append((cluster, pins))
        return True

    met = meet(Address("127.0.0.1", hub.port), None, consent=consent)
    meet(Address("127.0.0.1", hub.port), met.hub, consent=never)
    assert asked == [("production", PINS)]


def test_a_no_sends_nothing(hub: Scripted) -> None:
    with pytest.raises(CallerError, match="not accepted"):
        meet(Address("127.0.0.1", hub.port), None, consent=lambda *_: False)
    assert hub.asked == [(PING, b"")]


def test_a_stranger_that_repeats_the_hubs_words_is_found_out(tmp_path: Path) -> None:
    """It knows the public certificate, and so the right pin, but not the key behind it."""
    with serving(tmp_path, fresh_authority("stranger")) as stranger:
        stranger.answers[PING] = said()
        with pytest.raises(CallerError, match="does not show a certificate of the hub"):
            meet(Address("127.0.0.1", stranger.port), None, pins=PINS, consent=never)
        assert stranger.asked == [(PING, b"")]


def test_a_hub_of_another_cluster_of_the_same_authority_is_refused(tmp_path: Path) -> None:
    with serving(tmp_path, GOOD, cluster="staging") as other:
        other.answers[PING] = said()
        with pytest.raises(CallerError, match="does not show a certificate"):
            meet(Address("127.0.0.1", other.port), None, pins=PINS, consent=never)


def test_a_known_hub_whose_authority_changed_is_refused(met: Contact, tmp_path: Path) -> None:
    with serving(tmp_path, fresh_authority("another")) as another:
        another.answers[PING] = said(tls_authorities=to_pem(fresh_authority("another").certificate).decode())
        with pytest.raises(CallerError, match="ask for the present pin"):
            meet(Address("127.0.0.1", another.port), met.hub, consent=never)


def test_a_known_hub_that_calls_itself_otherwise_is_refused(hub: Scripted, met: Contact) -> None:
    hub.answers[PING] = said(cluster="staging")
    with pytest.raises(CallerError, match="it is known as production"):
        meet(Address("127.0.0.1", hub.port), met.hub, consent=never)


def test_what_a_known_hub_says_does_not_change_its_authorities(hub: Scripted, met: Contact) -> None:
    hub.answers[PING] = said(tls_authorities=to_pem(fresh_authority("slipped-in").certificate).decode())
    again = meet(Address("127.0.0.1", hub.port), met.hub, consent=never)
    assert again.hub.tls_authorities == met.hub.tls_authorities


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": "UPPER"}, {"cluster": "a\nb"}, {"cluster": None}, {"auth_addr": "no address"},
        {"auth_addr": 7}, {"ssh_addr": "::::"}, {"tls_authorities": "x"}, {"tls_authorities": None},
    ],
)  # fmt: skip
def test_a_ping_that_makes_no_sense_is_one_refusal(hub: Scripted, changes: dict[str, object]) -> None:
    hub.answers[PING] = said(**changes)
    with pytest.raises(MeziteError) as refused:
        meet(Address("127.0.0.1", hub.port), None, pins=PINS, consent=never)
    assert "\n" not in refused.value.message


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"\xff", b"<html>", b"[" * 100_000])
def test_another_web_server_is_told_apart(hub: Scripted, met: Contact, body: bytes) -> None:
    hub.answers[PING] = (200, body)
    with pytest.raises(Unavailable, match="not a Mezite hub"):
        met.web.get(PING)


def test_an_answer_without_end_is_cut_off(
    hub: Scripted, met: Contact, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web_module, "MAX_ANSWER_BYTES", 1000)
    hub.answers[PING] = (200, b" " * 2000)
    with pytest.raises(Unavailable):
        met.web.get(PING)


def test_an_answer_that_stops_half_way_is_given_up(hub: Scripted, met: Contact) -> None:
    hub.hang = threading.Event()
    with pytest.raises(Unavailable, match="does not answer"):
        replace(met.web, timeout_s=0.2).get(PING)
    hub.hang.set()


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "not_logged_in", NotLoggedIn), (401, "otp_required", OtpRequired), (422, "invalid", Invalid),
        (429, "throttled", Throttled), (503, "", Unavailable), (302, "", CallerError),
    ],
)  # fmt: skip
def test_a_problem_is_raised_as_the_error_it_names(
    hub: Scripted, met: Contact, status: int, code: str, kind: type[MeziteError]
) -> None:
    hub.answers["/x"] = (status, json.dumps({"code": code, "detail": "so it is"}).encode())
    with pytest.raises(kind) as refused:
        met.web.post("/x", {"password": "hidden"})
    assert type(refused.value) is kind
    assert refused.value.message == "so it is"


def test_a_refusal_without_words_still_says_something(hub: Scripted, met: Contact) -> None:
    hub.answers["/x"] = (500, b"oops")
    with pytest.raises(MeziteError, match="HTTP 500"):
        met.web.get("/x")


def test_success_without_content_is_empty(hub: Scripted, met: Contact) -> None:
    hub.answers["/x"] = (204, b"")
    assert met.web.post("/x", {}, bearer="token") == {}


@pytest.fixture
def deaf() -> Iterator[Callable[[bytes], int]]:
    """Ports that accept and say only these bytes."""
    servers: list[socket.socket] = []

    def listen(said: bytes) -> int:
        server = socket.create_server(("127.0.0.1", 0))
        servers.append(server)

        def answer() -> None:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            with connection:
                connection.sendall(said)
                connection.recv(4096)

        threading.Thread(target=answer, daemon=True).start()
        return int(server.getsockname()[1])

    yield listen
    for server in servers:
        server.close()


def test_what_does_not_speak_https_is_told(met: Contact, deaf: Callable[[bytes], int]) -> None:
    web = Web("127.0.0.1", deaf(b"SSH-2.0-OpenSSH_9.2\r\n"), met.web.context, "hub.production.mezite")
    with pytest.raises(Unavailable, match="does not speak HTTPS"):
        web.get(PING)


def test_where_nothing_listens_is_told(met: Contact) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unavailable, match=r"nothing listens at 127\.0\.0\.1"):
        replace(met.web, port=port).get(PING)


def test_a_name_that_does_not_exist_is_told(met: Contact, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "create_connection", unknown)
    with pytest.raises(Unavailable, match=r"nowhere\.example cannot be found"):
        replace(met.web, host="nowhere.example").get(PING)


def test_a_proxy_address_has_a_default_port() -> None:
    assert str(parse_proxy("mezite.example.com")) == "mezite.example.com:3080"
    assert str(parse_proxy("[::1]:99")) == "[::1]:99"
    for wrong in ("", ":3080", "host:0", "host:99999", "a b", "https://host", "host:3080/x", "\x1b[2J"):
        with pytest.raises(Invalid) as refused:
            parse_proxy(wrong)
        assert "\x1b" not in refused.value.message
