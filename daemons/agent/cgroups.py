"""A cgroup (v2) for each connection, and in it one for each session: what runs there stays there, whatever it
forks and whether its session still lives, and ends with one write.

The room they are in is this agent's own. What an agent that was killed left in it is ended before the next
one serves: nobody would answer for it any more.

Where there is no cgroup v2, or this process may not use it, there is none, and a session's end reaches only
its leader's process groups. The mount is looked up: machines with both versions have it anywhere.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

log = logging.getLogger(__name__)

NAME: Final = "mezd.sessions"


def find(mountinfo: str, own: str) -> Path | None:
    """The directory of this process in the v2 tree, from /proc/self/mountinfo and /proc/self/cgroup."""
    mount = next(
        (
            fields[4]
            for line in mountinfo.splitlines()
            if (fields := line.split()) and " - cgroup2 " in line and len(fields) > 4 and fields[3] == "/"
        ),
        None,
    )
    path = next((line[3:] for line in own.splitlines() if line.startswith("0::/")), None)
    if mount is None or path is None or ".." in path.split("/"):
        return None
    return Path(mount.replace("\\040", " ")) / path.lstrip("/")


class Cgroups:
    """Makes and ends them. `root` is None where there are none."""

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._left: set[Path] = set()
        if root is not None:
            self._end_leftovers(root)

    @classmethod
    def of_this_process(cls, agent: str) -> Cgroups:
        """Makes the room for this agent's; ends as one without when that is refused."""
        try:
            here = find(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
            if here is None or not (here / "cgroup.procs").exists():
                return cls(None)
            room = here / NAME / agent
            room.mkdir(parents=True, exist_ok=True)
            return cls(room if (room / "cgroup.kill").exists() else None)
        except OSError:
            return cls(None)

    @property
    def has_any(self) -> bool:
        return self._root is not None

    def make(self, connection_id: str) -> Cgroup | None:
        """One for a connection."""
        if self._root is None:
            return None
        self._sweep()
        return _made(self._root / connection_id, self._left)

    def close(self) -> None:
        """Gives the room back, unless something is still in it."""
        if self._root is not None:
            self._sweep()
            _removed(self._root)

    def _sweep(self) -> None:
        # The deepest first: a directory goes only after those in it.
        for path in sorted(self._left, key=lambda path: len(path.parts), reverse=True):
            if _removed(path):
                self._left.discard(path)

    def _end_leftovers(self, root: Path) -> None:
        left = [path for path in root.glob("*/") if path.is_dir()]
        if left and not Cgroup(root, self._left).kill():
            log.error("what an agent before this one left running could not be ended")
        for path in left:
            self._left |= {below for below in path.glob("*/") if below.is_dir()} | {path}


class Cgroup:
    """One connection's or session's. What is left running keeps it; the next made looks whether it may go."""

    def __init__(self, path: Path, left: set[Path]) -> None:
        self.path = path
        self._left = left

    def make(self, session_id: str) -> Cgroup | None:
        """One for a session, within this one."""
        return _made(self.path / session_id, self._left)

    def kill(self) -> bool:
        """Ends every process in it at once; False when that did not work and another way is needed."""
        try:
            (self.path / "cgroup.kill").write_text("1")
        except OSError:
            return False
        return True

    def retire(self) -> None:
        """What it was for has ended."""
        if not _removed(self.path):
            self._left.add(self.path)


def _made(path: Path, left: set[Path]) -> Cgroup | None:
    try:
        path.mkdir()
    except OSError:
        return None
    return Cgroup(path, left)


def _removed(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
