"""Files of heads, as a hub appends to one: what their lines say together. Opens no file, judges no signature.

The file is the witness from outside the database, so all of it counts: whoever cut the log's end and let it
grow again left the head that tells of it far above the newest lines. A hub's own file only ever rises; one
that falls was edited, or a log that had been cut was signed anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from mezite.audit.chain import Head
from mezite.audit.heads import parse_head
from mezite.errors import Invalid

_HEAD: Final = re.compile(r"mezite-head:[A-Za-z0-9:._-]+")


@dataclass(frozen=True, slots=True)
class Fall:
    """Where a file of heads goes back: from the highest event so far to an earlier one."""

    high: int
    low: int


@dataclass(frozen=True, slots=True)
class Gathered:
    """Each head once, in the order of the lines; and the first fall."""

    heads: tuple[Head, ...]
    fall: Fall | None


def gather(lines: Iterable[str]) -> Gathered:
    """Every head the lines hold, wherever on a line it stands. What does not read as one is passed over."""
    kept: dict[tuple[int, bytes, bool], Head] = {}
    high, fall = 0, None
    for head in (head for line in lines for text in _HEAD.findall(line) if (head := _readable(text))):
        if head.seq < high and fall is None:
            fall = Fall(high, head.seq)
        high = max(high, head.seq)
        # Two heads of one event that differ both count; the same one again, signed at another time, does not.
        kept.setdefault((head.seq, head.hash, bool(head.signature)), head)
    return Gathered(tuple(kept.values()), fall)


def _readable(text: str) -> Head | None:
    try:
        return parse_head(text)
    except Invalid:
        return None
