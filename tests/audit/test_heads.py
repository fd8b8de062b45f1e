"""Heads: signed bytes nobody can shift, and one line of text there and back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from mezite.audit.chain import Head
from mezite.audit.heads import MAX_HEAD_CHARS, format_head, is_genuine, parse_head, sign_head
from mezite.errors import Invalid

NOON = datetime(2026, 3, 24, 12, 0, 0, 250, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {"ca_1": KEY.public_key().public_bytes_raw()}
UNSIGNED = Head(7, bytes(range(32)), NOON)
SIGNED = sign_head(KEY, "ca_1", UNSIGNED, NOON)

heads = st.builds(
    Head,
    seq=st.integers(1, 10**18),
    hash=st.binary(min_size=32, max_size=32),
    time=st.datetimes(timezones=st.just(UTC)),
)


@given(heads, st.booleans())
def test_a_head_comes_back_from_its_line(head: Head, signed: bool) -> None:
    head = sign_head(KEY, "ca_1", head, head.time) if signed else head
    line = format_head(head)
    assert parse_head(line) == head
    assert line.isprintable()
    assert " " not in line


def test_a_line_is_exactly_this() -> None:
    assert format_head(UNSIGNED) == f"mezite-head:7:{bytes(range(32)).hex()}:20260324T120000.000250Z::"
    assert format_head(SIGNED).startswith(format_head(UNSIGNED)[:-1] + "ca_1:")


def test_signing_dates_the_head() -> None:
    later = NOON + timedelta(minutes=5)
    head = sign_head(KEY, "ca_1", UNSIGNED, later)
    assert head.time == later
    assert (head.seq, head.hash) == (UNSIGNED.seq, UNSIGNED.hash)


def test_a_signed_head_is_genuine() -> None:
    assert is_genuine(SIGNED, KEYS)
    assert is_genuine(parse_head(f"  {format_head(SIGNED)}\n"), KEYS)


STRANGER = Ed25519PrivateKey.generate()


@pytest.mark.parametrize(
    "forged",
    [
        UNSIGNED,
        replace(SIGNED, seq=8),
        replace(SIGNED, seq=-1),
        replace(SIGNED, seq=2**64),
        replace(SIGNED, hash=bytes(32)),
        replace(SIGNED, time=NOON + timedelta(microseconds=1)),
        replace(SIGNED, key_id="ca_2"),
        replace(SIGNED, key_id=""),
        replace(SIGNED, signature=b""),
        replace(SIGNED, signature=bytes(64)),
        sign_head(STRANGER, "ca_1", UNSIGNED, NOON),
        sign_head(STRANGER, "ca_2", UNSIGNED, NOON),
    ],
)
def test_whatever_is_changed_is_not_genuine(forged: Head) -> None:
    assert not is_genuine(forged, KEYS)


def test_a_head_signed_under_another_key_id_does_not_pass() -> None:
    both = KEYS | {"ca_2": KEYS["ca_1"]}
    assert not is_genuine(replace(SIGNED, key_id="ca_2"), both)


LINE = format_head(SIGNED)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mezite-head:",
        LINE[:-1],
        LINE + "A",
        LINE[:-1] + "!",
        LINE.replace(":7:", ":07:"),
        LINE.replace(":7:", ":0:"),
        LINE.replace(":7:", ":-7:"),
        LINE.replace(":7:", f":{10**19}:"),
        LINE.replace(":7:", ":٧:"),
        LINE.replace("0001", "00A1", 1).replace("a", "A"),
        LINE.replace("20260324", "20261324"),
        LINE.replace("T120000", "T250000"),
        LINE.replace("ca_1", ""),
        LINE.replace("ca_1", "ca 1"),
        LINE.replace("mezite", "Mezite"),
        f"{LINE}\n{LINE}",
        "x" * MAX_HEAD_CHARS + LINE,
        f"mezite-head:7:{'0' * 64}:20260324T120000.000250Z:ca_1:",
        f"mezite-head:7:{'0' * 64}:20260324T120000.000250Z",
    ],
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="not a head"):
        parse_head(text)


def test_a_signature_has_one_spelling() -> None:
    """The last letter of 64 bytes in base64 holds four bits of nothing."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    neighbours = [LINE[:-1] + letter for letter in letters if letter != LINE[-1]]
    for line in neighbours:
        try:
            head = parse_head(line)
        except Invalid:
            continue
        assert head.signature != SIGNED.signature


@given(st.text(max_size=200))
def test_noise_is_refused(noise: str) -> None:
    with pytest.raises(Invalid):
        parse_head(noise)
