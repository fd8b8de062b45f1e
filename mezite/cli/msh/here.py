"""What the verbs of `msh` share: options, the active profile, agreeing to a hub that is not known yet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

from mezite.cli import prompts
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.client.contact import Contact
    from mezite.client.profile import Login, Profile
    from mezite.client.profiles import Profiles

T = TypeVar("T")

otp_option = click.option("--otp", metavar="CODE", help="One-time code of your second factor.")
ca_pin_option = click.option(
    "--ca-pin",
    "ca_pins",
    multiple=True,
    metavar="sha256:HEX",
    help="The hub's CA pin; may be given several times.",
)
password_stdin_option = click.option(
    "--password-stdin", is_flag=True, help="Read passwords from standard input, a line each."
)


def now() -> datetime:
    return datetime.now(UTC)


def logged_in(profiles: Profiles) -> tuple[Profile, Login]:
    """The active profile and its login, which is in force; raises `NotLoggedIn` otherwise."""
    from mezite.client.identity import expired

    profile = profiles.active()
    if profile is None or profile.login is None:
        not_logged_in(profile)
    if not profile.login.valid(now()):
        raise expired(profile.hub.proxy, profile.login.user)
    return profile, profile.login


def not_logged_in(profile: Profile | None) -> NoReturn:
    from mezite.errors import NotLoggedIn

    proxy = profile.hub.proxy if profile else "HOST:3080"
    raise NotLoggedIn(f"not logged in; run: msh login --proxy={proxy} --user=NAME")


def known_profile(profiles: Profiles, proxy: str) -> Profile | None:
    """The profile of a hub about to be dialled; a damaged one counts as none: it is about to be replaced."""
    from mezite.errors import NotLoggedIn

    try:
        return profiles.find(proxy)
    except NotLoggedIn:
        return None


def reach(profiles: Profiles, proxy: str, ca_pins: tuple[str, ...]) -> tuple[Contact, Profile | None]:
    """The hub at `proxy`, proved; one that was not known before is from here on."""
    from mezite.ca.tls_authority import parse_pin
    from mezite.client.contact import meet, parse_proxy
    from mezite.client.profile import Profile

    address = parse_proxy(proxy)
    pins = tuple(parse_pin(pin) for pin in ca_pins)
    known = known_profile(profiles, str(address))
    contact = meet(address, known.hub if known else None, pins=pins, consent=consent_at(str(address)))
    if known is None:
        profiles.save(Profile(contact.hub), activate=profiles.current() is None)
    return contact, known


def consent_at(proxy: str) -> Callable[[str, tuple[str, ...]], bool]:
    """Shows who a hub says it is, and asks; nobody there to ask is a no that says what to give."""

    def ask(cluster: str, pins: tuple[str, ...]) -> bool:
        from mezite.client.trust import untrusted

        if not prompts.interactive():
            raise untrusted(
                f"{proxy} is not known here; give the CA pin that `mezctl status` shows: --ca-pin=sha256:..."
            )
        click.echo(f"The hub at {proxy} says it is the cluster {plain(cluster)}. Its CA pin is", err=True)
        for pin in pins:
            click.echo(f"  {pin}", err=True)
        click.echo(
            "Compare it with what `mezctl status` shows at the hub, or ask its administrator.", err=True
        )
        return click.confirm("Is it the same?", default=False, err=True)

    return ask


def with_code(ask: Callable[[str], T], otp: str | None) -> T:
    """Calls `ask` with the one-time code; when one proves to be required, asks the person for it."""
    from mezite.errors import OtpRequired

    try:
        return ask(otp or "")
    except OtpRequired as required:
        if otp:
            raise
        if not prompts.interactive():
            raise OtpRequired(f"{required.message}: --otp=CODE") from None
        return ask(prompts.one_time_code())
