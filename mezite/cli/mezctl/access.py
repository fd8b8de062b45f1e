"""`mezctl access explain`: who may do what, and which clause of which role says so."""

from __future__ import annotations

import click

from mezite.cli.flags import NAMES, example, formatted
from mezite.cli.mezctl.acting import Choice, choice
from mezite.cli.output import Form, show_data, show_table
from mezite.plain import plain

_COLUMNS = (("ROLE", "role"), ("RULE", "rule"), ("VERDICT", "verdict"), ("REASON", "reason"))


@click.group(epilog=example("mezctl access explain alice ssh root@web-server-01"))
def access() -> None:
    """Why somebody may or may not."""


@access.command(
    epilog=example(
        "mezctl access explain alice ssh root@web-server-01",
        "mezctl access explain alice ssh root@web-server-01 --as-if-role=ssh-production",
    )
)
@click.argument("user")
@click.argument("action", type=click.Choice(["ssh"]))
@click.argument("target", metavar="LOGIN@NODE")
@click.option("--as-if-role", "roles", type=NAMES, multiple=True, help="As if the user held this role too.")
@formatted
@choice
def explain(
    acting: Choice, user: str, action: str, target: str, roles: tuple[tuple[str, ...], ...], form: Form
) -> None:
    """Show each clause that was looked at, and what decided."""
    from mezite.api.generated.access_pb2 import ExplainRequest
    from mezite.client.methods import ACCESS_EXPLAIN

    login, at, node = target.rpartition("@")
    if not at or not login or not node:
        raise click.UsageError(f"{target!a} is not LOGIN@NODE")
    question = ExplainRequest(
        user=user,
        action=action,
        login=login,
        node=node,
        as_if_roles=[name for names in roles for name in names],
    )
    with acting.hub() as hub:
        answer = hub.call(ACCESS_EXPLAIN, question)
    clauses = [
        {"role": clause.role, "rule": clause.rule, "verdict": clause.verdict, "reason": clause.reason}
        for clause in answer.clauses
    ]
    if form is not Form.TEXT:
        show_data({"allowed": answer.allowed, "clauses": clauses, "decided_by": answer.decided_by}, form)
        return
    show_table(clauses, _COLUMNS)
    click.echo()
    click.echo(plain(answer.decided_by))  # it begins with allowed or denied
