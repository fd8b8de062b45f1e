"""Files of `NAME=value` lines, as systemd's EnvironmentFile reads them: /etc/mezite/agent.env.

Comments, blank lines, and one pair of quotes around a value. Nothing is expanded or run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mezite.errors import SettingsError

MAX_CHARS: Final = 64 * 1024
_LINE: Final = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")


def read(path: Path) -> dict[str, str]:
    """The variables in the file; `SettingsError` names every line that is none."""
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(MAX_CHARS + 1)
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError([f"{path}: cannot be read: {why}"]) from None
    if len(text) > MAX_CHARS:
        raise SettingsError([f"{path}: larger than {MAX_CHARS} characters; this is no settings file"])
    return parse(text, str(path))


def warnings(path: Path, said: Mapping[str, str]) -> tuple[str, ...]:
    """That a token lies open, if one does: whoever reads it first can be this node."""
    if said.get("MEZITE_JOIN_TOKEN") and path.stat().st_mode & 0o077:
        return (f"{path} holds a join token and can be read by others; chmod 600 {path}",)
    return ()


def parse(text: str, place: str) -> dict[str, str]:
    found: dict[str, str] = {}
    faults: list[str] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith(("#", ";")):
            continue
        if match := _LINE.fullmatch(line):
            found[match[1]] = _unquoted(match[2].strip())
        else:
            # The line itself may hold a token, so only its place is said.
            faults.append(f"{place} line {number}: not NAME=value")
    if faults:
        raise SettingsError(faults)
    return found


def _unquoted(value: str) -> str:
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    return value
