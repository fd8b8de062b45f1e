"""The recorder: nothing shown is lost unless it says so, and nobody who shows it waits for a disk."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import pytest

from recordings.batch import Batch, Limits
from recordings.capture import SYNC_US, Outcome, Policy, Recorder
from recordings.chain import Ending
from recordings.errors import DiskFull, RecordingLost
from recordings.events import Event, Exit, Marker, Output, Resize
from recordings.format import Ended
from recordings.reader import Recording
from recordings.source import BytesSource
from recordings.verify import verify
from tests.support.recordings import EXIT, Workshop


@dataclass
class Clock:
    now_us: int = 0

    def __call__(self) -> int:
        return self.now_us


@dataclass
class MemorySink:
    """A sink that can be told to fail, or to hold its writer."""

    raw: bytes = b""
    synced: int = 0
    state: str = "open"
    fail: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    writing: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def write(self, record: bytes) -> None:
        self.writing.set()
        self.gate.wait()
        if self.fail is not None:
            raise self.fail
        self.raw += record

    def sync(self) -> None:
        self.synced = len(self.raw)

    def finish(self) -> None:
        self.state = "finished"

    def abandon(self) -> None:
        self.state = "abandoned"


class Bench:
    """A recorder whose writer is turned by hand, on a clock that stands still."""

    def __init__(
        self, shop: Workshop, policy: Policy = Policy.STRICT, *, backlog: int = 1000, size: int = 100
    ) -> None:
        self.shop = shop
        self.clock = Clock()
        self.sink = MemorySink()
        self.changes = 0
        sealer = shop.sealer()
        self.recorder = Recorder(
            sealer,
            self.sink,
            policy=policy,
            clock=self.clock,
            limits=Limits(size=size, age_us=400_000),
            backlog=backlog,
            on_change=self._changed,
        )
        self.sink.write(sealer.opening)

    def _changed(self) -> None:
        self.changes += 1

    def events(self) -> list[Event]:
        return list(Recording(BytesSource(self.sink.raw), self.shop.ring).events())

    def finish(self, ending: Ending = EXIT) -> Outcome:
        self.recorder.finish(ending)
        self.recorder.pump()
        return self.recorder.outcome


def test_a_batch_is_due_when_its_first_event_has_waited() -> None:
    batch = Batch(Limits(size=1000, age_us=400, events=3))
    nothing_due = batch.due_at_us
    assert nothing_due is None
    batch.add(Output(100, b"x"))
    batch.add(Output(300, b"y"))
    assert batch.due_at_us == 500
    before = batch.is_full
    batch.add(Output(301, b"z"))
    assert (before, batch.is_full) == (False, True)
    assert len(batch.take()) == 3
    assert not batch


def test_events_wait_for_their_time_and_then_are_written_and_synced(shop: Workshop) -> None:
    bench = Bench(shop)
    bench.recorder.output(b"$ ")
    assert bench.recorder.pump() == 400_000
    assert bench.events() == []
    bench.clock.now_us = 400_000
    assert bench.recorder.pump() == 400_000 + SYNC_US
    assert bench.events() == [Output(0, b"$ ")]
    assert bench.sink.synced == 0
    bench.clock.now_us += SYNC_US
    assert bench.recorder.pump() is None
    assert bench.sink.synced == len(bench.sink.raw)
    assert SYNC_US + 400_000 < 1_000_000


def test_a_full_batch_does_not_wait(shop: Workshop) -> None:
    bench = Bench(shop)
    bench.recorder.output(b"x" * 100)
    bench.recorder.output(b"y")
    bench.recorder.pump()
    assert bench.events() == [Output(0, b"x" * 100)]


def test_a_whole_session_is_recorded_and_verifies(shop: Workshop) -> None:
    bench = Bench(shop)
    bench.recorder.output(b"$ ")
    bench.recorder.resize(0, 99_999)
    bench.recorder.marker("join" * 100, "olivia " + "é" * 5000)
    bench.clock.now_us = 7
    outcome = bench.finish()
    first, resize, marker, end = bench.events()
    assert (first, resize, end) == (Output(0, b"$ "), Resize(0, 1, 10_000), Exit(7, 0))
    assert isinstance(marker, Marker)
    assert outcome == Outcome(complete=True, kept_bytes=2, lost_bytes=0)
    assert bench.sink.state == "finished"
    assert verify(BytesSource(bench.sink.raw), ring=shop.ring).intact


def test_time_in_a_recording_never_runs_backwards_whatever_the_clock_does(shop: Workshop) -> None:
    bench = Bench(shop)
    for now in (500, 100, 600):
        bench.clock.now_us = now
        bench.recorder.output(b"x")
    bench.finish(Ending(Ended.CUT, 1))
    assert [event.at_us for event in bench.events()] == [500, 500, 600]


def test_a_strict_caller_is_held_until_there_is_room(shop: Workshop) -> None:
    bench = Bench(shop, backlog=300)
    assert bench.recorder.output(b"x" * 200)
    assert not bench.recorder.output(b"y" * 100)
    assert bench.changes == 0
    bench.recorder.pump()
    assert bench.changes == 1
    assert bench.recorder.has_room
    assert bench.finish().complete


def test_a_strict_caller_that_does_not_listen_loses_the_recording(shop: Workshop) -> None:
    bench = Bench(shop, backlog=300)
    with pytest.raises(RecordingLost, match="did not wait"):
        any(bench.recorder.output(b"x" * 200) is None for _ in range(10))
    bench.recorder.pump()
    assert bench.sink.state == "abandoned"
    assert not bench.recorder.outcome.complete


def test_best_effort_drops_and_says_where(shop: Workshop) -> None:
    bench = Bench(shop, Policy.BEST_EFFORT, backlog=300)
    bench.recorder.output(b"x" * 300)
    for _ in range(5):
        assert bench.recorder.output(b"y" * 100)
    bench.recorder.pump()
    bench.recorder.output(b"z" * 100)
    outcome = bench.finish()
    assert bench.events() == [
        Output(0, b"x" * 300),
        Marker(0, "lost", "500 bytes"),
        Output(0, b"z" * 100),
        Exit(0, 0),
    ]
    assert outcome == Outcome(complete=False, kept_bytes=400, lost_bytes=500)
    assert bench.sink.state == "finished"


def test_a_gap_at_the_very_end_is_told_too(shop: Workshop) -> None:
    bench = Bench(shop, Policy.BEST_EFFORT, backlog=300)
    bench.recorder.output(b"x" * 300)
    bench.recorder.output(b"y")
    bench.recorder.pump()
    bench.finish()
    assert Marker(0, "lost", "1 bytes") in bench.events()


def test_resizes_without_end_do_not_grow_the_backlog(shop: Workshop) -> None:
    bench = Bench(shop, Policy.BEST_EFFORT, backlog=300, size=10**9)
    for side in range(1, 1000):
        bench.recorder.resize(side, side)
    bench.finish()
    assert len(bench.events()) < 100


@pytest.mark.parametrize(
    "problem", [DiskFull("disk full"), OSError(5, "Input/output error"), ZeroDivisionError()]
)
def test_a_failing_sink_ends_a_strict_recording(shop: Workshop, problem: Exception) -> None:
    bench = Bench(shop)
    bench.sink.fail = problem
    bench.recorder.output(b"x" * 100)
    bench.recorder.pump()
    assert bench.changes == 1
    assert bench.sink.state == "abandoned"
    for call in (lambda: bench.recorder.output(b"y"), lambda: bench.recorder.marker("note")):
        with pytest.raises(RecordingLost):
            call()
    outcome = bench.finish()
    assert (outcome.complete, outcome.kept_bytes, outcome.lost_bytes) == (False, 0, 100)
    assert outcome.reason


def test_a_failing_sink_lets_a_best_effort_session_go_on(shop: Workshop) -> None:
    bench = Bench(shop, Policy.BEST_EFFORT)
    bench.sink.fail = DiskFull("disk full")
    bench.recorder.output(b"x" * 100)
    bench.recorder.pump()
    assert bench.recorder.output(b"y" * 50)
    assert bench.finish().lost_bytes == 150


def test_a_full_disk_is_known_before_the_session_starts(shop: Workshop) -> None:
    bench = Bench(shop)
    bench.sink.fail = DiskFull("disk full")
    with pytest.raises(DiskFull):
        bench.recorder.start()


def test_nothing_is_taken_after_the_end(shop: Workshop) -> None:
    bench = Bench(shop)
    bench.finish()
    with pytest.raises(RecordingLost, match="has ended"):
        bench.recorder.output(b"x")
    assert bench.finish().complete


# --- with its own thread ---


def test_the_thread_writes_everything_down_to_the_last_byte(shop: Workshop) -> None:
    sink, clock = MemorySink(), Clock()
    recorder = Recorder(shop.sealer(), sink, policy=Policy.STRICT, clock=clock, limits=Limits(size=4096))
    recorder.start()
    shown = b"".join(b"%06d\r\n" % n for n in range(20_000))
    for at in range(0, len(shown), 999):
        recorder.output(shown[at : at + 999])
    outcome = recorder.finish(EXIT)
    assert outcome == Outcome(complete=True, kept_bytes=len(shown), lost_bytes=0)
    events = Recording(BytesSource(sink.raw), shop.ring).events()
    assert b"".join(event.data for event in events if isinstance(event, Output)) == shown


def test_output_returns_while_the_disk_stands_still(shop: Workshop) -> None:
    sink, room = MemorySink(), threading.Event()
    recorder = Recorder(
        shop.sealer(),
        sink,
        policy=Policy.STRICT,
        clock=Clock(),
        limits=Limits(size=64),
        backlog=200,
        on_change=room.set,
    )
    recorder.start()
    sink.gate.clear()
    sink.writing.clear()
    assert recorder.output(b"x" * 100)
    assert sink.writing.wait(10)
    assert not recorder.output(b"y" * 100)
    assert not room.is_set()
    sink.gate.set()
    assert room.wait(10)
    assert recorder.finish(EXIT).complete


def test_a_disk_that_never_answers_does_not_hold_the_end_for_ever(shop: Workshop) -> None:
    sink = MemorySink()
    recorder = Recorder(shop.sealer(), sink, policy=Policy.STRICT, clock=Clock(), limits=Limits(size=64))
    recorder.start()
    sink.gate.clear()
    recorder.output(b"x" * 100)
    outcome = recorder.finish(EXIT, timeout_s=0.05)
    assert not outcome.complete
    assert "in time" in outcome.reason
    sink.gate.set()
    assert recorder.finish(EXIT).complete
