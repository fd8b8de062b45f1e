"""The verbs of `msh`."""

from __future__ import annotations

import click

from mezite import __version__
from mezite.cli.flags import example
from mezite.cli.lazy import LazyGroup

_HERE = "mezite.cli.msh"


@click.group(
    cls=LazyGroup,
    places={
        "ssh": f"{_HERE}.ssh:ssh",
        "scp": f"{_HERE}.scp:scp",
        "ls": f"{_HERE}.ls:ls",
        "config": f"{_HERE}.config:config",
        "proxy": f"{_HERE}.proxy:proxy",
        "login": f"{_HERE}.login:login",
        "logout": f"{_HERE}.logout:logout",
        "status": f"{_HERE}.status:status",
        "mfa": f"{_HERE}.mfa:mfa",
        "passwd": f"{_HERE}.passwd:passwd",
        "enrol": f"{_HERE}.enrol:enrol",
        "profiles": f"{_HERE}.profiles:profiles",
        "completion": "mezite.cli.completion:completion",
    },
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=example(
        "msh login --proxy=mezite.example.com:3080 --user=alice", "msh ls", "msh ssh web-server-01"
    ),
)
@click.version_option(__version__, "-V", "--version", message="msh %(version)s")
def msh() -> None:
    """Log in to Mezite, and reach its nodes by name."""
