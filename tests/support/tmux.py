"""tmux as an oracle: what a real terminal shows for a stream of bytes."""

from __future__ import annotations

import itertools
import os
import shlex
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Picture:
    lines: list[str]
    cursor: tuple[int, int]


class Tmux:
    """One pane of a private tmux server, given one stream after another."""

    def __init__(self, directory: Path, columns: int, rows: int) -> None:
        self._directory = directory
        self._columns = columns
        self._numbers = itertools.count()
        self._env = {**os.environ, "LC_ALL": "C.UTF-8", "TERM": "xterm-256color"}
        self._env.pop("TMUX", None)
        size = ("-x", str(columns), "-y", str(rows))
        self._call("new-session", "-d", *size, "exec sleep 600")
        self._call("set", "-g", "status", "off")
        self._call("resize-window", *size)

    def _call(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._directory / "tmux"), "-f", "/dev/null", "-u", *words]
        return subprocess.run(command, env=self._env, check=True, capture_output=True, text=True).stdout

    def picture(self, raw: bytes) -> Picture:
        """What the pane shows after these bytes, on a terminal that was just started."""
        # The title is set after all else was read: once it shows, the pane has seen every byte.
        done = f"done-{next(self._numbers)}"
        stream = self._directory / "stream"
        stream.write_bytes(raw + b"\x18\x1b]2;" + done.encode() + b"\x1b\\")
        command = f"stty raw -echo; cat {shlex.quote(str(stream))}; exec sleep 600"
        self._call("respawn-pane", "-k", command)
        deadline = time.monotonic() + 20
        while self._call("display-message", "-p", "#{pane_title}").strip() != done:
            assert time.monotonic() < deadline, "tmux did not read the stream"
        lines = self._call("capture-pane", "-p", "-N").split("\n")[:-1]
        x, y = map(int, self._call("display-message", "-p", "#{cursor_x} #{cursor_y}").split())
        return Picture([line.rstrip() for line in lines], (min(x, self._columns - 1), y))

    def close(self) -> None:
        self._call("kill-server")
