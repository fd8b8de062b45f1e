"""How long a person waits for a prompt: `msh --help`, `msh status`, `msh ls`, cold, beside Python alone.

`make bench` runs it. Each command is a fresh process, as the shell
starts it; the rows are taken in turns, so that whatever else the machine does hits all of them alike.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from mezite.client.contact import meet, parse_proxy
from mezite.client.login import Password, enrol, log_in
from mezite.client.profiles import Profiles
from tests.support.hub_process import ADMIN, PASSWORD, RunningHub, program, running_hub

ROUNDS: Final = 21
TARGETS_MS: Final = {"msh --help": 120, "mezctl --help": 120, "msh status": 300, "msh ls": 300}


def commands() -> dict[str, list[str]]:
    return {
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -c 'import click'": [sys.executable, "-c", "import click"],
        "msh --help": [*program("msh"), "--help"],
        "mezctl --help": [*program("mezctl"), "--help"],
        "msh status": [*program("msh"), "status"],
        "msh ls": [*program("msh"), "ls"],
        "mezctl users ls": [*program("mezctl"), "users", "ls"],
    }


def log_in_at(hub: RunningHub, home: Path) -> None:
    contact = meet(parse_proxy(hub.web), None, pins=(hub.ca_pin,), consent=lambda *_: False)
    enrol(contact, hub.first_admin_token, PASSWORD)
    Profiles(home).save(log_in(contact, Password(ADMIN, PASSWORD), None, datetime.now(UTC)))


def once(command: list[str], environment: dict[str, str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - start) * 1000


def main() -> None:
    with TemporaryDirectory() as directory, running_hub(Path(directory)) as hub:
        home = Path(directory) / "mezite-home"
        log_in_at(hub, home)
        environment = {**os.environ, "MEZITE_HOME": str(home)}
        took: dict[str, list[float]] = {name: [] for name in commands()}
        for number in range(ROUNDS + 1):
            for name, command in commands().items():
                elapsed = once(command, environment)
                if number:  # the first round warms the disk
                    took[name].append(elapsed)
    print(f"{'COLD PROCESS':<26}  {'MEDIAN':>8}  {'BEST':>8}  {'TARGET':>8}")
    for name, times in took.items():
        target = f"{TARGETS_MS[name]} ms" if name in TARGETS_MS else "-"
        print(f"{name:<26}  {statistics.median(times):>5.0f} ms  {min(times):>5.0f} ms  {target:>8}")


if __name__ == "__main__":
    main()
