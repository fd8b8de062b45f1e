"""`msh scp`: the system's `scp` between this machine and a node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NoReturn

import click

from mezite.cli.flags import example
from mezite.cli.msh.openssh import (
    Destination,
    arguments,
    become,
    destination,
    login_option,
    otp_option,
    preference_option,
)


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a copy; `node` is empty when it is on this machine."""

    node: str
    path: str


@click.command(
    epilog=example(
        "msh scp ./deploy.tar.gz ubuntu@web-server-01:/tmp/",
        "msh scp -r ubuntu@web-server-01:/var/log/app ./logs",
    )
)
@click.argument("sources", nargs=-1, required=True, metavar="SOURCE...")
@click.argument("target", metavar="TARGET")
@login_option
@click.option("-r", "recursive", is_flag=True, help="Directories too, with all in them.")
@click.option("-p", "preserve", is_flag=True, help="Keep times and modes.")
@click.option("-q", "quiet", is_flag=True, help="Show no progress.")
@preference_option
@otp_option
def scp(
    sources: tuple[str, ...],
    target: str,
    login: str | None,
    recursive: bool,
    preserve: bool,
    quiet: bool,
    preferences: tuple[str, ...],
    otp: str | None,
) -> None:
    """Copy files to a node or from it.

    One side is [LOGIN@]NODE:PATH, the other is on this machine. A file here with a colon in its name is
    written with a slash before it: ./a:b.
    """
    flags = [flag for flag, given in (("-r", recursive), ("-p", preserve), ("-q", quiet)) if given]
    _copy([place(source) for source in sources], place(target), login, flags, preferences, otp)


def _copy(
    sources: list[Place],
    target: Place,
    login: str | None,
    flags: list[str],
    preferences: tuple[str, ...],
    otp: str | None,
) -> NoReturn:
    from mezite.client.profiles import Profiles

    profiles = Profiles()
    where = destination(profiles, _the_node(sources, target), login)
    operands = [_operand(end, where) for end in (*sources, target)]
    become("scp", [*arguments(profiles, where, preferences), *flags, "--", *operands], otp)


def place(text: str) -> Place:
    """As scp reads it: a colon before the first slash makes it a node's."""
    node, colon, path = text.partition(":")
    if not colon or not node or "/" in node:
        return Place("", text)
    return Place(node, path)


def _the_node(sources: list[Place], target: Place) -> str:
    """The one node of a copy; raises when there is none, or more than one."""
    named = {source.node for source in sources}
    if target.node and named != {""}:
        raise click.UsageError("one side must be local: copy to this machine first, then to the other node")
    if target.node:
        return target.node
    if named == {""}:
        raise click.UsageError("both sides are local; write the one on a node as [LOGIN@]NODE:PATH")
    if len(named) > 1:
        raise click.UsageError("all sources must be on the same node")
    return named.pop()


def _operand(end: Place, where: Destination) -> str:
    if end.node:
        return f"{where.login}@{where.host}:{end.path}"
    return end.path if end.path.startswith(("/", "./", "../")) else f"./{end.path}"
