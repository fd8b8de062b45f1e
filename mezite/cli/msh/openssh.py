"""What `msh ssh`, `msh scp` and `msh config` share: which node is meant, and how OpenSSH is told.

This process is replaced by OpenSSH's (`become`): terminal, signals and exit status are its own. Nothing is
written, least of all `~/.ssh/config`, which is not read either: a `Host *` there must not change whom one
trusts. Preferences go by `-o`.
"""

from __future__ import annotations

import getpass
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

import click

if TYPE_CHECKING:
    from mezite.api.generated.nodes_pb2 import Node
    from mezite.client.profile import Profile
    from mezite.client.profiles import Profiles
    from mezite.client.ssh_config import Files

FORWARDS: Final = ("localforward", "remoteforward", "dynamicforward")
NO_FORWARDS: Final = (
    "msh ssh forwards no ports; use ssh itself: msh config --append, then ssh -L ... NODE.CLUSTER.mezite"
)

_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_ENVIRONMENT: Final = (("SendEnv", "LANG LC_*"),)
"""As distributions have it in the system's configuration, which is not read."""

login_option = click.option("-l", "--login", metavar="LOGIN", help="Whom to be on the node.")
otp_option = click.option("--otp", metavar="CODE", help="One-time code, for nodes that want one each time.")
preference_option = click.option(
    "-o", "preferences", multiple=True, metavar="KEY=VALUE", help="An option of OpenSSH, as ssh takes it."
)


@dataclass(frozen=True, slots=True)
class Destination:
    """A node and a login there, in a profile that is good."""

    profile: Profile
    node: str
    """Its name or id."""
    login: str

    @property
    def host(self) -> str:
        """As OpenSSH is told: the cluster in it finds the profile again."""
        return f"{self.node}.{self.profile.hub.cluster}"

    @property
    def key_alias(self) -> str:
        """As the node's host certificate has it."""
        return self.node if _UUID.fullmatch(self.node) else self.host


def destination(profiles: Profiles, text: str, login: str | None) -> Destination:
    """What `[login@]node` means. The hub is asked only when no login is named."""
    from mezite.cli.msh.proxy_command import check_valid
    from mezite.client.target import parse, profile_for

    target = parse(text)
    if login and target.login and login != target.login:
        raise click.UsageError(f"two logins: {target.login} before the @, and --login={login}")
    profile = profile_for(target, profiles)
    check_valid(profile)
    named = login or target.login
    if named:
        return Destination(profile, target.node, checked_login(named))
    from mezite.client.nodes import one

    return at(profile, one(profile.as_pass(), target.node))


def at(profile: Profile, node: Node, login: str | None = None) -> Destination:
    """`node`, under the usual login unless one is named; raises when it is not there."""
    from mezite.client.nodes import ONLINE, login_at
    from mezite.errors import Unavailable

    if node.status != ONLINE:
        raise Unavailable(f"{node.name} is offline: its agent is not connected; `msh ls` shows who is")
    assert profile.login is not None, "held by whoever chose the profile"
    return Destination(profile, node.name, login or login_at(node, getpass.getuser(), profile.login.user))


def complete_node(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names that a shell offers for `[login@]node`."""
    from mezite.cli.msh.here import logged_in
    from mezite.client.nodes import visible
    from mezite.client.profiles import Profiles
    from mezite.errors import MeziteError

    login, at_sign, begun = incomplete.rpartition("@")
    try:
        profile, _ = logged_in(Profiles())
        names = [node.name for node in visible(profile.as_pass(), {})]
    except MeziteError:
        return []  # a shell that completes must not show errors
    return [f"{login}{at_sign}{name}" for name in names if name.startswith(begun)]


def checked_login(text: str) -> str:
    from mezite import ids

    return ids.login(text)


def arguments(profiles: Profiles, where: Destination, preferences: tuple[str, ...]) -> list[str]:
    """The options for `ssh` and `scp`. The first word on a key counts, so trust stands before preferences."""
    from mezite.client import ssh_config

    for word in preferences:
        if re.split(r"[=\s]", word.strip(), maxsplit=1)[0].lower() in FORWARDS:
            raise click.UsageError(NO_FORWARDS)
    # Only the authority of this very cluster, so that a node is proved by whatever name it was called.
    files = files_of(profiles, where.profile, known_hosts=profiles.path(where.profile) / "ca" / "hosts")
    return [
        "-F",
        "none",
        *ssh_config.as_arguments(ssh_config.trust(where.key_alias, files)),
        *(word for preference in preferences for word in ("-o", preference)),
        *ssh_config.as_arguments((*ssh_config.preferences(), *_ENVIRONMENT)),
    ]


def files_of(profiles: Profiles, profile: Profile, *, known_hosts: Path) -> Files:
    from mezite.client.ssh_config import Files

    keys = profiles.path(profile) / "keys"
    return Files(keys / "ssh_key", keys / "ssh_key-cert.pub", known_hosts, own_command())


def own_command() -> tuple[str, ...]:
    """How to start `msh` again, from whatever directory and with whatever PATH."""
    program = Path(sys.argv[0])
    if program.name == "msh" and program.is_file():
        return (str(program.absolute()),)
    # -P: a folder called `mezite` in the working directory must not be taken for ours.
    return (sys.executable, "-P", "-m", "mezite.cli.msh.main")


def found(program: str) -> str:
    """The path of a program of OpenSSH."""
    import shutil

    from mezite.errors import CallerError

    path = shutil.which(program)
    if path is None:
        raise CallerError(f"there is no {program} here; install OpenSSH's client", code="no_openssh")
    return path


def become(program: str, words: list[str], otp: str | None) -> NoReturn:
    """Replaces this process."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(found(program), [program, *words], with_code(otp))  # noqa: S606  # no shell is meant


def with_code(otp: str | None) -> dict[str, str]:
    """The environment for OpenSSH, whose ProxyCommand finds the one-time code in it."""
    from mezite.cli.msh.proxy_command import OTP_VARIABLE

    return {**os.environ, **({OTP_VARIABLE: otp} if otp else {})}
