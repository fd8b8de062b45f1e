"""`msh config`: what stock `ssh` needs to reach the nodes, one block for each."""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mezite.cli.flags import example
from mezite.cli.msh.here import logged_in
from mezite.cli.msh.openssh import files_of
from mezite.plain import plain

if TYPE_CHECKING:
    from mezite.api.generated.nodes_pb2 import Node
    from mezite.client.profile import Profile
    from mezite.client.profiles import Profiles
    from mezite.client.ssh_config import Files, Host


@click.command(
    epilog=example(
        "msh config --append", "msh config > config; ssh -F config web-server-01.production.mezite"
    )
)
@click.option("--append", is_flag=True, help="Write it into ~/.ssh/config, over what this wrote before.")
def config(append: bool) -> None:
    """Print OpenSSH's configuration for every node you may reach.

    Each node goes by NODE.CLUSTER.mezite and NODE.mezite. With --append, your own lines stay as they are.
    """
    from mezite.client.profiles import Profiles
    from mezite.client.ssh_config import replaced, section

    profiles = Profiles()
    profile, login = logged_in(profiles)
    hosts = _hosts(profile, login.user)
    text = section(profile.hub.proxy, hosts, _files(profiles, profile))
    if not append:
        click.echo(text, nl=False)
        return
    path = Path("~/.ssh/config").expanduser()
    _write(path, replaced(_read(path), profile.hub.proxy, text))
    click.echo(f"{len(hosts)} nodes of {plain(profile.hub.proxy)} are in {path}.")


def _hosts(profile: Profile, user: str) -> list[Host]:
    from mezite.client.nodes import visible

    return [_host(node, profile.hub.cluster, user) for node in visible(profile.as_pass(), {})]


def _host(node: Node, cluster: str, user: str) -> Host:
    from mezite import ids
    from mezite.client.nodes import usual_login
    from mezite.client.ssh_config import Host

    name, here = ids.node_name(node.name), getpass.getuser()
    login = usual_login(node.logins, here, user)
    return Host(
        aliases=(f"{name}.{cluster}.mezite", f"{name}.mezite"),
        name=f"{name}.{cluster}",
        user=ids.login(login) if login and login != here else "",
    )


def _files(profiles: Profiles, profile: Profile) -> Files:
    from dataclasses import replace

    files = files_of(profiles, profile, known_hosts=profiles.home / "known_hosts")
    if not os.environ.get("MEZITE_HOME"):
        return files
    # ssh may be started where the variable is not set.
    return replace(files, msh=("env", f"MEZITE_HOME={profiles.home}", *files.msh))


def _read(path: Path) -> str:
    from mezite.errors import CallerError

    try:
        return path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return ""
    except OSError as error:
        raise CallerError(f"cannot read {path}: {error.strerror}") from None


def _write(path: Path, text: str) -> None:
    """Replaces it in one step. A link, as collections of dotfiles have them, stays one."""
    import secrets

    from mezite.errors import CallerError

    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        real = path.resolve()
        mode = real.stat().st_mode & 0o777 if real.exists() else 0o600
        beside = real.with_name(f".{real.name}.{secrets.token_hex(8)}")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(real)
    except OSError as error:
        raise CallerError(f"cannot write {path}: {error.strerror}") from None
