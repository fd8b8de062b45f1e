"""`msh logout`: removes keys and certificates from this machine."""

from __future__ import annotations

import click

from mezite.cli.flags import example


@click.command(epilog=example("msh logout", "msh logout --all"))
@click.option("--proxy", metavar="HOST:PORT", help="Where to log out. [default: the active profile]")
@click.option("--all", "everywhere", is_flag=True, help="Log out of every profile.")
def logout(proxy: str | None, everywhere: bool) -> None:
    """Remove your keys and certificates from this machine.

    The hub stays known, so the next login asks for no CA pin.
    """
    from mezite.client.profiles import Profiles
    from mezite.plain import plain

    profiles = Profiles()
    names = profiles.names() if everywhere else (_chosen(profiles.current(), proxy),)
    for name in names:
        profile = profiles.forget_login(name)
        if profile and profile.login:
            click.echo(f"Logged out of {plain(profile.hub.proxy)}.")
        elif not everywhere:
            click.echo("Not logged in.")


def _chosen(current: str | None, proxy: str | None) -> str:
    from mezite.client.contact import parse_proxy

    if proxy:
        return str(parse_proxy(proxy))
    return current or ""
