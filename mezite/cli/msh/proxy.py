"""`msh proxy`: what other programs use to get through. The work is in `proxy_command`."""

from __future__ import annotations

import click

from mezite.cli.flags import example


@click.group(epilog=example("ssh -o ProxyCommand='msh proxy ssh %r@%h:%p' web-server-01.production"))
def proxy() -> None:
    """Connect other programs with nodes."""


@proxy.command(epilog=example("msh proxy ssh ubuntu@web-server-01:22", "ProxyCommand msh proxy ssh %r@%h:%p"))
@click.argument("destination", metavar="[LOGIN@]NODE[:PORT]")
def ssh(destination: str) -> None:
    """Be the ProxyCommand of OpenSSH; `msh config` writes a configuration with it.

    With `ProxyUseFdpass yes` ssh gets the connection itself, otherwise its bytes are carried. A node that
    wants a one-time code has it asked on the terminal, or takes it from MEZITE_OTP.
    """
    from mezite.cli.msh.proxy_command import run

    run(destination)
