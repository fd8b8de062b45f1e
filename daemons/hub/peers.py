"""From where somebody calls, in the one form that logs, limits and people see."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address


def plain(address: str) -> str:
    """The address without what a dual-stack socket adds (`::ffff:192.0.2.7`); empty if it is none."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
