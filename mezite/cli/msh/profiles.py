"""`msh profiles`: the hubs one knows, and which of them is meant when none is named."""

from __future__ import annotations

from datetime import datetime

import click

from mezite.cli.flags import example, formatted
from mezite.cli.msh.here import now
from mezite.cli.output import Form, show_list
from mezite.plain import plain


@click.group(epilog=example("msh profiles ls", "msh profiles use staging.example.com:3080"))
def profiles() -> None:
    """List the hubs you know, or change the active one."""


@profiles.command(epilog=example("msh profiles ls --format=json"))
@formatted
def ls(form: Form) -> None:
    """List the hubs you know."""
    from mezite.client.profiles import Profiles
    from mezite.errors import NotLoggedIn

    known = Profiles()
    current = known.current()
    records: list[dict[str, object]] = []
    for name in known.names():
        try:
            profile = known.find(name)
        except NotLoggedIn:
            records.append({"proxy": name, "active": name == current, "state": "damaged"})
            continue
        if profile is None:
            continue
        login = profile.login
        records.append(
            {
                "proxy": profile.hub.proxy,
                "cluster": profile.hub.cluster,
                "user": login.user if login else None,
                "expires_at": login.expires_at if login else None,
                "active": name == current,
                "state": _state(login.expires_at if login else None),
            }
        )
    columns = (
        ("PROXY", "proxy"), ("CLUSTER", "cluster"), ("USER", "user"), ("STATE", "state"),
        ("VALID UNTIL", "expires_at"), ("ACTIVE", "active"),
    )  # fmt: skip
    show_list(records, columns, form)


def _state(expires_at: datetime | None) -> str:
    if expires_at is None:
        return "logged out"
    return "logged in" if now() < expires_at else "expired"


def _complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from mezite.client.profiles import Profiles
    from mezite.errors import MeziteError

    try:
        known = Profiles()
        found = [known.find(name) for name in known.names()]
    except MeziteError:
        return []  # a shell that completes must not show errors
    return [profile.hub.proxy for profile in found if profile and profile.hub.proxy.startswith(incomplete)]


@profiles.command(epilog=example("msh profiles use staging.example.com:3080"))
@click.argument("proxy", shell_complete=_complete)
def use(proxy: str) -> None:
    """Make a hub the active one."""
    from mezite.client.contact import parse_proxy
    from mezite.client.profiles import Profiles

    profile = Profiles().use(str(parse_proxy(proxy)))
    click.echo(f"The active profile is {plain(profile.hub.proxy)}.")
