"""Numbers for Prometheus. They carry no names: a label is a kind of thing, never a user, node or request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from mezite import __version__
from mezite.errors import MeziteError


class Metrics:
    """One registry per hub, so that two hubs in one process (tests) do not share numbers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry(auto_describe=True)
        Gauge("mezite_build_info", "Version of this hub", ["version"], registry=self.registry).labels(
            __version__
        ).set(1)
        self.logins = Counter(
            "mezite_logins_total", "Login attempts by outcome", ["outcome"], registry=self.registry
        )
        self.calls = Histogram(
            "mezite_call_seconds",
            "Time to answer, by door and outcome",
            ["door", "outcome"],
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
            registry=self.registry,
        )
        self.nodes_online = Gauge(
            "mezite_nodes_online", "Nodes with a live control line", registry=self.registry
        )
        self.audit_events = Gauge("mezite_audit_events", "Length of the audit chain", registry=self.registry)

    @contextmanager
    def timing(self, door: str) -> Iterator[None]:
        """Times one call; its outcome is `ok`, or the status that the error leaves as."""
        started, outcome = time.monotonic(), "ok"
        try:
            yield
        except MeziteError as error:
            outcome = error.wire.grpc.lower()
            raise
        except Exception:
            outcome = "internal"
            raise
        finally:
            self.calls.labels(door, outcome).observe(time.monotonic() - started)

    def login(self, outcome: str) -> None:
        self.logins.labels(outcome).inc()

    def gauge(self, name: str, what: str, read: Callable[[], float]) -> None:
        """A number that is read when somebody asks for it."""
        Gauge(name, what, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        return generate_latest(self.registry)
