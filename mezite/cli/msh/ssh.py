"""`msh ssh`: the system's OpenSSH client on a node, found by its name and proved by the cluster."""

from __future__ import annotations

from typing import Any, NoReturn

import click

from mezite.cli.flags import example
from mezite.cli.msh.openssh import (
    NO_FORWARDS,
    arguments,
    become,
    complete_node,
    destination,
    login_option,
    otp_option,
    preference_option,
)


class AsSsh(click.Command):
    """Parses as ssh does: options may also stand after the node; the first other word begins the command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        before, words = self._split(ctx, args)
        if words and "--" not in before:
            between, command = self._split(ctx, words[1:])
            args = [*before, *(word for word in between if word != "--"), "--", words[0], *command]
        return super().parse_args(ctx, args)

    def _split(self, ctx: click.Context, args: list[str]) -> tuple[list[str], list[str]]:
        """The options that `args` begins with, and what is left from the first word that is none."""
        said, _, _ = self.make_parser(ctx).parse_args(list(args))
        node, command = said["node"], said["command"]
        # click has a sign of its own for what was not given.
        words = [node, *(command if isinstance(command, tuple) else ())] if isinstance(node, str) else []
        return args[: len(args) - len(words)], words


def _refuse(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        raise click.UsageError(NO_FORWARDS)


@click.command(
    cls=AsSsh,
    context_settings={"allow_interspersed_args": False},
    epilog=example(
        "msh ssh web-server-01",
        "msh ssh ubuntu@web-server-01 -- uptime",
        "msh ssh --login=ubuntu env=staging -- df -h /",
    ),
)
@click.argument("node", metavar="[LOGIN@]NODE", shell_complete=complete_node)
@click.argument("command", nargs=-1)
@login_option
@click.option("-A", "agent", is_flag=True, help="Lend your ssh-agent to the node, if a role allows it.")
@click.option("-X", "x11", is_flag=True, help="Show windows of the node here, if a role allows it.")
@click.option("-t", "terminal", count=True, help="With a terminal, also for a command; twice: in any case.")
@click.option("-T", "no_terminal", is_flag=True, help="Without a terminal.")
@click.option("-N", "no_command", is_flag=True, help="Run nothing; hold the connection.")
@preference_option
@otp_option
@click.option("-L", "forward_local", hidden=True, multiple=True, callback=_refuse, help="Not here.")
@click.option("-R", "forward_remote", hidden=True, multiple=True, callback=_refuse, help="Not here.")
@click.option("-D", "forward_dynamic", hidden=True, multiple=True, callback=_refuse, help="Not here.")
def ssh(
    node: str,
    command: tuple[str, ...],
    login: str | None,
    agent: bool,
    x11: bool,
    terminal: int,
    no_terminal: bool,
    no_command: bool,
    preferences: tuple[str, ...],
    otp: str | None,
    **_refused: None,
) -> int:
    """Open a shell on a node, or run a command there.

    NODE is a name or an id; LABEL=VALUE[,LABEL=VALUE] runs the command on every node with these labels.
    The exit status is that of the command, or 255 when it could not be run.
    """
    flags = (("-A", agent), ("-X", x11), ("-T", no_terminal), ("-N", no_command))
    words = [*(flag for flag, given in flags if given), *(["-t"] * terminal)]
    if "=" not in node:
        _one(node, command, login, words, preferences, otp)
    from mezite.cli.msh.several import run

    return run(node, command, login, words, preferences, otp)


def _one(
    node: str,
    command: tuple[str, ...],
    login: str | None,
    words: list[str],
    preferences: tuple[str, ...],
    otp: str | None,
) -> NoReturn:
    from mezite.client.profiles import Profiles

    profiles = Profiles()
    where = destination(profiles, node, login)
    given = arguments(profiles, where, preferences)
    become("ssh", [*given, *words, "-l", where.login, "--", where.host, *command], otp)
