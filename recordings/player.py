"""The plain player: a recording's output onto a terminal at its own pace, with nothing drawn around it.

What it writes went through the sanitizer. Clock and output are given, so that a test plays an hour at once;
the console's player is built on `playback` and `timeline` instead.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from recordings.events import Output
from recordings.reader import Recording
from recordings.sanitize import RESTORE, Sanitizer
from recordings.timeline import Timeline, gaps_of


class Clock(Protocol):
    """A monotonic clock that can also let time pass."""

    def now_us(self) -> int: ...

    def sleep_us(self, duration_us: int) -> None: ...


def play(
    recording: Recording,
    write: Callable[[bytes], object],
    clock: Clock,
    *,
    speed: float = 1.0,
    skip_idle: bool = False,
    from_us: int = 0,
) -> None:
    """Plays to the end of what there is. Damage on the way is raised after what comes before it was shown.

    Starting inside a recording shows all before it at once: a terminal has no other way to be in that state.
    The terminal is brought back also when playing is interrupted.
    """
    duration_us = recording.duration_us
    gaps = gaps_of(recording.index, duration_us)
    timeline = Timeline(duration_us, gaps=gaps, now_us=clock.now_us(), skip_idle=skip_idle)
    timeline.set_speed(speed, clock.now_us())
    timeline.seek(from_us, clock.now_us())
    timeline.play(clock.now_us())
    sanitizer = Sanitizer()
    try:
        for event in recording.events():
            if not isinstance(event, Output):
                continue
            wait_us = timeline.until(event.at_us, clock.now_us())
            if wait_us:
                clock.sleep_us(wait_us)
            write(sanitizer.feed(event.data))
    finally:
        write(RESTORE)
