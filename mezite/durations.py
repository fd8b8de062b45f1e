"""Durations as people write them: `30m`, `4h`, `1h30m`, `2d`. One grammar for settings, roles and flags.

Units run from days to seconds, each at most once, largest first. A duration is a whole number of seconds,
at least one, at most ten years: within that range every sum with a moment of this age is still a moment.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from mezite.errors import Invalid
from mezite.quoting import quoted

SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=3650)

_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_WRITTEN: Final = re.compile("(?=[0-9])" + "".join(rf"(?:([0-9]{{1,9}}){unit})?" for unit, _ in _UNITS))


def parse(text: str) -> timedelta:
    """The duration that `text` writes; `Invalid` says how one is written."""
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise Invalid(f"{quoted(text)} is not a duration; write 30m, 4h or 2d", code="invalid_duration")
    seconds = sum(int(count or 0) * size for count, (_, size) in zip(written.groups(), _UNITS, strict=True))
    if not SHORTEST.total_seconds() <= seconds <= LONGEST.total_seconds():
        raise Invalid(f"{quoted(text)} is out of range; a duration is 1s to 3650d", code="invalid_duration")
    return timedelta(seconds=seconds)


def show(duration: timedelta) -> str:
    """The shortest spelling that `parse` reads back as the same. Drops parts of a second; nothing is `0s`."""
    return "".join(_parts(duration)) or "0s"


def brief(duration: timedelta) -> str:
    """The two largest units, for countdowns: `3h52m`, `2d4h`, `45s`."""
    return "".join(_parts(duration)[:2]) or "0s"


def _parts(duration: timedelta) -> list[str]:
    left = max(duration // SHORTEST, 0)
    parts: list[str] = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return parts
