"""What a person calls a node: `[login@]node`, with or without its cluster. Pure but for looking at profiles.

    web-1                   a node of the active profile
    web-1.mezite            the same
    web-1.production        a node of that cluster, whichever profile is active
    web-1.production.mezite the same
    4b5a6d8e-…              a node by its id

`mezite` as a cluster's name cannot be told from the ending; such a cluster is the active profile or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from mezite import ids
from mezite.errors import Invalid, MeziteError, NotFound
from mezite.quoting import quoted

if TYPE_CHECKING:
    from mezite.client.profile import Profile
    from mezite.client.profiles import Profiles

ENDING: Final = "mezite"


@dataclass(frozen=True, slots=True)
class Target:
    """`login` and `cluster` are empty when they were not named."""

    node: str
    login: str = ""
    cluster: str = ""


def parse(text: str) -> Target:
    """`[login@]node`."""
    login, at, host = text.rpartition("@")
    if at and not ids.LOGIN.fullmatch(login):
        raise Invalid(f"{quoted(login)} is not a login; write LOGIN@NODE")
    labels = host.lower().removesuffix(".").split(".")
    if len(labels) > 1 and labels[-1] == ENDING:
        labels.pop()
    if len(labels) > 2 or not all(ids.SLUG.fullmatch(label) for label in labels):
        raise Invalid(f"{quoted(host)} is not the name of a node; `msh ls` lists those you may reach")
    return Target(labels[0], login, labels[1] if len(labels) == 2 else "")


def parse_with_port(text: str) -> Target:
    """`%r@%h:%p`, as `ssh` fills it in. A node has one door: the port is of no matter."""
    host, colon, port = text.rpartition(":")
    return parse(host if colon and port.isdigit() else text)


def profile_for(target: Target, profiles: Profiles) -> Profile:
    """The profile whose cluster is meant; raises when no hub of that name is known."""
    active = profiles.active()
    if active is not None and target.cluster in ("", active.hub.cluster):
        return active
    if not target.cluster:
        raise _unknown("no profile is active")
    for name in profiles.names():
        try:
            profile = profiles.find(name)
        except MeziteError:
            continue  # a damaged profile must not hide the one that is meant
        if profile is not None and profile.hub.cluster == target.cluster:
            return profile
    raise _unknown(f"no cluster {quoted(target.cluster)} is known here")


def _unknown(what: str) -> NotFound:
    return NotFound(f"{what}; run: msh login --proxy=HOST:3080 --user=NAME", code="no_profile")
