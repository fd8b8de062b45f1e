"""Makes the pictures in this folder from running programs: `make screenshots`. None is drawn by hand.

It starts a demo cluster, types commands at it as a person would, and keeps what they print as an SVG.
"""

from __future__ import annotations

import asyncio
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from mezite.client.profiles import Profiles
from mezite.clock import SystemClock
from screenshots.picture import png_of, svg_of
from tui.app import Console as Mezite
from tui.themes import THEMES

HERE = Path(__file__).parent
PATIENCE_S = 30
PROGRAMS = Path(sys.executable).parent
WIDTH = 104

COMMANDS = (
    "msh status",
    "mezctl --local nodes ls",
    "mezctl --local access explain charlie ssh ubuntu@db-1",
)


@contextmanager
def demo() -> Iterator[dict[str, Any]]:
    """A demo cluster's own account of itself, while it runs."""
    command = [str(PROGRAMS / "mezite"), "demo", "--headless", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        try:
            yield json.loads(running.stdout.readline())
        finally:
            running.terminate()


def typed(command: str, environ: dict[str, str], said: str = "") -> str:
    """What the command prints; a failure ends the shooting."""
    program, *words = command.split()
    arguments = [str(PROGRAMS / program), *words]
    return subprocess.run(
        arguments, env=environ, input=said, capture_output=True, text=True, check=True
    ).stdout


def shoot(name: str, steps: list[tuple[str, str]]) -> None:
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    for command, output in steps:
        console.print(Text.assemble(("$ ", "bold green"), (command, "bold")))
        console.print(Text(output))
    # Rich names fonts on somebody's server; a picture should ask nobody for anything.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="Mezite"), flags=re.DOTALL)
    (HERE / name).write_text(picture)


SCREENS = (
    ("nodes", "dark", ("j", "j")),
    ("audit", "dark", ("6", "k", "enter")),
    ("access", "dark", ("7", "slash", "ctrl+a", "ctrl+k", *"charlie", "tab", *"ubuntu@db-1", "enter")),
    ("access", "light", ("7", "slash", "ctrl+a", "ctrl+k", *"charlie", "tab", *"ubuntu@db-1", "enter")),
)


async def console_pictures(home: Path) -> None:
    """The console of whoever is logged in below `home`, by the keys that lead to each screen."""
    for name, theme, keys in SCREENS:
        console = Mezite(Profiles(home), SystemClock(), THEMES[theme])
        async with console.run_test(size=(120, 36)) as pilot:
            async with asyncio.timeout(PATIENCE_S):
                while not (console.state.link.up and console.state.nodes and console.state.events):
                    await pilot.pause(0.05)
            await pilot.press(*keys)
            async with asyncio.timeout(PATIENCE_S):
                while any(worker.group == "explanation" for worker in console.workers):
                    await pilot.pause(0.05)
            await pilot.pause()
            file = f"{name}.svg" if theme == "dark" else f"{name}-{theme}.svg"
            picture = svg_of(console)
            (HERE / file).write_text(picture)
            if picture_png := png_of(picture):
                (HERE / file).with_suffix(".png").write_bytes(picture_png)


def main() -> None:
    with tempfile.TemporaryDirectory() as home, demo() as cluster:
        environ = os.environ | {"MEZITE_HOME": home, "MEZITE_DATA_DIR": cluster["dir"]}
        login = (
            f"msh login --proxy={cluster['web']} --user=alice --ca-pin={cluster['ca_pin']} --password-stdin"
        )
        typed(login, environ, cluster["users"]["alice"]["password"] + "\n")
        shoot("prompt.svg", [(command, typed(command, environ)) for command in COMMANDS])
        login = login.replace("--user=alice", "--user=admin")
        typed(login, environ, cluster["users"]["admin"]["password"] + "\n")
        asyncio.run(console_pictures(Path(home)))


if __name__ == "__main__":
    main()
