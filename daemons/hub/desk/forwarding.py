"""Forwarded channels: where a user's connection may lead beyond its node. Pure.

1. Whether ports may be forwarded, and whereto, is a matter of all roles held; agent and X11 forwarding are
   one of the roles that let the session in.
2. A target is `host:port`, judged by the name as asked and by the address it was resolved to, which is the
   one that will be dialled; or `unix:/path`, which nothing but such a target allows where targets are named.
   Who answers for a name must not lead a forward to the node's own services: a name that leads to the node
   itself or its link reaches nothing, unless a target has that address.
3. A session that others must watch forwards nothing: they could not see it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final

from mezite.api.tunnel.orders import Ask
from mezite.predicate.patterns import PatternSet, is_plain
from mezite.rbac.options import Terms

_UNIX_TARGET: Final = "unix:"
_LOCAL: Final = "localhost"
_ADDRESS: Final = re.compile(r"[0-9.*?]*[0-9][0-9.*?]*|\[.*\]")
"""The host of a target that is an address, or a glob over addresses."""


def target(question: Ask) -> str:
    """What was asked for, as the log says it."""
    match question.what:
        case "unix":
            return f"unix:{question.host}"
        case "agent" | "x11":
            return question.what
        case _:
            return _host_port(question.host or question.address, question.port)


def refusal(question: Ask, here: Terms, held: Terms) -> str | None:
    """Why not; None when it may. `here` are the terms of the session, `held` those of all roles."""
    if here.require_session_join:
        return "a session that others must attend forwards nothing"
    match question.what:
        case "agent":
            return None if here.agent_forwarding else "no role of yours lets this session forward the agent"
        case "x11":
            return None if here.x11_forwarding else "no role of yours lets this session forward X11"
        case "direct" | "remote" | "unix":
            return _port_refusal(question, held)
    return "this kind of forwarding is not known here"


def _port_refusal(question: Ask, held: Terms) -> str | None:
    if not held.port_forwarding:
        return "no role of yours forwards ports"
    if not held.port_forwarding_targets:
        return None
    if _is_allowed(question, held.port_forwarding_targets):
        return None
    return f"no role of yours forwards to {target(question)}"


def _is_allowed(question: Ask, targets: Iterable[str]) -> bool:
    # `*:*` is every host and port, and no path.
    paths, ports = _parted(targets)
    match question.what:
        case "unix":
            return bool(PatternSet(paths).matches(target(question)))
        case "remote":
            # What is asked for is where to listen; the node listens on loopback whatever that is.
            allowed, hosts = PatternSet(ports), (question.host, question.address)
            return any(allowed.matches(_host_port(host, question.port)) for host in hosts if host)
        case _:
            return _leads_there(question, ports)


def _parted(targets: Iterable[str]) -> tuple[list[str], list[str]]:
    """Those that are paths, and those that are ports."""
    paths, ports = list[str](), list[str]()
    for each in targets:
        (paths if each.startswith(_UNIX_TARGET) else ports).append(each)
    return paths, ports


def _leads_there(question: Ask, targets: list[str]) -> bool:
    """Rule 2. Before the name is resolved there is no address, and only names can say yes."""
    host, address = question.host or question.address, question.address
    led_to = address or (host if _parsed(host) else "")
    by_address = PatternSet(each for each in targets if _ADDRESS.fullmatch(_host(each)))
    if led_to and by_address.matches(_host_port(led_to, question.port)):
        return True
    # `10.*` is no name that somebody may own: `10.example.com`.
    by_name = PatternSet(_within_labels(each) for each in targets if not _ADDRESS.fullmatch(_host(each)))
    if not by_name.matches(_host_port(host, question.port)):
        return False
    return not address or _is_meant(host, address)


def _is_meant(host: str, address: str) -> bool:
    """Whether who asked for this host can have meant this address."""
    found = _parsed(address)
    if found is None:
        return False
    plain = (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found
    if not (plain.is_loopback or plain.is_link_local or plain.is_unspecified):
        return True
    return _parsed(host) == found or (host == _LOCAL and plain.is_loopback)


def _parsed(address: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(address)
    except ValueError:
        return None


def _within_labels(pattern: str) -> str:
    """A glob over names whose wildcards stop at a dot: `db-*` must not be `db-1.of.somebody.else`."""
    host, _, port = pattern.rpartition(":")
    if pattern.startswith("^") or host == "*" or is_plain(host):
        return pattern
    return f"^{_as_regex(host, '[^.]')}:{_as_regex(port, '.')}$"


def _as_regex(glob: str, any_letter: str) -> str:
    pieces = {"*": f"{any_letter}*", "?": any_letter}
    return "".join(pieces.get(letter) or re.escape(letter) for letter in glob)


def _host(pattern: str) -> str:
    return pattern.rpartition(":")[0]


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
