"""`mezctl tokens`: what nodes join with; with `--access`, what `mezctl login` made."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import click

from mezite.cli.flags import DURATION, NAMES, PAIR, example, formatted
from mezite.cli.lazy import LazyGroup
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, moment, show_list, show_one, time_or_none
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.api.generated.identity_pb2 import AccessToken
    from mezite.api.generated.nodes_pb2 import Token

_COLUMNS = (
    ("ID", "id"), ("ROLES", "roles"), ("EXPIRES", "expires_at"), ("USES LEFT", "uses_left"),
    ("NODE", "node"), ("LABELS", "labels"), ("CREATED BY", "created_by"),
)  # fmt: skip
_ACCESS_COLUMNS = (
    ("ID", "id"), ("USER", "user"), ("KIND", "kind"), ("CREATED", "created_at"), ("EXPIRES", "expires_at"),
    ("NOTE", "note"),
)  # fmt: skip


@click.group(
    cls=LazyGroup,
    aliases={"list": "ls"},
    epilog=example("mezctl tokens create --roles=node --ttl=1h", "mezctl tokens ls"),
)
def tokens() -> None:
    """Tokens: with which nodes join, and with which scripts act."""


@tokens.command(
    epilog=example(
        "mezctl tokens create --roles=node --ttl=1h",
        "mezctl tokens create --roles=node --ttl=1h --node=web-server-01 --label env=production",
    )
)
@click.option("--roles", type=NAMES, default=("node",), help="What joins with it. [default: node]")
@click.option("--ttl", type=DURATION, default="1h", show_default=True, help="How long it is good.")
@click.option("--uses", type=click.IntRange(1, 100_000), default=1, show_default=True, help="How often.")
@click.option("--node", default="", metavar="NAME", help="Only the node of this name may join with it.")
@click.option("--label", "labels", type=PAIR, multiple=True, help="A label the node gets and cannot change.")
@formatted
@choice
def create(
    acting: Choice,
    roles: tuple[str, ...],
    ttl: timedelta,
    uses: int,
    node: str,
    labels: tuple[tuple[str, str], ...],
    form: Form,
) -> None:
    """Create a join token. It is shown once."""
    from mezite.api.generated.nodes_pb2 import CreateTokenRequest
    from mezite.client.methods import TOKENS_CREATE

    wanted = CreateTokenRequest(
        roles=roles, ttl_s=int(ttl.total_seconds()), uses=uses, node=node, labels=dict(labels)
    )
    with acting.hub() as hub:
        made = hub.call(TOKENS_CREATE, wanted)
    if form is not Form.TEXT:
        show_one(_record(made.token) | {"token": made.secret}, (), form)
        return
    ends = time_or_none(made.token.expires_us)
    held = plain(",".join(made.token.roles))
    until = moment(ends) if ends else "never"
    click.echo(f"Token created: {plain(made.secret)} (roles: {held}, expires: {until})")


@tokens.command(epilog=example("mezctl tokens ls", "mezctl tokens ls --access --user=alice"))
@click.option("--access", is_flag=True, help="List access tokens instead of join tokens.")
@click.option("--user", default="", metavar="NAME", help="With --access: whose. [default: yours]")
@formatted
@choice
def ls(acting: Choice, access: bool, user: str, form: Form) -> None:
    """List tokens; never their secrets."""
    from mezite.api.generated.identity_pb2 import ListAccessTokensRequest
    from mezite.client.methods import IDENTITY_LIST_ACCESS_TOKENS, TOKENS_LIST

    if user and not access:
        raise click.UsageError("--user goes with --access: join tokens belong to nobody")
    with acting.hub() as hub:
        if access:
            made = hub.call(IDENTITY_LIST_ACCESS_TOKENS, ListAccessTokensRequest(user=user)).tokens
            show_list([_access_record(token) for token in made], _ACCESS_COLUMNS, form)
            return
        found = hub.pages(TOKENS_LIST, lambda page: (page.tokens, page.more), lambda token: token.id)
        show_list([_record(token) for token in found], _COLUMNS, form)


@tokens.command(
    epilog=example("mezctl tokens delete tok_1a2b3c4d5e6f", "mezctl tokens delete --access tok_...")
)
@click.argument("token_id", metavar="ID")
@click.option("--access", is_flag=True, help="It is an access token: whoever has it is out within minutes.")
@choice
def delete(acting: Choice, token_id: str, access: bool) -> None:
    """Delete a token. Nodes that joined with it stay."""
    from mezite.api.generated.identity_pb2 import AccessTokenId
    from mezite.api.generated.nodes_pb2 import TokenId
    from mezite.client.methods import IDENTITY_REVOKE_ACCESS_TOKEN, TOKENS_DELETE

    with acting.hub() as hub:
        if access:
            hub.call(IDENTITY_REVOKE_ACCESS_TOKEN, AccessTokenId(id=token_id))
        else:
            hub.call(TOKENS_DELETE, TokenId(id=token_id))
    click.echo(f"Token {plain(token_id)} deleted.")


def _record(token: Token) -> dict[str, object]:
    return {
        "id": token.id,
        "roles": list(token.roles),
        "created_at": time_or_none(token.created_us),
        "expires_at": time_or_none(token.expires_us),
        "uses_left": token.uses_left,
        "created_by": token.created_by,
        "node": token.node or None,
        "labels": dict(sorted(token.labels.items())),
    }


def _access_record(token: AccessToken) -> dict[str, object]:
    return {
        "id": token.id,
        "user": token.user,
        "kind": token.kind,
        "note": token.note,
        "created_at": time_or_none(token.created_us),
        "expires_at": time_or_none(token.expires_us),
    }
