from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.hub.proxy.plain import SENTENCE, farewell
from daemons.hub.proxy.sniff import Greeting, greeting


@pytest.mark.parametrize(
    ("first", "which"),
    [
        (b"\x16\x03\x01\x02", Greeting.TLS),
        (b"\x16\x03", Greeting.TLS),
        (b"SSH-", Greeting.SSH),
        (b"SSH-2.0-OpenSSH_9.2", Greeting.SSH),
        (b"", Greeting.SSH),
        (b"SSH", Greeting.NEITHER),
        (b"GET ", Greeting.NEITHER),
        (b"\x15\x03\x01\x00", Greeting.NEITHER),
        (b"\x16", Greeting.NEITHER),
        (b"\x16\x02\x00\x00", Greeting.NEITHER),
    ],
)
def test_the_first_bytes_tell(first: bytes, which: Greeting) -> None:
    assert greeting(first) is which


@given(st.binary(max_size=8))
def test_whatever_comes_is_one_of_three(first: bytes) -> None:
    assert greeting(first) in Greeting


@given(st.text(max_size=300))
def test_a_farewell_is_one_whole_packet(text: str) -> None:
    """RFC 4253, 6: length, padding of at least four bytes, together a multiple of eight."""
    said = text.encode("utf-8", "replace").decode()
    banner, _, packet = farewell(said).partition(b"\r\n")
    assert banner == b"SSH-2.0-mezite"
    length, padding = struct.unpack_from(">IB", packet)
    assert len(packet) == 4 + length
    assert len(packet) % 8 == 0
    assert padding >= 4
    payload = packet[5 : len(packet) - padding]
    kind, reason, size = struct.unpack_from(">BII", payload)
    assert (kind, reason) == (1, 11)
    assert payload[9 : 9 + size].decode() == said


def test_it_says_how_to_come_in() -> None:
    assert "msh ssh" in SENTENCE
    assert "msh config" in SENTENCE
