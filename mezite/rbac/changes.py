"""What a change to a role comes to, in words short enough for an event. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from mezite.model.role import Role
from mezite.rbac.document import to_document
from mezite.rbac.loading import Plain

MOST_PATHS: Final = 32
LONGEST_PATH: Final = 200


def digest(role: Role) -> str:
    """SHA-256 over the document as JSON, keys sorted, without spaces. The revision is no part of it."""
    text = json.dumps(_document(role), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def changed_paths(before: Role, after: Role) -> tuple[str, ...]:
    """Where the two documents differ; beyond the bound, how many more there are. A list is one place."""
    paths = [path[:LONGEST_PATH] for path in _differences(_document(before), _document(after), "")]
    more = len(paths) - MOST_PATHS
    return (*paths[:MOST_PATHS], *((f"and {more} more",) if more > 0 else ()))


def _document(role: Role) -> Plain:
    return to_document(replace(role, revision=0))


def _differences(before: Plain, after: Plain, path: str) -> Iterator[str]:
    if before == after:
        return
    if not (isinstance(before, dict) and isinstance(after, dict)):
        yield path
        return
    for key in sorted({*before, *after}):
        yield from _differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
