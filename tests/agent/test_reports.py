"""What a node has to tell: numbered without gaps, kept until it is heard, across restarts and crashes."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from daemons.agent import reports as reports_
from daemons.agent.reports import WINDOW, Reports
from mezite.api.tunnel.orders import Report, Told
from mezite.errors import Damaged
from tests.support.clock import FakeClock

ID = "4b5a6d8e-0000-4000-8000-000000000001"


def opened(place: Path) -> Reports:
    return Reports(place, FakeClock())


def tell(reports: Reports, times: int = 1) -> None:
    for _ in range(times):
        reports.tell(Told.EXEC, ID, command="id")


def numbers(told: list[Report]) -> list[int]:
    return [report.number for report in told]


def test_what_is_told_is_sent_in_order_and_again_on_the_next_line(tmp_path: Path) -> None:
    reports, first, second = opened(tmp_path), list[Report](), list[Report]()
    tell(reports)
    reports.line_is(first.append)
    tell(reports, 2)
    assert numbers(first) == [1, 2, 3]
    reports.heard(2)
    reports.line_is(None)
    tell(reports)
    reports.line_is(second.append)
    assert numbers(second) == [3, 4]
    assert second[0] == first[2]


def test_a_restart_forgets_nothing_and_uses_no_number_again(tmp_path: Path) -> None:
    reports, told = opened(tmp_path), list[Report]()
    tell(reports, 2)
    reports.close()
    again = opened(tmp_path)
    again.line_is(told.append)
    tell(again)
    assert numbers(told) == [1, 2, 3]
    again.heard(3)
    again.close()
    last = opened(tmp_path)
    told.clear()
    last.line_is(told.append)
    tell(last)
    assert numbers(told) == [4]


def test_a_line_torn_by_a_crash_was_never_told(tmp_path: Path) -> None:
    reports, told = opened(tmp_path), list[Report]()
    tell(reports)
    reports.close()
    with (tmp_path / "reports").open("ab") as spool:
        spool.write(b'{"type":"report","num')
    again = opened(tmp_path)
    tell(again)
    again.close()
    last = opened(tmp_path)
    last.line_is(told.append)
    assert numbers(told) == [1, 2]


def test_a_spool_that_is_none_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "reports").write_bytes(b"nonsense\n")
    with pytest.raises(Damaged, match="move it away"):
        opened(tmp_path)


def test_only_so_many_are_under_way(tmp_path: Path) -> None:
    reports, told = opened(tmp_path), list[Report]()
    tell(reports, WINDOW + 10)
    reports.line_is(told.append)
    assert len(told) == WINDOW
    reports.heard(5)
    assert len(told) == WINDOW + 5


def test_what_was_never_sent_cannot_have_been_heard(tmp_path: Path) -> None:
    reports, told = opened(tmp_path), list[Report]()
    tell(reports, 3)
    reports.heard(3)
    reports.line_is(told.append)
    assert numbers(told) == [1, 2, 3]


def test_a_full_spool_says_so_until_it_is_heard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports_, "MAX_BYTES", 500)
    reports = opened(tmp_path)
    tell(reports, 5)
    assert reports.is_full
    reports.line_is(lambda _report: None)
    reports.heard(5)
    assert not reports.is_full


def test_a_disk_that_takes_half_a_line_spoils_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports, told, write = opened(tmp_path), list[Report](), os.write
    tell(reports)

    def half(file: int, data: bytes) -> int:
        if len(data) < 40:
            raise OSError(errno.ENOSPC, "no space left on device")
        return write(file, data[: len(data) // 2])

    full = []
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", half)
        tell(reports, 2)
        full.append(reports.is_full)
    tell(reports)
    full.append(reports.is_full)
    assert full == [True, False]
    reports.close()
    again = opened(tmp_path)
    again.line_is(told.append)
    assert numbers(told) == [1, 2]
    assert told[1].facts["lost"] == 2


def test_a_write_in_pieces_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reports, told, write = opened(tmp_path), list[Report](), os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:7]))
        tell(reports, 2)
    reports.close()
    again = opened(tmp_path)
    again.line_is(told.append)
    assert numbers(told) == [1, 2]


def test_a_disk_too_full_to_begin_again_keeps_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reports = opened(tmp_path)
    reports.line_is(lambda _report: None)
    tell(reports)

    def nothing(_file: int, _data: bytes) -> int:
        raise OSError(errno.ENOSPC, "no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nothing)
        reports.heard(1)
    reports.close()
    told = list[Report]()
    again = opened(tmp_path)
    again.line_is(told.append)
    assert numbers(told) == [1]


def test_a_damaged_line_is_passed_over_with_its_number(tmp_path: Path) -> None:
    reports, told = opened(tmp_path), list[Report]()
    tell(reports)
    reports.close()
    with (tmp_path / "reports").open("ab") as spool:
        spool.write(b'{"type":"report","number":2,"ti{"type":"report","number":3}\n')
    again = opened(tmp_path)
    tell(again)
    again.line_is(told.append)
    assert numbers(told) == [1, 4]


def test_what_has_no_room_is_counted_and_ends_still_have_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reports_, "MAX_BYTES", 1_000)
    reports, told = opened(tmp_path), list[Report]()
    tell(reports, 500)
    kept = len(reports_of(reports))
    assert kept < 10
    assert (tmp_path / "reports").stat().st_size < 1_500
    reports.tell(Told.SESSION_END, ID)
    reports.line_is(told.append)
    assert told[-1].kind is Told.SESSION_END
    assert told[-1].facts["lost"] == 500 - kept


def reports_of(reports: Reports) -> list[Report]:
    told = list[Report]()
    reports.line_is(told.append)
    reports.line_is(None)
    return told


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["tell", "line", "lost", "heard", "restart"]), max_size=40))
def test_everything_told_is_heard_of_once_in_order(tmp_path: Path, steps: list[str]) -> None:
    (tmp_path / "reports").unlink(missing_ok=True)
    reports, known, count, has_line = opened(tmp_path), list[int](), 0, False

    def hear(report: Report) -> None:
        if report.number > (known[-1] if known else 0):
            known.append(report.number)

    for step in [*steps, "line"]:
        match step:
            case "tell":
                tell(reports)
                count += 1
            case "line":
                reports.line_is(hear)
                has_line = True
            case "lost":
                reports.line_is(None)
                has_line = False
            case "heard" if has_line and known:
                reports.heard(known[-1])
            case "restart":
                reports.close()
                reports, has_line = opened(tmp_path), False
    assert known == list(range(1, count + 1))
    reports.close()
