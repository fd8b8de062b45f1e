"""`mezctl login`: an access token for scripts, in the name of whoever asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import click

from mezite.cli.flags import DURATION, example, formatted
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, moment, show_data, time_or_none


@click.command(
    epilog=example("export MEZITE_AUTH_TOKEN=$(mezctl login --ttl=1h)", "mezctl login --note=backup-job")
)
@click.option("--ttl", type=DURATION, help="How long it is good. [default: the hub's]")
@click.option("--note", default="", help="What it is for; shown where tokens are listed.")
@formatted
@choice
def login(acting: Choice, ttl: timedelta | None, note: str, form: Form) -> None:
    """Print a token that acts as you, with the roles you have whenever it is used.

    Set it as MEZITE_AUTH_TOKEN. `mezctl tokens delete --access ID` takes it back.
    """
    from mezite.api.generated.identity_pb2 import CreateAccessTokenRequest
    from mezite.client.methods import IDENTITY_CREATE_ACCESS_TOKEN

    wanted = CreateAccessTokenRequest(ttl_s=int(ttl.total_seconds()) if ttl else 0, note=note)
    with acting.hub() as hub:
        made = hub.call(IDENTITY_CREATE_ACCESS_TOKEN, wanted)
        token = _good_from_here(made.token, hub.who.hub.proxy)
    expires_at = time_or_none(made.expires_us)
    if form is not Form.TEXT:
        show_data({"id": made.id, "token": token, "expires_at": expires_at}, form)
        return
    click.echo(token)
    if expires_at:
        click.echo(f"mezctl: good until {moment(expires_at)}; its id is {made.id}", err=True)


def _good_from_here(text: str, proxy: str) -> str:
    """The token with the address at which the hub was reached: a hub may not know how the world sees it."""
    from mezite.client import access_token

    token = access_token.parse(text)
    return replace(token, web_addr=proxy).text()
