"""The name of this hub, the same at every start: what it left behind in a crash is then its own to clear."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from mezite.errors import Unavailable
from mezite.ids import mint

FILE: Final = "hub-id"
_ID: Final = re.compile(r"hub_[0-9a-z]{16}")


def hub_id(data_dir: Path) -> str:
    """The id kept in the data directory, made at the first start. One that does not read is made anew."""
    path = data_dir / FILE
    try:
        kept = path.read_text().strip()
    except FileNotFoundError:
        kept = ""
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(f"{path} cannot be read: {error}") from None
    if _ID.fullmatch(kept):
        return kept
    made = mint("hub")
    part = path.with_name(f"{FILE}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w") as file:
        file.write(f"{made}\n")
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return made
