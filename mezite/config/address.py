"""Network addresses as people write them: `host:port`, `:3025`, `[::1]:3025`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from typing import Final

_LABEL: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)")
_MAX_NAME: Final = 253
_PORT: Final = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True, slots=True)
class Address:
    """`host` is a name or a bare IP address, or empty for every local address. Port 0 takes a free one."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str, *, default_port: int | None = None) -> Address:
        """Raises ValueError when `text` is no address, or lacks a port and there is no default."""
        host, port = _split(text.strip())
        if port is None:
            if default_port is None or not host:
                raise ValueError("no port")
            return cls(_checked_host(host), default_port)
        if not _PORT.fullmatch(port) or int(port) > 65535:
            raise ValueError("no port")
        return cls(_checked_host(host), int(port))

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def _split(text: str) -> tuple[str, str | None]:
    if text.startswith("["):
        host, closed, rest = text[1:].partition("]")
        if not closed or not isinstance(ip_address(host), IPv6Address):
            raise ValueError("no IPv6 address in brackets")
        if rest and not rest.startswith(":"):
            raise ValueError("no port after the bracket")
        return host, rest[1:] if rest else None
    if text.count(":") > 1:
        raise ValueError("an IPv6 address is written in brackets")
    host, colon, port = text.partition(":")
    return host, port if colon else None


def _checked_host(host: str) -> str:
    if not host:
        return host
    if ":" in host or _all_numeric(host):
        return str(ip_address(host))
    if len(host) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in host.rstrip(".").split(".")):
        raise ValueError("no host name")
    return host


def _all_numeric(host: str) -> bool:
    return all(label.isdigit() for label in host.split("."))
