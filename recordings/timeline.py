"""The clock of a player: where in a recording it is at a given moment. Pure; every method is told the time.

Position runs at `speed` times the clock. With idle skipped, stretches without output longer than `IDLE_US`
take only that long: position then runs on a shortened scale, and both scales lead into one another.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from recordings.index import ChunkIndex

SPEEDS: Final = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
IDLE_US: Final = 2_000_000


@dataclass(frozen=True, slots=True)
class Mark:
    """A place worth going to."""

    at_us: int
    label: str
    text: str = ""


class Squeeze:
    """The shortened scale: each gap counts for `keep_us` of its length."""

    __slots__ = ("_ends", "_saved", "_starts")

    def __init__(self, gaps: Iterable[tuple[int, int]], keep_us: int = IDLE_US) -> None:
        long = sorted((start + keep_us, end) for start, end in gaps if end - start > keep_us)
        self._starts = [start for start, _ in long]
        self._ends = [end for _, end in long]
        self._saved = [0, *accumulate(end - start for start, end in long)]
        """What all gaps before one save, and at the end what all save."""

    def shorten(self, long_us: int) -> int:
        """The place of a position on the shortened scale."""
        gap = bisect.bisect_right(self._starts, long_us)
        if gap and long_us < self._ends[gap - 1]:
            return self._starts[gap - 1] - self._saved[gap - 1]
        return long_us - self._saved[gap]

    def lengthen(self, short_us: int) -> int:
        """The position at a place of the shortened scale; the far side of a gap that is all skipped."""
        low, high = 0, len(self._starts)
        while low < high:
            middle = (low + high) // 2
            if self._starts[middle] - self._saved[middle] <= short_us:
                low = middle + 1
            else:
                high = middle
        return short_us + self._saved[low]


def gaps_of(index: ChunkIndex, duration_us: int) -> list[tuple[int, int]]:
    """Stretches in which nothing was output, as the index tells them: without opening a chunk."""
    found, last = [], 0
    for entry in index:
        if entry.output_bytes:
            found.append((last, entry.start_us))
            last = entry.start_us
    return [*found, (last, duration_us)]


def activity(index: ChunkIndex, duration_us: int, columns: int) -> list[int]:
    """Bytes output in each of so many equal stretches: the heat bar under a player."""
    bars = [0] * columns
    for entry in index:
        bars[min(entry.start_us * columns // max(duration_us, 1), columns - 1)] += entry.output_bytes
    return bars


class Timeline:
    """Plays, pauses, seeks. Positions are microseconds of the recording; `now_us` any monotonic clock."""

    def __init__(
        self,
        duration_us: int,
        *,
        gaps: Iterable[tuple[int, int]] = (),
        marks: Sequence[Mark] = (),
        now_us: int = 0,
        skip_idle: bool = False,
    ) -> None:
        self.duration_us = duration_us
        self._squeeze = Squeeze(gaps)
        self._marks = sorted(marks, key=lambda mark: mark.at_us)
        self._speed = 1.0
        self._playing = False
        self._skips_idle = skip_idle
        self._from_us = 0
        self._since_us = now_us

    @property
    def speed(self) -> float:
        return self._speed

    @property
    def skips_idle(self) -> bool:
        return self._skips_idle

    def is_playing(self, now_us: int) -> bool:
        """Whether it moves: it was started and the end is not reached."""
        return self._playing and self.position(now_us) < self.duration_us

    def position(self, now_us: int) -> int:
        """Where it is."""
        if not self._playing:
            return self._from_us
        gone = int(max(now_us - self._since_us, 0) * self._speed)
        if not self._skips_idle:
            return min(self._from_us + gone, self.duration_us)
        return min(
            max(self._squeeze.lengthen(self._squeeze.shorten(self._from_us) + gone), self._from_us),
            self.duration_us,
        )

    def until(self, position_us: int, now_us: int) -> int:
        """How long, on the clock, until it reaches a position; 0 when it is there or past."""
        here = self.position(now_us)
        if self._skips_idle:
            here, position_us = self._squeeze.shorten(here), self._squeeze.shorten(position_us)
        return max(int((position_us - here) / self._speed), 0)

    def play(self, now_us: int) -> None:
        """Goes on; from the beginning when it is at the end."""
        if self.position(now_us) >= self.duration_us:
            self._from_us = 0
        self._hold(now_us)
        self._playing = True

    def pause(self, now_us: int) -> None:
        """Stands still where it is."""
        self._hold(now_us)
        self._playing = False

    def set_speed(self, speed: float, now_us: int) -> None:
        """Another speed from here on, at once; brought into bounds."""
        self._hold(now_us)
        self._speed = min(max(speed, SPEEDS[0]), SPEEDS[-1])

    def faster(self, now_us: int) -> None:
        """The next of `SPEEDS`."""
        self.set_speed(next((speed for speed in SPEEDS if speed > self._speed), SPEEDS[-1]), now_us)

    def slower(self, now_us: int) -> None:
        """The one before in `SPEEDS`."""
        self.set_speed(next((speed for speed in reversed(SPEEDS) if speed < self._speed), SPEEDS[0]), now_us)

    def set_skip_idle(self, now_us: int, *, on: bool) -> None:
        """Whether stretches without output are shortened."""
        self._hold(now_us)
        self._skips_idle = on

    def seek(self, position_us: int, now_us: int) -> int:
        """Goes somewhere, playing or not; says where that is within the recording."""
        self._from_us = min(max(position_us, 0), self.duration_us)
        self._since_us = now_us
        return self._from_us

    def step_to(self, position_us: int, now_us: int) -> int:
        """One frame on or back, to where the caller knows it is; stands still there."""
        self._playing = False
        return self.seek(position_us, now_us)

    def extend(self, duration_us: int) -> None:
        """The recording grew."""
        self.duration_us = max(self.duration_us, duration_us)

    def next_mark(self, now_us: int) -> Mark | None:
        """The first mark behind where it is."""
        here = self.position(now_us)
        return next((mark for mark in self._marks if mark.at_us > here), None)

    def previous_mark(self, now_us: int) -> Mark | None:
        """The last mark before where it is."""
        here = self.position(now_us)
        return next((mark for mark in reversed(self._marks) if mark.at_us < here), None)

    def _hold(self, now_us: int) -> None:
        self._from_us = self.position(now_us)
        self._since_us = now_us
