from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.api.tunnel.frames import MAX_PAYLOAD
from mezite.api.tunnel.messages import (
    AnyMessage,
    Bye,
    Join,
    Ping,
    check_version,
    decode,
    encode,
    sentence,
)
from mezite.api.tunnel.shapes import MAX_LABELS, VERSION
from mezite.errors import Invalid, MeziteError
from tests.support.tunnel import EVERY, JOIN


def test_the_list_of_every_message_is_whole() -> None:
    assert {type(message) for message in EVERY} == set(get_args(AnyMessage))


@pytest.mark.parametrize("message", EVERY, ids=lambda message: type(message).__name__)
def test_a_message_comes_back_as_it_was(message: AnyMessage) -> None:
    assert decode(encode(message)) == message


def test_a_join_on_the_wire() -> None:
    assert json.loads(encode(JOIN)) == {
        "type": "join",
        "version": VERSION,
        "token_id": "tok_a1b2c3d4e5f6",
        "nonce": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
        "name": "web-1",
        "labels": {"env": "production"},
        "agent_version": "0.1.0",
        "ssh_public_key": "ssh-ed25519 AAAA",
        "tls_public_key": "c3BraQ==",
        "former_certificate": "",
    }


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert decode(b'{"type":"ping","number":1,"colour":{"deep":[1]}}') == Ping(number=1)


def changed(**fields: Any) -> bytes:
    return json.dumps({**json.loads(encode(JOIN)), **fields}).encode()


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"type":"order66"}',
        b'{"type":"ping"}',
        b'{"type":"ping","number":-1}',
        b'{"type":"ping","number":1e400}',
        b'{"type":"ping","number":"1"}',
        b'{"type":"bye","reason":"\xff"}',
        b'{"type":"ping","number":1} trailing',
        b"[" * 60_000,
        b'{"type":"ping","number":1,"x":' + b"[" * 60_000,
        changed(nonce="AAEC"),
        changed(nonce="not base64!"),
        changed(name=""),
        changed(name="x" * 129),
        changed(version="1"),
        changed(labels={f"k{number}": "v" for number in range(MAX_LABELS + 1)}),
        changed(labels={"k": "v" * 256}),
        changed(labels={"k" * 64: "v"}),
        changed(labels={"k": 1}),
        changed(tls_public_key=""),
    ],
    ids=lambda payload: payload[:40].decode(errors="replace"),
)
def test_what_is_no_message_within_bounds_is_refused(payload: bytes) -> None:
    with pytest.raises(Invalid) as refusal:
        decode(payload)
    assert refusal.value.code == "bad_message"
    assert str(refusal.value) == "a message that this version does not understand"


@given(
    st.one_of(
        st.binary(max_size=400),
        st.recursive(st.none() | st.text(), st.lists).map(lambda v: json.dumps(v).encode()),
    )
)
def test_whatever_comes_the_answer_is_a_message_or_a_typed_refusal(payload: bytes) -> None:
    try:
        message = decode(payload)
    except MeziteError:
        return
    assert decode(encode(message)) == message


@given(base=st.sampled_from(EVERY), at=st.integers(0), byte=st.integers(0, 255))
def test_a_message_with_one_byte_changed_never_surprises(base: AnyMessage, at: int, byte: int) -> None:
    payload = bytearray(encode(base))
    payload[at % len(payload)] = byte
    try:
        decode(bytes(payload))
    except MeziteError as error:
        assert isinstance(error, Invalid)


def test_the_greatest_join_fits_a_frame() -> None:
    greatest = Join(
        token_id="\U0001f600" * 128,
        nonce=bytes(32),
        name="n" * 128,
        labels={"k" * 61 + f"{number:02}": "é" * 255 for number in range(MAX_LABELS)},
        agent_version="v" * 128,
        ssh_public_key="s" * 4096,
        tls_public_key=b"t" * 512,
        former_certificate=b"c" * 4096,
    )
    assert len(encode(greatest)) <= MAX_PAYLOAD


def test_only_the_version_that_is_spoken_here_passes() -> None:
    check_version(VERSION)
    with pytest.raises(Invalid) as refusal:
        check_version(VERSION + 1)
    assert refusal.value.code == "version"


@given(st.text())
def test_any_text_becomes_a_sentence(text: str) -> None:
    line = sentence(text)
    assert "\n" not in line
    assert decode(encode(Bye(reason=line.encode("utf-8", "replace").decode()))) is not None
