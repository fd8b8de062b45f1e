"""How long a login takes, by what comes of it: right, wrong, unknown name, locked user.

The four must cost the same work, or the time tells a stranger which names exist. Run over the real HTTPS door
of a real hub, at the real cost of Argon2id; each attempt on a fresh connection, shuffled. The throttle
is lifted, for it answers before any work is done.

    python tests/bench/bench_login.py [attempts of each kind, default 40]
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from daemons.hub.proof import throttle
from mezite.api.generated import locks_pb2
from mezite.client.methods import LOCKS_CREATE
from mezite.errors import NotLoggedIn
from tests.support.hub import PASSWORD, LiveHub, hub_settings, live_hub

Attempt = Callable[[], None]


def main() -> None:
    attempts = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    throttle.FREE_PER_NAME = throttle.FREE_PER_ADDRESS = 10**9
    with tempfile.TemporaryDirectory() as scratch, live_hub(hub_settings(Path(scratch) / "data")) as live:
        people(live)
        kinds = {
            "right": lambda: enter(live, "alice", PASSWORD),
            "wrong": lambda: refused(live, "alice", "not the password"),
            "unknown": lambda: refused(live, "nobody", "not the password"),
            "locked": lambda: refused(live, "locked", PASSWORD),
        }
        report(measured(kinds, attempts))


def people(live: LiveHub) -> None:
    live.enrol_first()
    with live.dial(live.log_in("admin")) as admin:
        live.create(admin, "alice", "access")
        live.create(admin, "locked", "access")
        admin.call(LOCKS_CREATE, locks_pb2.CreateLockRequest(target="user", name="locked"))


def enter(live: LiveHub, name: str, password: str) -> None:
    live.contact.web.post("/v1/webapi/login", {"user": name, "password": password})


def refused(live: LiveHub, name: str, password: str) -> None:
    try:
        enter(live, name, password)
    except NotLoggedIn:
        return
    raise AssertionError("let in")


def measured(kinds: dict[str, Attempt], attempts: int) -> dict[str, list[float]]:
    """Milliseconds of each kind, in an order that no drift of the machine can favour."""
    order = [kind for kind in kinds for _ in range(attempts)]
    random.Random(1).shuffle(order)
    for attempt in kinds.values():
        attempt()
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for kind in order:
        begun = time.perf_counter()
        kinds[kind]()
        times[kind].append((time.perf_counter() - begun) * 1_000)
    return times


def report(times: dict[str, list[float]]) -> None:
    print(f"{'login':<10}{'n':>5}{'median ms':>12}{'p95 ms':>10}")
    for kind, taken in times.items():
        p95 = statistics.quantiles(taken, n=20)[-1]
        print(f"{kind:<10}{len(taken):>5}{statistics.median(taken):>12.1f}{p95:>10.1f}")
    failures = [statistics.median(times[kind]) for kind in ("wrong", "unknown", "locked")]
    spread = (max(failures) - min(failures)) / min(failures)
    print(f"medians of the three failures differ by {spread:.1%}")


if __name__ == "__main__":
    main()
