"""What OpenSSH is told about a node: the same options for `msh ssh`, `msh scp` and `msh config`. Pure text.

1. A node's host key is good only by the cluster's authority; OpenSSH never asks and never learns a key.
2. Paths are quoted for whoever reads them: `%` for OpenSSH's own expansion, the rest for its word splitting,
   and the ProxyCommand for the shell that it is given to.
3. AES-GCM comes first: with it the node's end is twice as fast as with OpenSSH's own first choice.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mezite.errors import CallerError, Invalid

Options = tuple[tuple[str, str], ...]

CIPHERS: Final = "^aes128-gcm@openssh.com,aes256-gcm@openssh.com"
"""Moved to the front of what the client knows anyway."""


@dataclass(frozen=True, slots=True)
class Files:
    """What a login left on the disk, and how `msh` is started."""

    key: Path
    certificate: Path
    known_hosts: Path
    msh: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Host:
    """One block of the file."""

    aliases: tuple[str, ...]
    name: str
    """As in the node's host certificate."""
    user: str = ""


def trust(host_key_alias: str, files: Files) -> Options:
    """How the node is reached and what proves it; nothing a user says may come before these."""
    return (
        ("HostKeyAlias", host_key_alias),
        ("ProxyCommand", f"{_shell(files.msh)} proxy ssh %r@%h:%p"),
        ("ProxyUseFdpass", "yes"),
        ("IdentityFile", _path(files.key)),
        ("CertificateFile", _path(files.certificate)),
        ("IdentitiesOnly", "yes"),
        ("UserKnownHostsFile", _path(files.known_hosts)),
        ("StrictHostKeyChecking", "yes"),
    )


def preferences() -> Options:
    """What a user may well say otherwise."""
    return (("Ciphers", CIPHERS),)


def as_arguments(options: Options) -> list[str]:
    """For a command line."""
    return [word for key, value in options for word in ("-o", f"{key}={value}")]


def section(label: str, hosts: Sequence[Host], files: Files) -> str:
    """A whole section between its markers, fit to stand anywhere in a file."""
    blocks = "\n".join(_block(host, files) for host in hosts)
    return f"{_begin(label)}\n{blocks}{_AFTERWARDS}{_end(label)}\n"


def replaced(text: str, label: str, fresh: str) -> str:
    """`text` with the section of `label` replaced in its place, or added at the end."""
    start = text.find(_begin(label))
    if start < 0:
        return f"{text.rstrip()}\n\n{fresh}" if text.strip() else fresh
    end = text.find(_end(label), start)
    if end < 0:
        raise Invalid(
            f"the line {_begin(label)!a} stands there without its end; remove that section by hand",
            code="broken_section",
        )
    return text[:start] + fresh + text[end + len(_end(label)) :].removeprefix("\n")


_AFTERWARDS: Final = "\n# What follows is for all hosts again.\nMatch all\n"
"""Without it, a line that somebody adds below would belong to the last node."""


def _begin(label: str) -> str:
    return f"# >>> mezite {label} >>>"


def _end(label: str) -> str:
    return f"# <<< mezite {label} <<<"


def _block(host: Host, files: Files) -> str:
    options: Options = (("HostName", host.name), *trust(host.name, files), *preferences())
    if host.user:
        options = (("User", host.user), *options)
    lines = "".join(f"    {key} {value}\n" for key, value in options)
    return f"Host {' '.join(host.aliases)}\n{lines}"


def _path(path: Path) -> str:
    text = str(path)
    if "${" in text or not text.isprintable():
        raise CallerError(f"OpenSSH cannot be told of the path {text!a}; set MEZITE_HOME to a plainer one")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{escaped}"'


def _shell(words: tuple[str, ...]) -> str:
    return shlex.join(words).replace("%", "%%")
