"""`mezd`: the node agent on a server. It dials out and listens on nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import click

from mezite import __version__
from mezite.exits import run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mezd")
def cli() -> None:
    """The agent that makes this machine a node of a Mezite cluster.

    Example: mezd start --config /etc/mezite/agent.env
    """


@cli.command()
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="File of MEZITE_NAME=value lines; what the environment says counts more.",
)
def start(config: Path | None) -> int:
    """Join the cluster, if this machine has not yet, and serve it until SIGTERM.

    Example: MEZITE_PROXY_ADDR=hub.example.com:3024 MEZITE_JOIN_TOKEN=... mezd start
    """
    from daemons import lifecycle, logs
    from daemons.agent import envfile
    from daemons.agent.build import agent
    from mezite.config import LogFormat, LogLevel, load_agent

    said = envfile.read(config) if config is not None else {}
    loaded = load_agent({**said, **os.environ})
    logs.set_up(LogLevel.INFO, LogFormat.TEXT)
    exposed = envfile.warnings(config, said) if config is not None else ()
    for warning in (*exposed, *loaded.warnings):
        click.echo(f"mezd: {warning}", err=True)
    return lifecycle.run(lambda: agent(loaded.settings))


@cli.command()
def version() -> None:
    """Print the version.

    Example: mezd version
    """
    click.echo(__version__)


def main() -> NoReturn:
    """The console script: errors are one line each, never a traceback."""
    run(cli, "mezd")


if __name__ == "__main__":
    main()
