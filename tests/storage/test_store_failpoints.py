"""Fail points: armed by the command line alone, deadly once, free otherwise."""

from __future__ import annotations

import os
import signal

import pytest

from mezite.storage import failpoints
from mezite.storage.failpoints import armed


@pytest.fixture
def kills(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    seen: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda *order: seen.append(order))
    return seen


def test_an_armed_point_kills_at_the_nth_time(kills: list[tuple[int, int]]) -> None:
    reach = armed("store.before-commit:3")
    for _ in range(2):
        reach("store.before-commit")
        reach("store.after-commit")
    assert kills == []
    reach("store.before-commit")
    assert kills == [(os.getpid(), signal.SIGKILL)]


def test_without_a_number_it_is_the_first_time(kills: list[tuple[int, int]]) -> None:
    armed("store.after-told")("store.after-told")
    assert len(kills) == 1


@pytest.mark.parametrize("option", [None, True])
def test_unarmed_it_does_nothing(kills: list[tuple[int, int]], option: bool | None) -> None:
    for point in failpoints.POINTS:
        armed(option)(point)
    assert kills == []


def test_the_environment_arms_nothing(monkeypatch: pytest.MonkeyPatch, kills: list[tuple[int, int]]) -> None:
    monkeypatch.setenv("MEZITE_FAILPOINT", "store.before-commit")
    failpoints.reach("store.before-commit")
    assert kills == []
