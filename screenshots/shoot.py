"""Makes the pictures in this folder from running programs: `make screenshots`. None is drawn by hand.

It starts a demo cluster, types commands at it as a person would, and keeps what they print as an SVG.
"""

from __future__ import annotations

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

HERE = Path(__file__).parent
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


def main() -> None:
    with tempfile.TemporaryDirectory() as home, demo() as cluster:
        environ = os.environ | {"MEZITE_HOME": home, "MEZITE_DATA_DIR": cluster["dir"]}
        login = (
            f"msh login --proxy={cluster['web']} --user=alice --ca-pin={cluster['ca_pin']} --password-stdin"
        )
        typed(login, environ, cluster["users"]["alice"]["password"] + "\n")
        shoot("prompt.svg", [(command, typed(command, environ)) for command in COMMANDS])


if __name__ == "__main__":
    main()
