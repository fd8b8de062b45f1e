"""The spool: what was written is there after a crash, and damage on a disk blocks nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from recordings.chain import Ending
from recordings.errors import DiskFull, MalformedInput, SpoolBusy
from recordings.events import Output
from recordings.format import Ended
from recordings.reader import Recording
from recordings.source import BytesSource, FileSource
from recordings.spool import Spool
from recordings.trust import TrustAnchors
from recordings.verify import verify
from tests.support.recordings import EXIT, Chunks, Workshop

CRASH = Ending(Ended.CRASH, at_us=1_800_000_000_000_000, note="ended by crash")


def leave_orphan(spool: Spool, raw: bytes, name: str = "s1") -> Path:
    file = spool.create(name)
    file.write(raw)
    file.abandon()
    return file.path


def test_a_finished_recording_has_its_name_and_is_private(
    shop: Workshop, story: Chunks, tmp_path: Path
) -> None:
    spool = Spool(tmp_path / "spool")
    sealer, file = shop.sealer(), spool.create("s1")
    file.write(sealer.opening)
    for events in story:
        file.write(sealer.chunk(events))
    assert spool.finished() == []
    file.write(sealer.close(EXIT))
    file.finish()
    (path,) = spool.finished()
    assert path.name == "s1.mzr"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path.read_bytes() == shop_bytes(path, shop)
    spool.remove(path)
    assert spool.finished() == []


def shop_bytes(path: Path, shop: Workshop) -> bytes:
    raw = path.read_bytes()
    assert verify(BytesSource(raw), ring=shop.ring).intact
    return raw


def test_what_is_being_written_is_no_orphan(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    file = spool.create("s1")
    assert spool.orphans() == []
    with pytest.raises(SpoolBusy):
        spool.finish_orphan(file.path, CRASH, None)
    with pytest.raises(SpoolBusy):
        spool.create("s1")
    file.abandon()
    assert spool.orphans() == [file.path]


@pytest.mark.parametrize("name", ["", "../s1", "a/b", ".hidden", "a b", "x" * 200, "s\n"])
def test_a_name_cannot_leave_the_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(MalformedInput):
        Spool(tmp_path).create(name)


@pytest.mark.parametrize(("torn", "chunks"), [(0, 5), (1, 4), (5, 4), (40, 4), (200, 3)])
def test_an_orphan_gets_its_end_record_and_plays(
    shop: Workshop, story: Chunks, tmp_path: Path, torn: int, chunks: int
) -> None:
    spool = Spool(tmp_path)
    raw = shop.write(story, ending=None)
    path = leave_orphan(spool, raw[: len(raw) - torn])
    finished = spool.finish_orphan(path, CRASH, shop.hub)
    assert finished is not None
    anchors = TrustAnchors(closers=frozenset([shop.hub.public]))
    with FileSource(finished) as source:
        assert verify(source, ring=shop.ring, anchors=anchors).intact
        recording = Recording(source, shop.ring)
        assert recording.end is not None
        assert recording.end.ended is Ended.CRASH
        assert list(recording.events()) == [event for chunk in story[:chunks] for event in chunk]


def test_zeros_a_power_cut_left_are_cut_off(shop: Workshop, story: Chunks, tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    path = leave_orphan(spool, shop.write(story, ending=None) + bytes(4096))
    finished = spool.finish_orphan(path, CRASH, shop.node)
    assert finished is not None
    with FileSource(finished) as source:
        assert verify(source, ring=shop.ring).intact


@pytest.mark.parametrize("keep", [8, 5, 3, 0])
def test_an_orphan_whose_end_was_written_only_gets_its_name(
    shop: Workshop, story: Chunks, tmp_path: Path, keep: int
) -> None:
    spool, raw = Spool(tmp_path), shop.write(story)
    finished = spool.finish_orphan(leave_orphan(spool, raw[: len(raw) - 8 + keep]), CRASH, shop.hub)
    assert finished is not None
    assert finished.read_bytes() == raw


@pytest.mark.parametrize("damage", ["flipped", "empty", "header", "foreign"])
def test_a_damaged_orphan_is_set_aside_with_its_reason_and_its_bytes(
    shop: Workshop, story: Chunks, tmp_path: Path, damage: str
) -> None:
    spool = Spool(tmp_path)
    parts = shop.parts(shop.write(story, ending=None))
    flipped = bytearray(b"".join(parts))
    flipped[len(parts[0] + parts[1]) + 100] ^= 1
    raw = {
        "flipped": bytes(flipped),
        "empty": b"",
        "header": b"".join(parts)[:50],
        "foreign": b"".join(parts[:3]) + shop.parts(shop.write(story, number=2))[3],
    }[damage]
    path = leave_orphan(spool, raw)
    leave_orphan(spool, b"".join(parts), "s2")
    assert spool.finish_orphan(path, CRASH, shop.hub) is None
    assert (tmp_path / "quarantine" / "s1.mzr.part").read_bytes() == raw
    assert (tmp_path / "quarantine" / "s1.mzr.part.reason").read_text().strip()
    (other,) = spool.orphans()
    assert spool.finish_orphan(other, CRASH, shop.hub) is not None


# --- a real disk that is full ---


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    at = tmp_path / "disk"
    at.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", at], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small filesystem: {mounted.stderr.decode().strip()}")
    yield at
    subprocess.run(["umount", at], check=True)


def test_a_full_disk_is_told_and_leaves_whole_records(shop: Workshop, small_disk: Path) -> None:
    spool = Spool(small_disk)
    sealer, file = shop.sealer(), spool.create("s1")
    file.write(sealer.opening)
    noise = random.Random(1)
    records = [sealer.chunk([Output(n, noise.randbytes(6000))]) for n in range(20)]
    with pytest.raises(DiskFull, match="full"):
        any(map(file.write, records))
    file.abandon()
    with FileSource(file.path) as source:
        recording = Recording(source, shop.ring)
        assert recording.damage is None
        assert len(list(recording.events())) >= 5


# --- a real process that is killed ---

WRITER = """
import sys, time
from pathlib import Path
from recordings.capture import Policy, Recorder
from recordings.spool import Spool
from recordings.chain import Ed25519Signer
from recordings.header import Header
from recordings.keys import ContentKey, wrap
from recordings.seal import Sealer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
signer = Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32))
content, recipient = ContentKey.fresh(), bytes.fromhex(sys.argv[2])
header = Header(b"i" * 16, "s1", 0, 80, 24, (wrap(content, recipient, b"i" * 16),), node_key=signer.public)
begun = time.monotonic_ns()
clock = lambda: (time.monotonic_ns() - begun) // 1000
recorder = Recorder(Sealer(header, content, signer), Spool(Path(sys.argv[1])).create("s1"),
                    policy=Policy.STRICT, clock=clock)
recorder.start()
n = 0
while True:
    recorder.output(b"%012d\\n" % clock())
    sys.stdout.write("%012d\\n" % clock())
    sys.stdout.flush()
    time.sleep(0.002)
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_killed_writer_loses_less_than_its_last_second(shop: Workshop, tmp_path: Path, seed: int) -> None:
    recipient = shop.cluster_key.public_key().public_bytes_raw().hex()
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(WRITER), tmp_path, recipient], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        for _ in range(random.Random(seed).randint(300, 700)):
            process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        shown = b"0\n" + process.stdout.read()
    spool = Spool(tmp_path)
    (orphan,) = spool.orphans()
    finished = spool.finish_orphan(orphan, CRASH, shop.node)
    assert finished is not None
    with FileSource(finished) as source:
        assert verify(source, ring=shop.ring).intact
        events = [event for event in Recording(source, shop.ring).events() if isinstance(event, Output)]
    # the last line may be torn
    assert int(shown.split(b"\n")[-2]) - int(events[-1].data) < 1_000_000
