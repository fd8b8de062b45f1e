"""A relay with many pairs, and what that costs; a program of its own, so that any user can run it.

    python -m tests.support.many_pairs DIRECTORY COUNT

Needs nothing but the standard library, the relay and `relays.py` beside it. Says one line of JSON.
"""

from __future__ import annotations

import json
import resource
import socket
import sys
from pathlib import Path

from tests.support.relays import PATIENCE_S, Pair, RelayProcess, new_pair, relay_process

PIECE = bytes(range(256)) * 1024


def measured(relay: RelayProcess, count: int) -> dict[str, float]:
    hub = relay.hub()
    before = relay.resident_bytes()
    pairs: list[Pair] = []
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
        for _ in range(count):
            pairs.append(new_pair(listener))
            hub.take(pairs[-1])
    for pair in pairs:
        pair.client.sendall(b"keystroke")
    for pair in pairs:
        assert pair.agent.recv(100) == b"keystroke"
        pair.agent.sendall(b"echo")
        assert pair.client.recv(100) == b"echo"
    idle = relay.resident_bytes()
    moved = sum(in_bulk(pair) for pair in pairs)
    return {
        "pairs": len(pairs),
        "moved": moved,
        "bytes_per_pair": (idle - before) / count,
        "resident_bytes": relay.resident_bytes(),
        "descriptors": relay.descriptors(),
    }


def in_bulk(pair: Pair) -> int:
    """What fits on the way, all of it checked at the end of it."""
    pair.client.settimeout(0)
    sent = pair.client.send(PIECE)
    received = bytearray()
    pair.agent.settimeout(PATIENCE_S)
    while len(received) < sent:
        received += pair.agent.recv(sent)
    assert received == PIECE[:sent]
    return sent


def main() -> None:
    _, directory, count = sys.argv
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with relay_process(Path(directory)) as relay:
        print(json.dumps(measured(relay, int(count))))


if __name__ == "__main__":
    main()
