"""`msh status`: who one is, what one holds and until when. From the disk; a hub that is there is asked."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from mezite.cli.flags import example, formatted
from mezite.cli.msh.here import not_logged_in, now
from mezite.cli.output import Form, cell, moment, show_data, time_or_none
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.api.generated.identity_pb2 import Me
    from mezite.client.profile import HeldRole, Login, Profile

ASK_S: Final = 3.0
"""How long a hub that does not answer may hold up a status that is on the disk anyway."""


@click.command(epilog=example("msh status", "msh status --format=json"))
@formatted
def status(form: Form) -> None:
    """Show who you are logged in as, your roles and how long they last."""
    from mezite.client.identity import expired
    from mezite.client.profiles import Profiles

    profiles = Profiles()
    profile = profiles.active()
    if profile is None or profile.login is None:
        not_logged_in(profile)
    if not profile.login.valid(now()):
        show_login(profile, profiles.path(profile), form)
        raise expired(profile.hub.proxy, profile.login.user)
    me = _ask(profile)
    show_login(profile, profiles.path(profile), form, me)
    if me is None:
        click.echo("msh: the hub cannot be reached; this is as of the login", err=True)


def show_login(profile: Profile, where: Path, form: Form, me: Me | None = None) -> None:
    """The login of `profile`; with what the hub says of it now, when it was asked."""
    assert profile.login is not None
    from mezite.client.profile import HeldRole

    login, roles, logins = profile.login, profile.login.roles, profile.login.logins
    if me is not None:
        roles = tuple(HeldRole(role.name, time_or_none(role.expires_us)) for role in me.roles)
        logins = tuple(me.logins)
    if form is Form.TEXT:
        _show_text(profile, login, roles, logins, me)
        return
    record: dict[str, object] = {
        "user": login.user,
        "user_id": login.user_id,
        "roles": [{"name": role.name, "expires_at": role.expires_at} for role in roles],
        "logins": logins,
        "cluster": profile.hub.cluster,
        "proxy": profile.hub.proxy,
        "issued_at": login.issued_at,
        "expires_at": login.expires_at,
        "mfa_enrolled": me.mfa_enrolled if me else None,
        "mfa": me.mfa if me else None,
        "hub_asked": me is not None,
        "profile": str(where),
    }
    show_data(record, form)


def _show_text(
    profile: Profile, login: Login, roles: tuple[HeldRole, ...], logins: tuple[str, ...], me: Me | None
) -> None:
    lines = {
        "User": plain(login.user),
        "Roles": ", ".join(_role(role, now()) for role in roles) or "-",
        "Logins": ", ".join(plain(name) for name in logins) or "-",
        "Cluster": cell(profile.hub.cluster),
        "Proxy": cell(profile.hub.proxy),
        "Valid until": f"{moment(login.expires_at)} [{_left(login.expires_at, now())}]",
    }
    if me is not None:
        lines["MFA"] = _mfa(me)
    for heading, text in lines.items():
        click.echo(f"{heading}: {text}")


def _role(role: HeldRole, now: datetime) -> str:
    from mezite.durations import brief

    if role.expires_at is None:
        return plain(role.name)
    return f"{plain(role.name)} (expires in {brief(role.expires_at - now)})"


def _left(ends: datetime, now: datetime) -> str:
    from mezite.durations import brief

    return f"valid for {brief(ends - now)}" if now < ends else "EXPIRED"


def _mfa(me: Me) -> str:
    if not me.mfa_enrolled:
        return "not enrolled"
    return "enrolled, proved at this login" if me.mfa else "enrolled, not proved at this login"


def _ask(profile: Profile) -> Me | None:
    """What the hub says of the login now; None when it cannot be reached. A refusal is raised."""
    from mezite.api.generated.common_pb2 import Empty
    from mezite.client.hub import Hub
    from mezite.client.methods import IDENTITY_WHO_AM_I
    from mezite.errors import Unavailable

    try:
        with Hub(profile.as_pass()) as hub:
            return hub.call(IDENTITY_WHO_AM_I, Empty(), timeout_s=ASK_S)
    except Unavailable:
        return None
