"""`msh mfa`: the second factor of one's own login."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import click

from mezite.cli import prompts
from mezite.cli.flags import example, formatted
from mezite.cli.msh.here import logged_in, password_stdin_option
from mezite.cli.output import Form, show_list
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.client.hub import Hub

TRIES: Final = 3
"""Mistyped codes while enrolling; the hub throttles beyond that anyway."""


@click.group(epilog=example("msh mfa add", "msh mfa ls", "msh mfa rm"))
def mfa() -> None:
    """Add, list or remove your second factor."""


@mfa.command(epilog=example("msh mfa add"))
@password_stdin_option
def add(password_stdin: bool) -> None:
    """Enrol an authenticator app.

    Shows a QR code, asks for the first code to prove that it was scanned, then shows recovery codes, once.
    """
    from mezite.api.generated.identity_pb2 import BeginTotpRequest
    from mezite.client.hub import Hub
    from mezite.client.methods import IDENTITY_BEGIN_TOTP
    from mezite.client.profiles import Profiles

    profile, login = logged_in(Profiles())
    password = prompts.secret(f"Password of {plain(login.user)}", from_stdin=password_stdin)
    with Hub(profile.as_pass()) as hub:
        secret = hub.call(IDENTITY_BEGIN_TOTP, BeginTotpRequest(password=password))
        _show_secret(secret.secret, secret.uri)
        codes = _confirm(hub)
    click.echo("The second factor is enrolled. Keep these recovery codes: each works once.")
    for code in codes:
        click.echo(f"  {plain(code)}")


@mfa.command(epilog=example("msh mfa ls --format=json"))
@formatted
def ls(form: Form) -> None:
    """List your second factors."""
    from mezite.api.generated.common_pb2 import Empty
    from mezite.client.hub import Hub
    from mezite.client.methods import IDENTITY_WHO_AM_I
    from mezite.client.profiles import Profiles

    profile, _ = logged_in(Profiles())
    with Hub(profile.as_pass()) as hub:
        me = hub.call(IDENTITY_WHO_AM_I, Empty())
    records = [{"type": "totp", "proved": me.mfa}] if me.mfa_enrolled else []
    show_list(records, (("TYPE", "type"), ("PROVED AT THIS LOGIN", "proved")), form)


@mfa.command(epilog=example("msh mfa rm --otp=123456"))
@click.option("--otp", metavar="CODE", help="One-time code of the factor, or a recovery code.")
def rm(otp: str | None) -> None:
    """Remove your second factor."""
    from mezite.api.generated.identity_pb2 import OtpCode
    from mezite.client.hub import Hub
    from mezite.client.methods import IDENTITY_REMOVE_TOTP
    from mezite.client.profiles import Profiles

    profile, _ = logged_in(Profiles())
    code = otp or prompts.one_time_code()
    with Hub(profile.as_pass()) as hub:
        hub.call(IDENTITY_REMOVE_TOTP, OtpCode(otp=code))
    click.echo("The second factor is removed.")


def _show_secret(secret: str, uri: str) -> None:
    """A QR code where it can be scanned, and the secret to type for everybody else."""
    if sys.stdout.isatty():
        import segno

        segno.make(uri, error="l", micro=False).terminal(out=sys.stdout, compact=True)
        click.echo("Scan this with your authenticator, or type the secret into it:")
    else:
        click.echo(plain(uri))
    click.echo(f"  {plain(secret)}")


def _confirm(hub: Hub) -> list[str]:
    from mezite.api.generated.identity_pb2 import OtpCode
    from mezite.client.methods import IDENTITY_CONFIRM_TOTP
    from mezite.errors import Denied

    for left in reversed(range(TRIES)):
        try:
            return list(hub.call(IDENTITY_CONFIRM_TOTP, OtpCode(otp=_code())).codes)
        except Denied as wrong:
            if wrong.code != "wrong_otp" or not left:
                raise
            click.echo(plain(wrong.message), err=True)
    raise AssertionError("the last try returns or raises")


def _code() -> str:
    """Typed, or the next line of a script's standard input."""
    if prompts.interactive():
        return prompts.one_time_code("The code it shows")
    return prompts.line_of_stdin("one-time code")
