"""What holds for every test: isolation, time limits, one printed seed, no network but loopback."""

from __future__ import annotations

import ipaddress
import os
import random
import sys
from collections.abc import Iterator

import hypothesis
import pytest

pytest_plugins = ["tests.support.skips"]

SEED = "TEST_SEED"
SLOW_LIMIT_S = 300
LONGEST_ID = 40

# Deadlines of single examples measure the machine, which is shared, and not the code.
hypothesis.settings.register_profile("fast", deadline=None, print_blob=True)
hypothesis.settings.register_profile("chaos", deadline=None, print_blob=True, max_examples=10_000)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--chaos", action="store_true", help="run the chaos tests, and properties at length")


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.load_profile("chaos" if config.getoption("--chaos") else "fast")
    # The workers of a parallel run inherit it, so that all of them draw from one seed.
    os.environ.setdefault(SEED, str(random.SystemRandom().randrange(2**32)))
    sys.addaudithook(_loopback_only)


def pytest_report_header() -> str:
    return f"seed: {SEED}={os.environ[SEED]}"


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Long values lend no test their name: unreadable, and fresh keys differ from worker to worker."""
    return argname if isinstance(val, str | bytes) and len(val) > LONGEST_ID else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Slow ones last, with more time; chaos only when asked for."""
    chaos = config.getoption("--chaos")
    chosen = [item for item in items if (item.get_closest_marker("chaos") is None) or chaos]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    for item in chosen:
        if item.get_closest_marker("slow") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(SLOW_LIMIT_S))
    items[:] = sorted(chosen, key=lambda item: item.get_closest_marker("slow") is not None)


@pytest.fixture(autouse=True)
def isolated(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A home of its own, and none of the settings that whoever runs the tests may have."""
    for name in [name for name in os.environ if name.startswith("MEZITE_")]:
        monkeypatch.delenv(name)
    for name in ("NOTIFY_SOCKET", "NO_COLOR", "SSH_AUTH_SOCK"):
        monkeypatch.delenv(name, raising=False)
    # A hub that a test kills would leave its relays waiting for the next one.
    monkeypatch.setenv("MEZITE_RELAYS_END_WITH", str(os.getpid()))
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> random.Random:
    """Randomness that the printed seed repeats, whichever tests ran before and in whichever process."""
    return random.Random(f"{os.environ[SEED]} {request.node.nodeid}")


@pytest.fixture(autouse=True)
def seeded(rng: random.Random) -> Iterator[None]:
    state = random.getstate()
    random.seed(rng.random())
    yield
    random.setstate(state)


def _loopback_only(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.sendto"):
        address = arguments[1]
        if isinstance(address, tuple) and not _is_local(str(address[0])):
            raise RuntimeError(f"a test reached for the network: {address}")


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host in ("localhost", "")
    return address.is_loopback or address.is_unspecified
