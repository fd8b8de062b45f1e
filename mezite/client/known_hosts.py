"""`@cert-authority` lines for OpenSSH: whose signature makes a node's host key good, and for which names.

A cluster vouches for the names that end in its own. Bare names (`web-server-01`) belong to the active
profile alone: with two clusters known, one must not be able to pose as a node of the other.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from mezite.client.profile import KnownHub, Profile

_HEADER: Final = "# Written by msh at every login; changes made here are lost.\n"


def authority_lines(hub: KnownHub, *, bare_names: bool) -> str:
    """One line for each host authority of `hub`."""
    own = f"*.{hub.cluster},*.{hub.cluster}.mezite"
    patterns = f"*,{own}" if bare_names else own
    return "".join(f"@cert-authority {patterns} {key}\n" for key in hub.host_authorities)


def known_hosts(profiles: Iterable[Profile], active: str | None) -> str:
    """The whole file."""
    return _HEADER + "".join(
        authority_lines(profile.hub, bare_names=profile.name == active) for profile in profiles
    )
