"""`msh passwd`: a fresh password; every login under the old one ends."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from mezite.cli import prompts
from mezite.cli.flags import example
from mezite.cli.msh.here import consent_at, logged_in, now, otp_option, password_stdin_option, with_code

if TYPE_CHECKING:
    from mezite.client.profile import Login, Profile
    from mezite.client.profiles import Profiles


@click.command(epilog=example("msh passwd", "msh passwd --password-stdin < old-and-new"))
@otp_option
@password_stdin_option
def passwd(otp: str | None, password_stdin: bool) -> None:
    """Change your password. Ends every other login of yours."""
    from mezite.api.generated.identity_pb2 import ChangePasswordRequest
    from mezite.client.hub import Hub
    from mezite.client.methods import IDENTITY_CHANGE_PASSWORD
    from mezite.client.profiles import Profiles

    profiles = Profiles()
    profile, login = logged_in(profiles)
    old = prompts.secret("Old password", from_stdin=password_stdin)
    fresh = prompts.secret("New password", from_stdin=password_stdin, twice=True)
    with Hub(profile.as_pass()) as hub:

        def change(code: str) -> None:
            hub.call(IDENTITY_CHANGE_PASSWORD, ChangePasswordRequest(old=old, new=fresh, otp=code))

        with_code(change, otp)
    click.echo("Password changed; every login under the old one has ended.")
    _log_in_again(profiles, profile, login, fresh)


def _log_in_again(profiles: Profiles, profile: Profile, login: Login, password: str) -> None:
    """The certificate at hand ended with the others. A fresh one lasts as long as that would have."""
    from mezite.client.contact import meet, parse_proxy
    from mezite.client.login import Password, log_in
    from mezite.errors import MeziteError

    left = max(login.expires_at - now(), timedelta(seconds=1))
    proxy = profile.hub.proxy
    try:
        contact = meet(parse_proxy(proxy), profile.hub, consent=consent_at(proxy))
        profiles.save(log_in(contact, Password(login.user, password), left, now()))
    except MeziteError:
        # Most likely a second factor is enrolled, whose code of this half minute is spent.
        profiles.forget_login(proxy)
        click.echo(f"Log in again: msh login --proxy={proxy} --user={login.user}")
