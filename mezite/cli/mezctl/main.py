"""The nouns of `mezctl`, and its entry."""

from __future__ import annotations

from pathlib import Path
from typing import NoReturn

import click

from mezite import __version__
from mezite.cli.flags import example
from mezite.cli.lazy import LazyGroup
from mezite.cli.mezctl.acting import Choice
from mezite.exits import run

_HERE = "mezite.cli.mezctl"


@click.group(
    cls=LazyGroup,
    places={
        "users": f"{_HERE}.users:users",
        "roles": f"{_HERE}.roles:roles",
        "tokens": f"{_HERE}.tokens:tokens",
        "nodes": f"{_HERE}.nodes:nodes",
        "locks": f"{_HERE}.locks:locks",
        "auth": f"{_HERE}.authorities:auth",
        "audit": f"{_HERE}.audit:audit",
        "access": f"{_HERE}.access:access",
        "status": f"{_HERE}.status:status",
        "login": f"{_HERE}.login:login",
        "completion": "mezite.cli.completion:completion",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example("mezctl status", "mezctl users create alice --roles=access", "mezctl --local nodes ls"),
)
@click.option("--local", is_flag=True, help="Act through the admin socket of the hub on this machine.")
@click.option(
    "--data-dir",
    # Whether it can be read is for the socket's own refusal: that is no wrong usage.
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    envvar="MEZITE_DATA_DIR",
    metavar="DIR",
    help="Where that hub keeps its data. [default: /var/lib/mezite]",
)
@click.version_option(__version__, "-V", "--version", message="mezctl %(version)s")
@click.pass_context
def mezctl(ctx: click.Context, local: bool, data_dir: Path | None) -> None:
    """Administer Mezite.

    Acts as the owner of MEZITE_AUTH_TOKEN if that is set, else as you are logged in with msh, else through
    the admin socket of the hub on this machine.
    """
    ctx.obj = Choice(local, data_dir)


def main() -> NoReturn:
    run(mezctl, "mezctl")
