"""`msh enrol`: the first password, by a one-time token from an administrator."""

from __future__ import annotations

import click

from mezite.cli import prompts
from mezite.cli.flags import example
from mezite.cli.msh.here import ca_pin_option, password_stdin_option, reach
from mezite.plain import plain


@click.command(epilog=example("msh enrol --proxy=mezite.example.com:3080 --token=..."))
@click.option("--proxy", metavar="HOST:PORT", required=True, help="The hub's HTTPS address.")
@click.option("--token", metavar="TOKEN", required=True, help="The one-time token you were given.")
@password_stdin_option
@ca_pin_option
def enrol(proxy: str, token: str, password_stdin: bool, ca_pins: tuple[str, ...]) -> None:
    """Set your first password, or a fresh one after a reset."""
    from mezite.client.login import enrol as set_password
    from mezite.client.profiles import Profiles

    contact, _ = reach(Profiles(), proxy, ca_pins)
    fresh = prompts.secret("New password", from_stdin=password_stdin, twice=True)
    user = plain(set_password(contact, token, fresh))
    click.echo(f"The password of {user} is set.")
    click.echo(f"Log in with: msh login --proxy={contact.hub.proxy} --user={user}")
