"""Which commands copy files: told by how their clients start them on the far side. Pure.

It is guidance for whoever has a shell, where `cat > f` is a copy too, and a boundary only without one. So a
command that hides what it does is not hunted for; one that a stock client sends is always found.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from mezite.model.role import FileCopy

MAX_COMMAND: Final = 64 * 1024
MAX_RUNNER_WORDS: Final = 64
"""How far behind `sudo` or `env` the program is looked for."""
_RUNNERS: Final = frozenset(
    (
        "sudo",
        "doas",
        "env",
        "nice",
        "ionice",
        "nohup",
        "setsid",
        "stdbuf",
        "timeout",
        "exec",
        "command",
        "time",
    )
)
_SCP_VALUED: Final = frozenset("DFJMPSXcilo")
"""Flags of scp that take a value."""


class Tool(StrEnum):
    SFTP = "sftp"
    SCP = "scp"
    RSYNC = "rsync"


class Direction(StrEnum):
    """As the client sees it: an upload comes to this node."""

    UPLOAD = "upload"
    DOWNLOAD = "download"


@dataclass(frozen=True, slots=True)
class Copy:
    """One run of a copying program; sftp tells its direction file by file."""

    tool: Tool
    direction: Direction | None
    path: str = ""
    is_into: bool = False
    """What comes goes below the path, which is a directory."""


def found_in(command: str) -> Copy | None:
    """What this command copies, if it is what a client's scp, rsync or sftp starts."""
    try:
        words = shlex.split(command[:MAX_COMMAND])
    except ValueError:
        return None
    if words and (_is_setting(words[0]) or os.path.basename(words[0]) in _RUNNERS):
        # `rsync --rsync-path='sudo rsync'` is in every manual.
        found = (_copy(words[at:]) for at in range(1, min(len(words), MAX_RUNNER_WORDS)))
        return next((copy for copy in found if copy is not None), None)
    return _copy(words) if words else None


def _copy(words: list[str]) -> Copy | None:
    match os.path.basename(words[0]):
        case "sftp-server":
            return Copy(Tool.SFTP, None)
        case "scp":
            return _scp(words[1:])
        case "rsync":
            return _rsync(words[1:])
        case _:
            return None


def _is_setting(word: str) -> bool:
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isidentifier()


def allows(rule: FileCopy, direction: Direction) -> bool:
    return rule in (FileCopy.ALL, FileCopy.UPLOAD if direction is Direction.UPLOAD else FileCopy.DOWNLOAD)


def _scp(words: list[str]) -> Copy | None:
    flags, paths = _scp_flags(words)
    path = paths[-1] if paths else ""
    if "f" in flags:
        # With both, scp sends.
        return Copy(Tool.SCP, Direction.DOWNLOAD, path)
    is_into = "r" in flags or "d" in flags or path.endswith("/")
    return Copy(Tool.SCP, Direction.UPLOAD, path, is_into) if "t" in flags else None


def _scp_flags(words: list[str]) -> tuple[str, list[str]]:
    """The flags and the paths, told apart as scp itself does: a path ends the flags."""
    flags, rest = "", list(words)
    while rest and len(rest[0]) > 1 and rest[0].startswith("-"):
        word = rest.pop(0)
        if word == "--":
            break
        for at, flag in enumerate(word[1:], start=2):
            flags += flag
            if flag in _SCP_VALUED:
                if at == len(word):
                    rest = rest[1:]
                break
    return flags, rest


def _rsync(words: list[str]) -> Copy | None:
    if "--server" not in words:
        return None
    direction = Direction.DOWNLOAD if "--sender" in words else Direction.UPLOAD
    return Copy(Tool.RSYNC, direction, words[-1])
