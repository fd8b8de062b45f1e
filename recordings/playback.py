"""A recording as a screen that can be at any moment: forward event by event, anywhere else by a jump.

With a side file a jump starts from its nearest snapshot; without one from the snapshots made on the way, so
that what was seen once is never replayed from the beginning.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from typing import Final

from recordings.events import Event, Marker
from recordings.reader import Recording
from recordings.screen import Screen
from recordings.snapshots import EVERY_BYTES, EVERY_CHUNKS, Snapshots, show

MAX_KEPT: Final = 512
"""Snapshots kept on the way, some kilobytes each. Full: every second one is dropped."""


class Playback:
    """The screen of a recording at `position_us`: every event up to and at that moment was shown."""

    def __init__(self, recording: Recording, snapshots: Snapshots | None = None) -> None:
        self._recording = recording
        self._snapshots = snapshots
        self._kept: list[tuple[int, bytes]] = []
        self.screen = self._first_screen()
        self.position_us = 0
        self._chunk = 0
        self._waiting: Iterator[Event] = iter(())
        self._next: Event | None = None
        self._bytes_since = self._chunks_since = 0
        self._load()

    def _first_screen(self) -> Screen:
        return Screen(self._recording.header.columns, self._recording.header.rows)

    @property
    def next_us(self) -> int | None:
        """When the next event is; None at the end of what there is."""
        return None if self._next is None else self._next.at_us

    def step(self) -> Event | None:
        """Shows the next event, and says which it was."""
        event = self._next
        if event is None:
            self._load()  # a recording that is still written may have grown
            return None
        show(self.screen, event)
        self.position_us = event.at_us
        self._load()
        return event

    def advance(self, to_us: int) -> list[Marker]:
        """Shows everything up to and at `to_us`; gives the markers that were passed."""
        passed: list[Marker] = []
        while self._next is not None and self._next.at_us <= to_us:
            event = self.step()
            if isinstance(event, Marker):
                passed.append(event)
        self.position_us = max(self.position_us, to_us)
        return passed

    def seek(self, to_us: int) -> None:
        """Jumps. Costs one snapshot and what was output since it, however far it goes."""
        to_us = min(max(to_us, 0), self._recording.duration_us)
        target = self._recording.index.at(to_us)
        if to_us < self.position_us or target > self._chunk + 1:
            self._jump(target, to_us)
        self.advance(to_us)
        self.position_us = to_us

    def _jump(self, target: int, to_us: int) -> None:
        chunk, screen = self._nearest(target)
        if self._chunk > chunk and to_us >= self.position_us:
            return  # nearer from here
        self.screen, self._chunk, self.position_us = screen, chunk, 0
        self._waiting, self._next = iter(()), None
        self._bytes_since = self._chunks_since = 0
        self._load()

    def _nearest(self, target: int) -> tuple[int, Screen]:
        best = None if self._snapshots is None else self._snapshots.before(target)
        position = bisect.bisect_right(self._kept, (target, b"\xff" * 8)) - 1
        if position >= 0 and (best is None or self._kept[position][0] > best[0]):
            chunk, snapshot = self._kept[position]
            return chunk, Screen.restore(snapshot)
        return best if best is not None else (0, self._first_screen())

    def _load(self) -> None:
        """Brings in the next event, opening the next chunk when it is needed."""
        self._next = next(self._waiting, None)
        while self._next is None and self._chunk < len(self._recording.index):
            self._keep()
            entry = self._recording.index[self._chunk]
            self._waiting = iter(self._recording.chunk_events(self._chunk))
            self._chunk += 1
            self._bytes_since += entry.output_bytes
            self._chunks_since += 1
            self._next = next(self._waiting, None)

    def _keep(self) -> None:
        if self._bytes_since < EVERY_BYTES and self._chunks_since < EVERY_CHUNKS:
            return
        self._bytes_since = self._chunks_since = 0
        if self._snapshots is None and (not self._kept or self._kept[-1][0] < self._chunk):
            self._kept.append((self._chunk, self.screen.snapshot()))
            if len(self._kept) > MAX_KEPT:
                del self._kept[::2]
