"""`mezhub`: the hub on a server. Starts it, checks its settings, takes and brings back backups."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import NoReturn

import click

from mezite import __version__
from mezite.exits import run

CONFIG = click.option(
    "--config",
    type=click.Path(path_type=Path),
    help="Settings file; else /etc/mezite/mezite.yaml, if it is there.",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mezhub")
def cli() -> None:
    """The auth and proxy services of a Mezite cluster.

    Example: mezhub start --config /etc/mezite/mezite.yaml
    """


@cli.command()
@CONFIG
@click.option("--announce", is_flag=True, help="Print one line of JSON on stdout once everything answers.")
def start(config: Path | None, announce: bool) -> int:
    """Run the hub until SIGTERM.

    Example: mezhub start
    """
    from daemons import lifecycle, logs
    from daemons.hub.build import Hub, hub
    from mezite.config import load_hub

    loaded = load_hub(config, os.environ)
    logs.set_up(loaded.settings.log.level, loaded.settings.log.format)
    for warning in loaded.warnings:
        click.echo(f"mezhub: {warning}", err=True)

    def told(running: Hub) -> None:
        if running.seal_key_made is not None:
            click.echo(
                f"mezhub: made {running.seal_key_made}, which opens the CA keys; keep a copy apart", err=True
            )
        if announce:
            click.echo(json.dumps(_announcement(running)))
        elif running.first_admin is not None:
            click.echo("No user can log in yet. Become the first administrator, once, within a day:")
            click.echo(f"  {running.first_admin.command}")
        sys.stdout.flush()

    return lifecycle.run(lambda: hub(loaded.settings, told=told))


def _announcement(running: object) -> dict[str, object]:
    from daemons.hub.build import Hub

    assert isinstance(running, Hub)
    where = running.addresses
    return {
        "pid": os.getpid(),
        "cluster": running.desk.cluster,
        "auth": where.auth,
        "ssh": where.ssh,
        "tunnel": where.tunnel,
        "web": where.web,
        "ca_pin": running.desk.keyring.ca_pin,
        "first_admin_token": running.first_admin.invitation.token if running.first_admin else None,
    }


@cli.command(
    context_settings={"ignore_unknown_options": True, "allow_extra_args": True}, add_help_option=False
)
@click.pass_context
def relay(context: click.Context) -> int:
    """Run one relay: it moves the bytes of sessions and outlives the hub. For the service manager.

    Example: mezhub relay --directory /var/lib/mezite/relays --name unit-0
    """
    from daemons.hub.relay.main import main as relay_main

    return relay_main(context.args)


@cli.command("check-config")
@CONFIG
def check_config(config: Path | None) -> None:
    """Read the settings, say everything that is wrong with them, or show what they come to.

    Example: mezhub check-config --config ./mezite.yaml
    """
    from mezite.config import describe, load_hub

    loaded = load_hub(config, os.environ)
    for warning in loaded.warnings:
        click.echo(f"mezhub: {warning}", err=True)
    for key, value, origin in describe(loaded):
        click.echo(f"{key} = {value}  # {origin}" if value else f"# {key} is not set")


@cli.command()
@CONFIG
@click.argument("target", type=click.Path(path_type=Path))
@click.option(
    "--with-keys", is_flag=True, help="Also copy the key that opens the CA keys. Guard such a backup well."
)
def backup(config: Path | None, target: Path, with_keys: bool) -> None:
    """Copy the embedded database of a running (or stopped) hub into a new directory.

    Example: mezhub backup /var/backups/mezite-2026-11-21
    """
    from daemons.hub import backups
    from mezite.config import load_hub

    settings = load_hub(config, os.environ).settings
    backups.take(settings, target, with_keys=with_keys)
    left_out = "" if with_keys else "; the seal key is left out, keep your copy of it"
    click.echo(f"Backed up to {target}{left_out}")


@cli.command()
@CONFIG
@click.argument("source", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace the data that is there.")
def restore(config: Path | None, source: Path, force: bool) -> None:
    """Bring a backup back into the data directory of a stopped hub.

    Example: mezhub restore /var/backups/mezite-2026-11-21
    """
    from daemons.hub import backups
    from mezite.config import load_hub

    settings = load_hub(config, os.environ).settings
    backups.bring_back(settings, source, force=force)
    click.echo(f"Restored into {settings.data_dir}; start the hub")


def main() -> NoReturn:
    """The console script: errors are one line each, never a traceback."""
    run(cli, "mezhub")


if __name__ == "__main__":
    main()
