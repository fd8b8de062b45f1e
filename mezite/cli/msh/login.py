"""`msh login`: a password, and a code where one is enrolled, for certificates that end."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from mezite.cli import prompts
from mezite.cli.flags import DURATION, example, formatted
from mezite.cli.msh.here import ca_pin_option, now, otp_option, password_stdin_option, reach, with_code
from mezite.cli.output import Form

if TYPE_CHECKING:
    from mezite.client.profile import Profile
    from mezite.client.profiles import Profiles


@click.command(
    epilog=example(
        "msh login --proxy=mezite.example.com:3080 --user=alice",
        "msh login --proxy=hub:3080 --user=ci --ca-pin=sha256:4f0c... --password-stdin < secret",
    )
)
@click.option("--proxy", metavar="HOST:PORT", help="The hub's HTTPS address. [default: the active one]")
@click.option("--user", metavar="NAME", help="Your name in Mezite. [default: as last time]")
@click.option("--ttl", type=DURATION, metavar="D", help="How long the login is to last, such as 8h.")
@otp_option
@password_stdin_option
@ca_pin_option
@formatted
def login(
    proxy: str | None,
    user: str | None,
    ttl: timedelta | None,
    otp: str | None,
    password_stdin: bool,
    ca_pins: tuple[str, ...],
    form: Form,
) -> None:
    """Log in to a hub and make it the active one.

    The first time, the hub's CA pin is shown and has to be agreed to, or given with --ca-pin.
    """
    from mezite.cli.msh.status import show_login
    from mezite.client.login import Password, log_in
    from mezite.client.profiles import Profiles

    profiles = Profiles()
    contact, known = reach(profiles, proxy or _last_proxy(profiles), ca_pins)
    name = user or _last_user(known)
    password = prompts.secret(f"Password of {name}", from_stdin=password_stdin)
    profile = with_code(lambda code: log_in(contact, Password(name, password, code), ttl, now()), otp)
    profiles.save(profile)
    show_login(profile, profiles.path(profile), form)


def _last_proxy(profiles: Profiles) -> str:
    profile = profiles.active()
    if profile is None:
        raise click.UsageError("which hub? give --proxy=HOST:PORT")
    return profile.hub.proxy


def _last_user(known: Profile | None) -> str:
    if known and known.login:
        return known.login.user
    from getpass import getuser

    return prompts.answer("User name", getuser(), "--user")
