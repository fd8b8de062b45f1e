"""Feeding the screen against stock pyte, and seeking: `python -m tests.bench.bench_screen [MB]`.

Both read the same corpus in turns in one process, each turn on a fresh screen, and the fastest of each
counts: what a busy machine adds is noise. Not a test: it prints, and asserts nothing about time.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

import pyte
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from recordings.batch import CHUNK_BYTES
from recordings.events import Event, Output
from recordings.header import Header
from recordings.keys import ContentKey, Keyring, wrap
from recordings.playback import Playback
from recordings.reader import Recording
from recordings.screen import Screen
from recordings.seal import Sealer
from recordings.snapshots import Snapshots, build
from recordings.source import BytesSource
from tests.support.terminal_corpus import KINDS, corpus

COLUMNS, ROWS, ROUNDS = 120, 40, 5


def seconds(work: Callable[[], object]) -> float:
    """CPU time of one run: the wall clock also measures the neighbours."""
    begun = time.process_time()
    work()
    return time.process_time() - begun


def feeding(megabytes: float) -> None:
    """Ours against stock, kind by kind."""
    for kind in ("mixed", *KINDS):
        text = corpus(kind, int(megabytes * 1_000_000))
        raw = text.encode()
        stock: list[float] = []
        ours: list[float] = []
        for _ in range(ROUNDS):
            stock.append(seconds(partial(pyte.Stream(pyte.Screen(COLUMNS, ROWS)).feed, text)))
            ours.append(seconds(partial(Screen(COLUMNS, ROWS).feed, raw)))
        size = len(raw) / 1_000_000
        print(
            f"{kind:9s} pyte {size / min(stock):6.2f} MB/s   ours {size / min(ours):6.2f} MB/s"
            f"   ratio {min(stock) / min(ours):5.1f}"
        )


def seeking(megabytes: float) -> None:
    """Jumps to anywhere in a recording of so many megabytes."""
    private, content = X25519PrivateKey.generate(), ContentKey.fresh()
    wrapped = wrap(content, private.public_key().public_bytes_raw(), b"b" * 16)
    sealer = Sealer(Header(b"b" * 16, "bench", 0, COLUMNS, ROWS, (wrapped,)), content, None)
    block = corpus("mixed", 2_000_000).encode()
    piece = CHUNK_BYTES // 16
    pieces, at_us = [sealer.opening], 0
    for turn in range(int(megabytes * 1_000_000 / CHUNK_BYTES)):
        start = turn * CHUNK_BYTES % (len(block) - CHUNK_BYTES)
        events: list[Event] = [
            Output(at_us + at, block[start + at : start + at + piece]) for at in range(0, CHUNK_BYTES, piece)
        ]
        at_us += 400_000
        pieces.append(sealer.chunk(events))
    raw = b"".join(pieces)
    recording = Recording(BytesSource(raw), Keyring([private]))
    built = seconds(lambda: pieces.append(b"".join(build(recording))))
    side_file = pieces[-1]
    playback = Playback(recording, Snapshots(recording, side_file))
    noise = random.Random(1)
    took = sorted(
        seconds(lambda: playback.seek(noise.randint(0, recording.duration_us))) * 1000 for _ in range(200)
    )
    print(
        f"seek in {megabytes:.0f} MB: p50 {statistics.median(took):.1f} ms, p99 {took[197]:.1f} ms; "
        f"file {len(raw) / 1e6:.1f} MB, snapshots {len(side_file) / 1e6:.1f} MB built in {built:.1f} s"
    )


def main() -> None:
    megabytes = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0
    feeding(megabytes)
    seeking(megabytes * 20)


if __name__ == "__main__":
    main()
