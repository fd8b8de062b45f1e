"""A pytest plugin: in CI (`CI=true`) a skipped test is a failed one, unless `tests/skips.txt` says why not.

Elsewhere a skip stays a skip: a laptop without PostgreSQL can still run the rest. An expected failure is
treated alike, as nobody looks at one either. Each line of the list is a node id, in which `*` stands for
anything, then ` # ` and the reason.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

LIST = Path(__file__).parents[1] / "skips.txt"

_CI = pytest.StashKey[bool]()
_ALLOWED = pytest.StashKey[Mapping[str, str]]()


def parse(text: str) -> dict[str, str]:
    """Pattern -> reason; raises ValueError on a line without one."""
    allowed: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        pattern, _, reason = (part.strip() for part in line.partition(" # "))
        if not reason:
            raise ValueError(f"line {number} gives no reason; write: node id # reason")
        allowed[pattern] = reason
    return allowed


def is_allowed(node: str, allowed: Mapping[str, str]) -> bool:
    return any(fnmatchcase(node, pattern) for pattern in allowed)


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_CI] = os.environ.get("CI", "").lower() in ("true", "1")
    try:
        config.stash[_ALLOWED] = parse(LIST.read_text())
    except ValueError as error:
        raise pytest.UsageError(f"{LIST.name}: {error}") from error


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _judge(item.config, report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _judge(collector.config, report)
    return report


def _judge(config: pytest.Config, report: pytest.TestReport | pytest.CollectReport) -> None:
    if not report.skipped or not config.stash[_CI] or is_allowed(report.nodeid, config.stash[_ALLOWED]):
        return
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else getattr(report, "wasxfail", "")
    report.outcome = "failed"
    report.longrepr = f"not run, and tests/skips.txt does not allow that: {report.nodeid}: {why}"
    if hasattr(report, "wasxfail"):
        del report.wasxfail
