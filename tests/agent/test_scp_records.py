"""The old protocol of scp: files found whatever the pieces, cut files, complaints, and noise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.agent.scp_records import MAX_LINE, ScpRecords, Sent

STREAM = (
    b"T1700000000 0 1700000000 0\nD0755 0 dir\nC0644 5 a\nhello\0C0600 0 b c\n\0"
    b"D0755 0 sub\nC0644 3 d\n\n\0\n\0E\nE\n"
    b"\x01scp: e: Permission denied\nC0644 1 f\nx\0"
)
FILES = [
    Sent("dir/a", 5, ok=True),
    Sent("dir/b c", 0, ok=True),
    Sent("dir/sub/d", 3, ok=True),
    Sent("f", 1, ok=True),
]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8).map(sorted))
def test_files_are_found_whatever_the_pieces(cuts: list[int]) -> None:
    records, found = ScpRecords(), []
    for start, end in zip([0, *cuts], [*cuts, len(STREAM)], strict=True):
        found += records.feed(STREAM[start:end])
    assert found == FILES
    assert records.rest() == []


def test_a_file_that_was_cut_off_is_told_of_once() -> None:
    records = ScpRecords()
    assert records.feed(b"C0644 10 a\nabc") == []
    assert records.rest() == [Sent("a", 3, ok=False)]
    assert records.rest() == []


def test_a_file_whose_source_complains_is_not_whole() -> None:
    assert ScpRecords().feed(b"C0644 2 a\nab\x01read error\n") == [Sent("a", 2, ok=False)]


@pytest.mark.parametrize(
    "noise", [b"hello\n", b"C0644 x a\n", b"C0644 5 a/b\n", b"E\n", b"x" * (MAX_LINE + 1)]
)
def test_what_is_not_the_protocol_is_followed_no_further(noise: bytes) -> None:
    records = ScpRecords()
    assert records.feed(noise + b"C0644 1 a\nx\0") == []
    assert records.is_lost


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_noise_breaks_nothing(pieces: list[bytes]) -> None:
    records = ScpRecords()
    for piece in pieces:
        records.feed(piece)
    records.rest()
