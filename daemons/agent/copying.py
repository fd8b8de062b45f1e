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
    if not words:
        return None
    match os.path.basename(words[0]):
        case "sftp-server":
            return Copy(Tool.SFTP, None)
        case "scp":
            return _scp(words[1:])
        case "rsync":
            return _rsync(words[1:])
        case _:
            return None


def allows(rule: FileCopy, direction: Direction) -> bool:
    return rule in (FileCopy.ALL, FileCopy.UPLOAD if direction is Direction.UPLOAD else FileCopy.DOWNLOAD)


def _scp(words: list[str]) -> Copy | None:
    flags = "".join(word[1:] for word in words if word.startswith("-") and not word.startswith("--"))
    path = words[-1] if words else ""
    if "t" in flags:
        is_into = "r" in flags or "d" in flags or path.endswith("/")
        return Copy(Tool.SCP, Direction.UPLOAD, path, is_into)
    return Copy(Tool.SCP, Direction.DOWNLOAD, path) if "f" in flags else None


def _rsync(words: list[str]) -> Copy | None:
    if "--server" not in words:
        return None
    direction = Direction.DOWNLOAD if "--sender" in words else Direction.UPLOAD
    return Copy(Tool.RSYNC, direction, words[-1])
