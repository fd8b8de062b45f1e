"""The recorder: what a terminal shows, gathered into chunks, sealed and written by a thread of its own.

Whoever copies the terminal calls `output` and goes on: it never waits for a disk. What waits to be written is
bounded by `BACKLOG_BYTES`. When that is reached
    strict        `output` answers False: stop reading the terminal until `on_room` is called. Whoever goes on
                  regardless ends the recording, because bytes that nobody keeps must not be shown.
    best effort   further output is dropped, counted, and told by a marker where it is missing.
When a sink fails, a strict recording is lost: every later call raises `RecordingLost`, and the session must
end. A best-effort one stops quietly and its outcome says so.

Nothing is sealed on the caller's thread, and only the writer's touches sealer and sink.
"""

from __future__ import annotations

import contextlib
import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from recordings.batch import Batch, Limits, cost_of
from recordings.chain import Ending
from recordings.errors import RecordingLost
from recordings.events import Event, Exit, Marker, Output, Resize
from recordings.format import Ended
from recordings.payload import MAX_LABEL, MAX_MARKER_TEXT, MAX_SIDE
from recordings.seal import Sealer

BACKLOG_BYTES: Final = 8 * 1024 * 1024
"""Waiting to be written. Full: strict holds the session still, best effort drops (see above)."""
OVERRUN: Final = 2
"""A strict recorder is lost at this many times its backlog: its caller does not listen."""
SYNC_US: Final = 400_000
"""How long written chunks may wait to be forced to disk."""
PIECE_BYTES: Final = 16 * 1024
LOST_LABEL: Final = "lost"
NO_ANSWER: Final = "the disk did not answer in time"


class Policy(Enum):
    """What a recording that cannot be kept means for its session."""

    STRICT = "strict"
    BEST_EFFORT = "best_effort"


class Sink(Protocol):
    """Where sealed records go, whole and in order. Raises `RecordingLost` when it cannot keep one."""

    def write(self, record: bytes) -> None: ...

    def sync(self) -> None: ...

    def finish(self) -> None:
        """The last record was written: the recording is complete."""
        ...

    def abandon(self) -> None:
        """No more will come: whatever was written stays, without an end record."""
        ...


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a recording."""

    complete: bool
    """Every byte handed in was written, and the end record with it."""
    kept_bytes: int
    lost_bytes: int
    reason: str = ""


def _nothing() -> None:
    return None


class Recorder:
    """One session's recorder. `clock` gives microseconds since the recording began, and never runs backwards.

    `start` writes the header at once, so that a strict session learns of a full disk before it begins.
    `on_change` is called on the writer's thread when there is room again, or the recording was lost.
    """

    def __init__(
        self,
        sealer: Sealer,
        sink: Sink,
        *,
        policy: Policy,
        clock: Callable[[], int],
        limits: Limits | None = None,
        backlog: int = BACKLOG_BYTES,
        on_change: Callable[[], None] = _nothing,
    ) -> None:
        self._sealer = sealer
        self._sink = sink
        self._policy = policy
        self._clock = clock
        self._backlog = backlog
        self._on_change = on_change
        self._batch = Batch(limits or Limits())
        self._ready: deque[list[Event]] = deque()  # bounded by _waiting, see BACKLOG_BYTES
        self._waiting = 0
        self._now_us = 0
        self._kept = 0
        self._lost = 0
        self._gap = 0
        self._failure: RecordingLost | None = None
        self._ending: Ending | None = None
        self._closed = False
        self._unsynced_since_us: int | None = None
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    # --- the caller's side: never waits ---

    def start(self) -> None:
        """Writes the header, then starts the writer. Raises `RecordingLost` when even that cannot be kept."""
        self._sink.write(self._sealer.opening)
        self._sink.sync()
        self._thread = threading.Thread(target=self._write_until_closed, name="recorder", daemon=True)
        self._thread.start()

    def output(self, data: bytes) -> bool:
        """Takes what the terminal was sent. False means: read no more until there `has_room`."""
        for at in range(0, len(data), PIECE_BYTES):
            self._take(Output, data[at : at + PIECE_BYTES])
        return self.has_room

    def resize(self, columns: int, rows: int) -> None:
        """Takes a new size, brought into bounds: clients send any number."""
        columns, rows = (min(max(side, 1), MAX_SIDE) for side in (columns, rows))
        self._take(Resize, columns, rows)

    def marker(self, label: str, text: str = "") -> None:
        """Takes something worth finding again, cut to its bounds."""
        self._take(Marker, _cut(label, MAX_LABEL), _cut(text, MAX_MARKER_TEXT))

    @property
    def has_room(self) -> bool:
        return self._policy is Policy.BEST_EFFORT or self._waiting < self._backlog

    @property
    def failure(self) -> RecordingLost | None:
        return self._failure

    def finish(self, ending: Ending, *, timeout_s: float = 10.0) -> Outcome:
        """Ends the recording and waits for the disk, at most `timeout_s`. Blocks: not for an event loop."""
        with self._changed:
            if self._ending is None and self._failure is None:
                self._tell_gap()
                if ending.ended is Ended.EXIT and ending.exit_status is not None:
                    self._gather(Exit(self._tick(), ending.exit_status))
            self._ending = self._ending or ending
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                lost = self._lost + self._waiting
                return Outcome(complete=False, kept_bytes=self._kept, lost_bytes=lost, reason=NO_ANSWER)
        return self.outcome

    @property
    def outcome(self) -> Outcome:
        """What became of the recording so far."""
        complete = self._closed and self._failure is None and self._lost == 0
        return Outcome(complete, self._kept, self._lost, str(self._failure or ""))

    def _take(self, make: Callable[..., Event], *fields: object) -> None:
        with self._changed:
            event = make(self._tick(), *fields)
            if self._failure is not None or self._ending is not None:
                self._refuse(event)
            elif self._waiting < self._backlog or self._tolerates(event):
                self._tell_gap()
                self._gather(event)

    def _tick(self) -> int:
        # Under the lock: a clock read outside it could give two events their times in the wrong order.
        self._now_us = max(self._now_us, self._clock())
        return self._now_us

    def _refuse(self, event: Event) -> None:
        if self._policy is Policy.STRICT:
            raise self._failure or RecordingLost("the recording has ended")
        self._lost += _shown([event])

    def _tolerates(self, event: Event) -> bool:
        """Whether an event may still come when the backlog is full."""
        overrun = self._waiting >= OVERRUN * self._backlog
        if self._policy is Policy.STRICT:
            if overrun:
                self._fail(RecordingLost("the recorder's backlog overran: its caller did not wait for room"))
                self._refuse(event)
            return True
        if isinstance(event, Output):
            self._lost += len(event.data)
            self._gap += len(event.data)
            return False
        # Sizes and markers are small, but a client may send them without end.
        return not overrun

    def _tell_gap(self) -> None:
        if self._gap and self._waiting < self._backlog:
            gap, self._gap = self._gap, 0
            self._gather(Marker(self._now_us, LOST_LABEL, f"{gap} bytes"))

    def _gather(self, event: Event) -> None:
        first = not self._batch
        self._batch.add(event)
        self._waiting += cost_of(event)
        if self._batch.is_full:
            self._ready.append(self._batch.take())
        # Else the writer sleeps until the batch is due, and a keystroke costs no thread switch.
        if first or not self._batch:
            self._changed.notify_all()

    def _fail(self, failure: RecordingLost) -> None:
        """Under the lock. The first failure counts; what waits is lost with it. The writer does the rest."""
        if self._failure is not None:
            return
        self._failure = failure
        self._lost += sum(map(_shown, self._ready)) + _shown(self._batch.take())
        self._ready.clear()
        self._waiting = 0
        self._changed.notify_all()

    # --- the writer's side ---

    def _write_until_closed(self) -> None:
        while not self._closed:
            due_at_us = self.pump()
            with self._changed:
                if self._closed or self._ready or self._ending is not None or self._failure is not None:
                    continue
                wait_s = None if due_at_us is None else max(due_at_us - self._clock(), 0) / 1_000_000
                self._changed.wait(wait_s)

    def pump(self) -> int | None:
        """One turn of the writer: what is due is sealed, written, synced. Says when to come again."""
        try:
            self._turn()
        # Whatever stops the writer, a bug included, loses the recording; were it not told, a strict session
        # would go on unrecorded.
        except Exception as problem:  # noqa: BLE001
            with self._changed:
                self._fail(_lost(problem))
        if self._failure is not None:
            self._give_up()
        with self._changed:
            dues = [self._batch.due_at_us]
            if self._unsynced_since_us is not None:
                dues.append(self._unsynced_since_us + SYNC_US)
            return min((due for due in dues if due is not None), default=None)

    def _turn(self) -> None:
        while (events := self._next_batch()) is not None:
            self._write(events)
        if self._unsynced_since_us is not None and self._clock() >= self._unsynced_since_us + SYNC_US:
            self._sink.sync()
            self._unsynced_since_us = None
        if self._ending is not None and self._failure is None and not self._closed:
            self._sink.write(self._sealer.close(self._ending))
            self._sink.sync()
            self._sink.finish()
            self._closed = True

    def _next_batch(self) -> list[Event] | None:
        with self._changed:
            if self._ready:
                return self._ready.popleft()
            due_at_us = self._batch.due_at_us
            if due_at_us is not None and (self._ending is not None or self._clock() >= due_at_us):
                return self._batch.take()
            return None

    def _write(self, events: list[Event]) -> None:
        try:
            self._sink.write(self._sealer.chunk(events))
        except BaseException:
            self._lost += _shown(events)
            raise
        if self._unsynced_since_us is None:
            self._unsynced_since_us = self._clock()
        with self._changed:
            was_full = self._waiting >= self._backlog
            self._waiting = max(self._waiting - sum(map(cost_of, events)), 0)
            self._kept += _shown(events)
            has_room_again = was_full and self._waiting < self._backlog
        if has_room_again:
            self._on_change()

    def _give_up(self) -> None:
        if self._closed:
            return
        self._closed = True
        self._unsynced_since_us = None
        with contextlib.suppress(OSError, RecordingLost):
            self._sink.abandon()
        self._on_change()


def _shown(events: Iterable[Event]) -> int:
    return sum(len(event.data) for event in events if isinstance(event, Output))


def _lost(problem: Exception) -> RecordingLost:
    if isinstance(problem, RecordingLost):
        return problem
    if isinstance(problem, OSError):
        return RecordingLost(f"the recording cannot be written: {problem.strerror or type(problem).__name__}")
    return RecordingLost(f"the recorder failed ({type(problem).__name__})")


def _cut(text: str, limit: int) -> str:
    return text.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
