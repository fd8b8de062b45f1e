"""The quick way, against a door that speaks the shared messages over real TLS."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.api.tunnel import shapes
from mezite.api.tunnel.frames import frame
from mezite.api.tunnel.messages import Bye, Ping, Refused, decode, encode
from mezite.api.tunnel.orders import Granted as SharedGranted
from mezite.api.tunnel.orders import Open, OtpWanted
from mezite.client import dial
from mezite.client.dial import Granted, opening, understood
from mezite.client.profile import Pass
from mezite.errors import CallerError, Denied, Invalid, MeziteError, NotFound, OtpRequired, Unavailable
from tests.support.https import fresh_authority, server_pem
from tests.support.quick_way import CONNECTION, Door, door, granted, profile_at


def nobody(message: str) -> str:
    raise AssertionError(f"nobody is to be asked: {message}")


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Door]:
    with door(tmp_path) as serving:
        yield serving


def a_pass(serving: Door) -> Pass:
    return profile_at(serving).as_pass()


def connect(serving: Door, node: str = "web-1", login: str = "ubuntu") -> bytes:
    """What the node says first to who was granted, and what it heard is answered with."""
    connection, _ = dial.dial(a_pass(serving), node, login, nobody)
    with connection:
        connection.sendall(b"from the client")
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(100), b""))


def test_the_connection_goes_on_raw_from_the_first_byte(at: Door) -> None:
    def node(raw: socket.socket) -> None:
        raw.sendall(b"SSH-2.0-node\r\n")
        heard = b"".join(iter(lambda: raw.recv(100), b""))
        raw.sendall(b"heard " + heard)

    at.then = node
    assert connect(at) == b"SSH-2.0-node\r\nheard from the client"
    assert at.orders == [Open("web-1", "ubuntu")]


def test_what_was_granted_is_told_and_the_socket_is_a_plain_blocking_one(at: Door) -> None:
    connection, said = dial.dial(a_pass(at), "web-1", "ubuntu", nobody)
    with connection:
        assert type(connection) is socket.socket
        assert connection.getblocking()
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
    assert (said.node, said.cluster, said.connection_id) == ("web-1", "production", CONNECTION)


def test_a_code_is_asked_in_the_hubs_words_and_sent_on_the_same_connection(at: Door) -> None:
    at.answer = lambda order: granted(order) if order.otp == "3" else OtpWanted(f"not {order.otp!r}")
    words: list[str] = []
    codes = iter("123")

    def person(message: str) -> str:
        words.append(message)
        return next(codes)

    connection, _ = dial.dial(a_pass(at), "web-1", "ubuntu", person)
    connection.close()
    assert words == ["not ''", "not '1'", "not '2'"]
    assert [order.otp for order in at.orders] == ["", "1", "2", "3"]


def test_a_fourth_code_is_not_asked(at: Door) -> None:
    at.answer = lambda _: OtpWanted("code")
    asked: list[str] = []

    def person(message: str) -> str:
        asked.append(message)
        return "0"

    with pytest.raises(OtpRequired):
        dial.dial(a_pass(at), "web-1", "ubuntu", person)
    assert len(at.orders) == dial.TRIES + 1
    assert len(asked) == dial.TRIES


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("not_found", NotFound),
        ("denied", Denied),
        ("unavailable", Unavailable),
        ("a_code_of_tomorrow", CallerError),
    ],
)
def test_a_refusal_is_the_error_it_was_at_the_hub(at: Door, code: str, kind: type[MeziteError]) -> None:
    at.answer = lambda _: Refused(code, "no such node you may see; `msh ls` lists them")
    with pytest.raises(kind) as refused:
        connect(at)
    assert type(refused.value) is kind
    assert refused.value.code == code
    assert refused.value.message == "no such node you may see; `msh ls` lists them"


def test_a_hub_of_another_authority_gets_no_order(tmp_path: Path) -> None:
    with door(tmp_path, fresh_authority("somebody else")) as other, pytest.raises(CallerError) as refused:
        connect(other)
    assert refused.value.code == "untrusted_hub"
    assert other.orders == []


def test_a_hub_of_another_name_gets_no_order(tmp_path: Path) -> None:
    with door(tmp_path, cluster="staging") as other, pytest.raises(CallerError) as refused:
        connect(other)
    assert refused.value.code == "untrusted_hub"
    assert other.orders == []


def test_a_certificate_that_is_not_accepted_is_said(at: Door) -> None:
    other = profile_at(at)
    authority = fresh_authority("somebody else")
    key, certificate = server_pem(authority, "production")
    good = other.as_pass()
    bad = Pass(good.hub, certificate.decode(), key.decode(), good.expires_at)
    with pytest.raises(MeziteError, match="does not accept your certificate"):
        dial.dial(bad, "web-1", "", nobody)


def test_nobody_there_is_said_with_the_address(at: Door) -> None:
    who = a_pass(at)
    away = replace(who, hub=replace(who.hub, ssh_addr="127.0.0.1:1"))
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1 cannot be reached \(connection refused\)"):
        dial.dial(away, "web-1", "", nobody)


def test_a_hub_without_the_door_is_said(at: Door) -> None:
    who = a_pass(at)
    with pytest.raises(Unavailable, match="log in again"):
        dial.dial(replace(who, hub=replace(who.hub, ssh_addr=None)), "web-1", "", nobody)


def test_a_door_that_speaks_no_tls_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        serving = Door(port=listener.getsockname()[1])
        who = a_pass(serving)

        def answer() -> None:
            other, _ = listener.accept()
            with other:
                other.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")
                other.recv(4096)

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unavailable, match="does not speak as a hub does"):
            dial.dial(who, "web-1", "", nobody)
        thread.join()


def test_a_silent_hub_is_not_waited_for_for_ever(at: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def never(order: Open) -> Refused:
        done.wait(30)
        return Refused("late", "late")

    at.answer = never
    monkeypatch.setattr(dial, "ANSWER_S", 0.05)
    with pytest.raises(Unavailable, match="does not answer"):
        connect(at)
    done.set()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\0\0\0\0",
        b"\xff\xff\xff\xff",
        frame(b"not json"),
        frame(b"[]"),
        frame(b"{}"),
        frame(b'{"type":"granted"}'),
        frame(b'{"type":"granted","connection_id":1,"node":"a","cluster":"b","node_id":"c"}'),
        frame(b"[" * 60_000),
        frame(encode(Ping(1))),
        frame(encode(Bye("later"))),
    ],
)
def test_an_answer_that_is_none_is_one_line(at: Door, sent: bytes) -> None:
    at.bytes_of_tls = sent
    with pytest.raises((Invalid, Unavailable)) as refused:
        connect(at)
    assert "\n" not in refused.value.message


def test_the_handwritten_version_is_the_shared_one() -> None:
    assert dial.VERSION == shapes.VERSION


@given(node=st.text(min_size=1, max_size=60), login=st.text(max_size=32), code=st.text(max_size=16))
def test_the_handwritten_order_reads_as_the_shared_message(node: str, login: str, code: str) -> None:
    if any("\ud800" <= letter <= "\udfff" for letter in node + login + code):
        return
    assert decode(opening(node, login, code)) == Open(node, login, code)


@given(names=st.lists(st.text(min_size=1, max_size=40), min_size=3, max_size=6))
def test_the_shared_answers_read_by_hand(names: list[str]) -> None:
    node, cluster, node_id, *logins = names
    told = SharedGranted(CONNECTION, node, cluster, node_id, tuple(logins))
    assert understood(encode(told)) == Granted(CONNECTION, node, cluster, node_id, tuple(logins))
    wanted = understood(encode(OtpWanted(node)))
    assert isinstance(wanted, OtpRequired)
    assert wanted.message == node
    with pytest.raises(MeziteError) as refused:
        understood(encode(Refused("denied", node)))
    assert (type(refused.value), refused.value.message) == (Denied, node)


def test_a_field_of_tomorrow_is_passed_over() -> None:
    told = json.loads(encode(SharedGranted(CONNECTION, "a", "b", "c")))
    assert understood(json.dumps({**told, "further": [1]}).encode()) == Granted(CONNECTION, "a", "b", "c", ())


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_an_error_of_ours(payload: bytes) -> None:
    with pytest.raises(MeziteError):
        understood(payload)
