from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.config import Address


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("mezite.example.com:3025", "mezite.example.com", 3025),
        (":3025", "", 3025),
        ("127.0.0.1:0", "127.0.0.1", 0),
        ("[::1]:3025", "::1", 3025),
        ("[fe80::1]:65535", "fe80::1", 65535),
        (" localhost:80 ", "localhost", 80),
        ("web_1:22", "web_1", 22),
    ],
)
def test_it_is_read_as_people_write_it(text: str, host: str, port: int) -> None:
    address = Address.parse(text)
    assert address == Address(host, port)
    assert str(address) == text.strip()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "host",
        "host:",
        "host:http",
        "host:65536",
        "host:-1",
        "host:+1",
        "host:٣",
        "host:1:2",
        "::1:3025",
        "[::1]",
        "[::1]3025",
        "[::1",
        "[127.0.0.1]:3025",
        "300.1.1.1:1",
        "1:2",
        "-host:1",
        "ho st:1",
        "host\n:1",
        "host..x:1",
        "*:3025",
        "https://host:1",
        "a" * 64 + ":1",
        "a." * 127 + "a:1",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # the caller words the refusal
        Address.parse(text)


def test_a_default_port_stands_in_for_a_missing_one_only() -> None:
    assert Address.parse("host", default_port=3080) == Address("host", 3080)
    assert Address.parse("[::1]", default_port=3080) == Address("::1", 3080)
    assert Address.parse("host:1", default_port=3080) == Address("host", 1)
    with pytest.raises(ValueError, match="no port"):
        Address.parse("host:", default_port=3080)
    with pytest.raises(ValueError, match="no port"):
        Address.parse("", default_port=3080)


@given(st.ip_addresses().map(str) | st.just(""), st.integers(0, 65535))
def test_what_is_shown_is_read_back_as_the_same(host: str, port: int) -> None:
    address = Address(host, port)
    assert Address.parse(str(address)) == address


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        address = Address.parse(text)
    except ValueError:
        return
    assert Address.parse(str(address)) == address
