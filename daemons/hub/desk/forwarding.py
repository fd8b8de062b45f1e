"""Forwarded channels: where a user's connection may lead beyond its node. Pure.

1. Whether ports may be forwarded, and whereto, is a matter of all roles held; agent and X11 forwarding are
   one of the roles that let the session in.
2. A target is `host:port`, judged by the name as asked and by the address it was resolved to, which is the
   one that will be dialled; or `unix:/path`, which nothing but such a target allows where targets are named.
3. A session that others must watch forwards nothing: they could not see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mezite.api.tunnel.orders import Ask
from mezite.predicate.patterns import PatternSet
from mezite.rbac.options import Terms

UNIX: Final = "unix"
_UNIX_TARGET: Final = "unix:"


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
    # `*:*` is every host and port, and no path.
    is_unix = question.what == UNIX
    allowed = PatternSet(
        each for each in held.port_forwarding_targets if each.startswith(_UNIX_TARGET) == is_unix
    )
    if any(allowed.matches(name) for name in _names(question)):
        return None
    return f"no role of yours forwards to {target(question)}"


def _names(question: Ask) -> Iterator[str]:
    if question.what == UNIX:
        yield target(question)
        return
    for host in (question.host, question.address):
        if host:
            yield _host_port(host, question.port)


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
