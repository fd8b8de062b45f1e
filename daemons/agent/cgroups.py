"""A cgroup (v2) for each session: what runs in it stays in it, whatever it forks, and ends with one write.

Where there is no cgroup v2, or this process may not use it, there is none, and a session's end reaches only
its leader's process groups. The mount is looked up: machines with both versions have it anywhere.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

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

    @classmethod
    def of_this_process(cls) -> Cgroups:
        """Makes the room for sessions; ends as one without when that is refused."""
        try:
            here = find(Path("/proc/self/mountinfo").read_text(), Path("/proc/self/cgroup").read_text())
            if here is None or not (here / "cgroup.procs").exists():
                return cls(None)
            room = here / NAME
            room.mkdir(exist_ok=True)
            return cls(room if (room / "cgroup.kill").exists() else None)
        except OSError:
            return cls(None)

    @property
    def has_any(self) -> bool:
        return self._root is not None

    def make(self, session_id: str) -> Cgroup | None:
        if self._root is None:
            return None
        for path in [path for path in self._left if _removed(path)]:
            self._left.discard(path)
        path = self._root / session_id
        try:
            path.mkdir()
        except OSError:
            return None
        return Cgroup(path, self._left)


class Cgroup:
    """One session's. What a session left running keeps it; the next that is made looks whether it may go."""

    def __init__(self, path: Path, left: set[Path]) -> None:
        self.path = path
        self._left = left

    def kill(self) -> bool:
        """Ends every process in it at once; False when that did not work and another way is needed."""
        try:
            (self.path / "cgroup.kill").write_text("1")
        except OSError:
            return False
        return True

    def retire(self) -> None:
        """The session has ended."""
        if not _removed(self.path):
            self._left.add(self.path)


def _removed(path: Path) -> bool:
    try:
        path.rmdir()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True
