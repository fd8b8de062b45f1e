"""`mezite`: the cluster under one command. Everything heavy is imported by the command that needs it."""

from __future__ import annotations

import json
import signal
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

import click

from mezite import __version__
from mezite.exits import run

HEADLESS = click.option("--headless", is_flag=True, help="Run the daemons alone, until SIGTERM.")
FORMAT = click.option(
    "--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True
)


THEME = click.option(
    "--theme",
    type=click.Choice(["dark", "light", "contrast", "mono"]),
    help="Colours of the console. [default: dark; mono where NO_COLOR is set]",
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]}, invoke_without_command=True)
@click.version_option(__version__, prog_name="mezite")
@THEME
@click.pass_context
def cli(context: click.Context, theme: str | None) -> None:
    """SSH access with certificates that end. Without a command: the console, on the hub you use.

    The commands run whole clusters on one machine. Example: mezite demo
    """
    if context.invoked_subcommand is not None:
        return
    from tui.open import at_terminal, open_console

    if not at_terminal():
        raise click.UsageError("the console needs a terminal; `msh` and `mezctl` do the same without one")
    open_console(theme)


@cli.command()
@HEADLESS
@FORMAT
@click.option(
    "--dir", "directory", type=click.Path(path_type=Path), help="Where to keep it; kept when the demo ends."
)
@THEME
def demo(headless: bool, form: str, directory: Path | None, theme: str | None) -> None:
    """Run a filled cluster in a scratch directory; it is gone when you leave.

    At a terminal the console opens on it; quitting ends both.

    Example: mezite demo --headless --format json
    """
    from tui.demo import demo as running_demo
    from tui.open import at_terminal, open_demo

    stop = _stop_signal()
    looking = not headless and form == "text" and at_terminal()
    if looking:
        click.echo("Starting a hub and four nodes.", err=True)
    with running_demo(directory) as running:
        if looking:
            open_demo(running.facts, theme, stop)
            return
        click.echo(json.dumps(running.facts) if form == "json" else _told(running.facts))
        sys.stdout.flush()
        _until(stop, running.cluster.check)


@cli.command()
@HEADLESS
@FORMAT
@click.option(
    "--dir",
    "directory",
    type=click.Path(path_type=Path),
    help="Where data is kept; default ~/.local/share/mezite.",
)
@click.option(
    "--cluster",
    "name",
    default="mezite",
    show_default=True,
    help="Name of the cluster, fixed at its first start.",
)
def up(headless: bool, form: str, directory: Path | None, name: str) -> None:
    """Run a real single-machine cluster, hub and agent, whose data is kept.

    Example: mezite up --headless
    """
    from tui.up import up as running_up

    stop = _stop_signal()
    with running_up(directory, name) as running:
        click.echo(json.dumps(running.facts) if form == "json" else running.told())
        sys.stdout.flush()
        _until(stop, running.cluster.check)


def _told(facts: dict[str, Any]) -> str:
    """How to reach the demo, for a person."""
    lines = [
        f"Demo cluster {facts['cluster']} is up in {facts['dir']}; Ctrl-C (or SIGTERM) ends it.",
        "",
        f"Log in:  msh login --proxy={facts['web']} --user=alice --ca-pin={facts['ca_pin']}",
        f"Administer:  mezctl --data-dir={facts['dir']} status",
        "",
        f"{'USER':<10}{'PASSWORD':<20}ROLES",
    ]
    lines += [
        f"{name:<10}{user['password']:<20}{','.join(user['roles'])}" for name, user in facts["users"].items()
    ]
    lines += ["", f"Nodes: {', '.join(facts['nodes'])}"]
    return "\n".join(lines)


def _stop_signal() -> threading.Event:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda _number, _frame: stop.set())
    return stop


def _until(stop: threading.Event, check: Any) -> None:
    """Waits for the stop, and raises when a child is gone before it."""
    while not stop.wait(0.5):
        check()


def main() -> NoReturn:
    """The console script: errors are one line each, never a traceback."""
    run(cli, "mezite")


if __name__ == "__main__":
    main()
