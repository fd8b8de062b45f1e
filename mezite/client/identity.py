"""Who `mezctl` acts as. The first that applies, and no other:

1. `MEZITE_AUTH_TOKEN`: the user who made that token.
2. The active profile with a login. One that has run out is an error, never a reason to become somebody else.
3. The admin socket of the hub on this machine: the OS user, who administers but never votes.

`--local` takes the third at once.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from mezite.client.profile import Pass
from mezite.client.profiles import Profiles
from mezite.errors import NotLoggedIn, Unavailable

DATA_DIR: Final = Path("/var/lib/mezite")
"""Where a hub keeps its data unless its settings say otherwise."""


@dataclass(frozen=True, slots=True)
class Acting:
    """Where to look for an identity, said once at the top of the command line."""

    profiles: Profiles
    data_dir: Path
    local: bool = False
    environ: Mapping[str, str] | None = None


def find(acting: Acting, now: datetime) -> Pass:
    """The pass to dial with; raises `NotLoggedIn` when there is none, or it has run out."""
    environ = os.environ if acting.environ is None else acting.environ
    if acting.local:
        return _local(acting.data_dir)
    if token := environ.get("MEZITE_AUTH_TOKEN"):
        return by_token(token)
    profile = acting.profiles.active()
    if profile is None or profile.login is None:
        return _local_or_nobody(acting.data_dir)
    if not profile.login.valid(now):
        raise expired(profile.hub.proxy, profile.login.user)
    return profile.as_pass()


def expired(proxy: str, user: str) -> NotLoggedIn:
    return NotLoggedIn(f"the login has run out; run: msh login --proxy={proxy} --user={user}", code="expired")


def by_token(text: str) -> Pass:
    """Exchanges an access token at the hub that it names, which must have the authority that it names."""
    from mezite.client import access_token
    from mezite.client.contact import meet, parse_proxy
    from mezite.client.login import exchange

    token = access_token.parse(text)
    contact = meet(parse_proxy(token.web_addr), None, pins=(token.ca_pin,), consent=_nobody_to_ask)
    return exchange(contact, text.strip())


def _nobody_to_ask(cluster: str, pins: tuple[str, ...]) -> bool:
    return False


def _local(data_dir: Path) -> Pass:
    from mezite.client.local import admit

    return admit(data_dir)


def _local_or_nobody(data_dir: Path) -> Pass:
    """Who has not asked for the socket is told of logging in, where there is none."""
    from mezite.client.local import NO_HUB

    try:
        return _local(data_dir)
    except Unavailable as error:
        if error.code != NO_HUB:
            raise
    raise NotLoggedIn(
        f"not logged in, and no hub is here at {data_dir}; run: msh login --proxy=HOST:3080 --user=NAME"
    )
