"""The kinds of value a setting can have: for each, how it is written, read and shown.

A value arrives as text, or as several texts (a YAML list; in the environment commas part them), so that
the file and the environment mean the same by the same words. A parser raises `Unfit`, or any ValueError,
and changes nothing; `load` turns that into a line that names key, value and `wants`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Final, Generic, TypeVar
from urllib.parse import urlsplit

from mezite import durations, ids
from mezite.config.address import Address
from mezite.config.secret import MASK, Secret
from mezite.errors import Invalid

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Raw = str | tuple[str, ...]
Network = IPv4Network | IPv6Network

MAX_TEXT: Final = 4096
MAX_ITEMS: Final = 256


class Unfit(ValueError):
    """Not a value of this kind; `part` is the offending piece when only one piece of a list is."""

    def __init__(self, part: str | None = None) -> None:
        super().__init__("unfit")
        self.part = part


@dataclass(frozen=True, slots=True)
class Kind(Generic[T]):
    """`wants` completes the sentence "... is not ...", and is the documentation of the kind."""

    wants: str
    parse: Callable[[Raw], T]
    show: Callable[[T], str] = str
    secret: bool = False


def scalar(wants: str, parse: Callable[[str], T], *, show: Callable[[T], str] = str) -> Kind[T]:
    """One value, from one bounded line of printable text."""

    def parse_one(raw: Raw) -> T:
        if not isinstance(raw, str) or not 0 < len(raw) <= MAX_TEXT or not raw.isprintable():
            raise Unfit
        try:
            return parse(raw)
        except Invalid as error:
            raise Unfit from error

    return Kind(wants, parse_one, show)


def several(wants: str, item: Kind[T]) -> Kind[tuple[T, ...]]:
    """Any number of values of one kind; the refusal names the piece that does not fit."""

    def parse_all(raw: Raw) -> tuple[T, ...]:
        found: list[T] = []
        for part in _pieces(raw):
            try:
                found.append(item.parse(part))
            except ValueError as error:
                raise Unfit(part) from error
        return tuple(found)

    return Kind(wants, parse_all, lambda values: ",".join(map(item.show, values)))


def choice(of: type[E]) -> Kind[E]:
    return scalar(f"one of {', '.join(of)}", of)


def _pieces(raw: Raw) -> tuple[str, ...]:
    if isinstance(raw, str):
        raw = tuple(piece.strip() for piece in raw.split(",")) if raw.strip() else ()
    if len(raw) > MAX_ITEMS:
        raise Unfit
    return raw


_BOOLEANS: Final = dict.fromkeys(("true", "yes", "on", "1"), True) | dict.fromkeys(
    ("false", "no", "off", "0"), False
)


def _boolean(text: str) -> bool:
    try:
        return _BOOLEANS[text.lower()]
    except KeyError:
        raise Unfit from None


def _reachable(default_port: int | None) -> Callable[[str], Address]:
    def parse(text: str) -> Address:
        address = Address.parse(text, default_port=default_port)
        if not address.host or not address.port:
            raise Unfit
        return address

    return parse


def reachable(default_port: int) -> Kind[Address]:
    """Where others reach something: a host is needed, and a port that is not 0."""
    return scalar(
        f"an address; write host:port, host (port {default_port}) or [::1]:port", _reachable(default_port)
    )


def _network_or_host(text: str) -> Network | str:
    try:
        return ip_network(text)
    except ValueError:
        return Address.parse(f"{text}:1").host


def _http_url(text: str) -> str:
    parts = urlsplit(text)
    if (
        parts.scheme not in ("http", "https")
        or not parts.hostname
        or parts.username
        or parts.query
        or parts.fragment
    ):
        raise Unfit
    return text


def _absolute(text: str) -> Path:
    path = Path(text)
    if not path.is_absolute():
        raise Unfit
    return path


def _mail(text: str) -> str:
    name, at, host = text.rpartition("@")
    if not at or not name or " " in text or not Address.parse(host, default_port=25).host:
        raise Unfit
    return text


def _postgres_url(text: str) -> None:
    # The scheme alone: the driver judges the rest, and a message here could show the password.
    if urlsplit(text).scheme not in ("postgres", "postgresql"):
        raise Unfit


def _port(text: str) -> int:
    port = int(text)
    if not 0 < port <= 65535:
        raise Unfit
    return port


_PIN: Final = re.compile(r"sha256:[0-9a-f]{64}")


def _pin(text: str) -> str:
    if not _PIN.fullmatch(text.lower()):
        raise Unfit
    return text.lower()


_MAX_LABELS: Final = 64
_MAX_LABEL_VALUE: Final = 255


def _labels(raw: Raw) -> Mapping[str, str]:
    found: dict[str, str] = {}
    for piece in _pieces(raw):
        name, equals, value = piece.partition("=")
        if not equals or not ids.LABEL_KEY.fullmatch(name) or name in found:
            raise Unfit(piece)
        if len(value) > _MAX_LABEL_VALUE or not value.isprintable():
            raise Unfit(piece)
        found[name] = value
    if len(found) > _MAX_LABELS:
        raise Unfit
    return found


def _secret(check: Callable[[str], object]) -> Callable[[Raw], Secret]:
    def parse(raw: Raw) -> Secret:
        if not isinstance(raw, str) or not 0 < len(raw) <= MAX_TEXT:
            raise Unfit
        check(raw)
        return Secret(raw)

    return parse


def secret(wants: str, check: Callable[[str], object] = bool) -> Kind[Secret]:
    return Kind(wants, _secret(check), lambda _: MASK, secret=True)


TEXT: Final = scalar("one line of text", str)
BOOLEAN: Final = scalar("true or false", _boolean, show=lambda value: str(value).lower())
PORT: Final = scalar("a port, 1 to 65535", _port)
DURATION: Final = scalar("a duration; write 30m, 4h, 1h30m or 2d", durations.parse, show=durations.show)
PATH: Final = scalar("an absolute path", _absolute)
LISTEN: Final = scalar("an address to listen on; write host:port, :port or [::1]:port", Address.parse)
NETWORK: Final = scalar("a CIDR block or a host name", _network_or_host)
NETWORKS: Final = several("a list of CIDR blocks and host names", NETWORK)
HTTP_URL: Final = scalar("a URL; write https://host[:port][/path] without credentials", _http_url)
MAIL: Final = scalar("a mail address", _mail)
PINS: Final = several("a list of CA pins; write sha256: and 64 hex digits", scalar("a CA pin", _pin))
LABELS: Final = Kind(
    "a list of labels; write key=value,key=value",
    _labels,
    lambda labels: ",".join(f"{name}={value}" for name, value in labels.items()),
)
CLUSTER: Final = scalar(
    "a cluster name; use 1 to 63 of a-z 0-9 -, beginning with a letter or digit", ids.cluster_name
)
NODE: Final = scalar("a node name; use 1 to 63 of a-z 0-9 -, beginning with a letter or digit", ids.node_name)
SECRET: Final = secret("a text of 1 to 4096 characters")
DATABASE_URL: Final = secret("a database address; write postgresql://user@host:port/name", _postgres_url)
