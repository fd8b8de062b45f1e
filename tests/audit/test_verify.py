"""Verification: a sound chain is sound, and each thing done to it is found, at its place, by its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import assume, given
from hypothesis import strategies as st

from mezite.audit.chain import GENESIS, Head, Record, link
from mezite.audit.heads import sign_head
from mezite.audit.verify import MAX_FINDINGS, Fault, Report, Verifier

NOON = datetime(2026, 3, 24, 12, 0, tzinfo=UTC)
KEY = Ed25519PrivateKey.generate()
KEYS = {"ca_1": KEY.public_key().public_bytes_raw()}
STRANGER = Ed25519PrivateKey.generate()


@cache
def chain(length: int, *, story: str = "event") -> tuple[Record, ...]:
    records: list[Record] = []
    previous = GENESIS
    for seq in range(1, length + 1):
        records.append(link(previous, seq, f"{story} {seq}"))
        previous = records[-1].hash
    return tuple(records)


def head_of(record: Record, key: Ed25519PrivateKey = KEY, key_id: str = "ca_1") -> Head:
    return sign_head(key, key_id, Head(record.seq, record.hash, NOON), NOON)


def unsigned(record: Record) -> Head:
    return Head(record.seq, record.hash, NOON)


@dataclass
class Stored:
    """A trail as somebody left it."""

    rows: Sequence[Record]
    heads: Sequence[Head] = ()
    end: Head | None = None

    def records(self, *, after: int, limit: int) -> list[Record]:
        ordered = sorted(self.rows, key=lambda record: record.seq)
        return [record for record in ordered if record.seq > after][:limit]

    def signed_heads(self, *, after: int = 0, limit: int) -> list[Head]:
        ordered = sorted(self.heads, key=lambda head: head.seq)
        return [head for head in ordered if head.seq > after][:limit]

    def head(self) -> Head | None:
        return self.end


def judge(
    rows: Sequence[Record],
    *,
    heads: Iterable[Head] = (),
    outside: Iterable[Head] = (),
    end: Head | str | None = "of the last row",
    limit: int = 3,
) -> Report:
    noted = (unsigned(rows[-1]) if rows else None) if isinstance(end, str) else end
    verifier = Verifier(KEYS, outside)
    trail = Stored(rows, list(heads), noted)
    while verifier.step(trail, limit=limit):
        pass
    return verifier.report()


def found(report: Report) -> list[tuple[Fault, int, int]]:
    return [(finding.kind, finding.seq, finding.last) for finding in report.findings]


# Sound chains


@given(st.integers(0, 40), st.integers(1, 50), st.data())
def test_a_sound_chain_is_sound_in_pieces_of_any_size(length: int, limit: int, data: st.DataObject) -> None:
    rows = chain(length)
    marked = data.draw(st.lists(st.sampled_from(rows), unique=True)) if rows else []
    report = judge(rows, heads=map(head_of, marked), limit=limit)
    assert report.sound
    assert (report.events, report.sound_to) == (length, length)
    assert report.end == (rows[-1] if rows else None)
    assert report.vouched_to == max((record.seq for record in marked), default=0)


def test_heads_kept_outside_agree_with_a_sound_chain() -> None:
    rows = chain(9)
    report = judge(rows, outside=[head_of(rows[3]), unsigned(rows[8])])
    assert report.sound
    assert report.vouched_to == 4


def test_many_heads_of_one_event_are_welcome() -> None:
    rows = chain(5)
    assert judge(rows, heads=[head_of(rows[4])], outside=[head_of(rows[4]), unsigned(rows[4])]).sound


# One act each


def edited(seq: int, body: str = "nothing happened") -> Callable[[tuple[Record, ...]], list[Record]]:
    return lambda rows: [replace(row, body=body) if row.seq == seq else row for row in rows]


@given(st.integers(1, 12))
def test_an_edited_body_is_found_in_place(seq: int) -> None:
    report = judge(edited(seq)(chain(12)))
    assert found(report) == [(Fault.EDITED, seq, seq)]
    assert report.sound_to == seq - 1
    assert f"event {seq} " in report.findings[0].what


@given(st.integers(1, 11))
def test_an_edited_hash_is_found_where_it_is(seq: int) -> None:
    rows = [replace(row, hash=bytes(32)) if row.seq == seq else row for row in chain(12)]
    kinds = {(kind, place) for kind, place, _ in found(judge(rows))}
    assert (Fault.EDITED, seq) in kinds
    assert {place for _, place in kinds} <= {seq, seq + 1}


@given(st.integers(1, 11))
def test_an_edit_that_mends_its_own_hash_is_found_behind_it(seq: int) -> None:
    rows = list(chain(12))
    previous = rows[seq - 2].hash if seq > 1 else GENESIS
    rows[seq - 1] = link(previous, seq, "nothing happened")
    report = judge(rows)
    assert found(report) == [(Fault.EDITED, seq + 1, seq + 1)]


@given(st.integers(1, 12), st.integers(1, 12))
def test_deleted_records_are_found_as_one_gap(first: int, last: int) -> None:
    assume(first <= last < 12)
    rows = [row for row in chain(12) if not first <= row.seq <= last]
    report = judge(rows)
    assert found(report) == [(Fault.DELETED, first, last)]
    assert report.events == 12 - (last - first + 1)


def swapped(a: int, b: int, *, keep_hashes: bool) -> list[Record]:
    rows = list(chain(12))
    first, second = rows[a - 1], rows[b - 1]
    hashes = (first.hash, second.hash) if keep_hashes else (second.hash, first.hash)
    rows[a - 1], rows[b - 1] = Record(a, second.body, hashes[0]), Record(b, first.body, hashes[1])
    return rows


@given(st.integers(1, 12), st.integers(1, 12), st.booleans())
def test_swapped_records_are_found_with_the_places_they_came_from(a: int, b: int, keep_hashes: bool) -> None:
    assume(a < b)
    report = judge(swapped(a, b, keep_hashes=keep_hashes), end=unsigned(chain(12)[-1]))
    told = {finding.seq: finding.what for finding in report.findings if finding.kind is Fault.REORDERED}
    assert told[a] == f"event {a} is the one that was written as event {b}"
    assert told[b] == f"event {b} is the one that was written as event {a}"
    others = {finding.kind for finding in report.findings} - {Fault.REORDERED}
    assert others <= {Fault.WRONG_END}  # the last row took part and its hash went with it
    assert report.sound_to == a - 1


@given(st.integers(0, 11), st.sampled_from(["writer", "head", "outside", "unsigned outside"]))
def test_a_cut_tail_is_found_by_whatever_reaches_beyond_it(kept: int, witness: str) -> None:
    rows = chain(12)
    report = judge(
        rows[:kept],
        heads=[head_of(rows[-1])] if witness == "head" else [],
        outside={"outside": [head_of(rows[-1])], "unsigned outside": [unsigned(rows[-1])]}.get(witness, []),
        end=unsigned(rows[-1]) if witness == "writer" else unsigned(rows[kept - 1]) if kept else None,
    )
    assert found(report) == [(Fault.TRUNCATED, kept + 1, 12)]
    assert report.sound_to == kept
    assert f"ends with event {kept}" in report.findings[0].what


def test_a_tail_cut_with_all_its_witnesses_needs_a_head_from_outside() -> None:
    rows = chain(12)
    assert judge(rows[:6], heads=[head_of(rows[3])]).sound
    assert not judge(rows[:6], heads=[head_of(rows[3])], outside=[head_of(rows[9])]).sound


@pytest.mark.parametrize("from_outside", [True, False])
def test_a_chain_rewritten_to_its_end_is_found_by_an_older_head(from_outside: bool) -> None:
    rows = chain(12)
    rewritten = list(rows[:4])
    for seq in range(5, 13):
        rewritten.append(link(rewritten[-1].hash, seq, f"other {seq}"))
    heads = [head_of(rows[2]), head_of(rows[9])]
    report = judge(rewritten, outside=heads) if from_outside else judge(rewritten, heads=heads)
    assert found(report) == [(Fault.REWRITTEN, 10, 10)]
    assert report.vouched_to == 3


@pytest.mark.parametrize(
    "forged",
    [
        head_of(chain(12)[5], STRANGER),
        head_of(chain(12)[5], STRANGER, "ca_9"),
        unsigned(chain(12)[5]),
        replace(head_of(chain(12)[6]), seq=6),
        replace(head_of(chain(12)[5]), hash=bytes(32)),
    ],
)
def test_a_forged_head_in_the_database_is_found(forged: Head) -> None:
    report = judge(chain(12), heads=[forged])
    assert found(report) == [(Fault.FORGED_HEAD, 6, 6)]
    assert report.vouched_to == 0


def test_a_forged_head_from_outside_is_found_too() -> None:
    report = judge(chain(12), outside=[head_of(chain(12)[5], STRANGER)])
    assert found(report) == [(Fault.FORGED_HEAD, 6, 6)]
    assert "given head" in report.findings[0].what


def test_a_duplicate_and_a_straggler_are_found_in_an_export() -> None:
    rows = chain(6)
    verifier = Verifier(KEYS)
    for record in (*rows[:3], rows[2], rows[3], rows[1], *rows[4:]):
        verifier.read(record)
    report = verifier.report()
    assert found(report) == [(Fault.REORDERED, 2, 2), (Fault.DUPLICATE, 3, 3)]
    assert report.events == 8


@pytest.mark.parametrize("end", [None, unsigned(chain(12)[4]), Head(12, bytes(32), NOON)])
def test_a_writer_who_noted_another_end_is_found(end: Head | None) -> None:
    assert found(judge(chain(12), end=end)) == [(Fault.WRONG_END, 12, 12)]


def test_misfiled_records_are_told_as_runs() -> None:
    verifier = Verifier(KEYS)
    verifier.misfiled([2, 3, 4, 9])
    report = verifier.report()
    assert found(report) == [(Fault.MISFILED, 2, 4), (Fault.MISFILED, 9, 9)]
    assert report.findings[0].what.endswith("and so on to event 4")


# Several acts, and large ones


def test_judging_goes_on_after_the_first_fault() -> None:
    rows = [row for row in edited(3)(chain(30)) if not 10 <= row.seq <= 12]
    rows = [replace(row, body="x") if row.seq == 20 else row for row in rows]
    report = judge(rows, outside=[head_of(chain(40)[-1])])
    assert found(report) == [
        (Fault.EDITED, 3, 3),
        (Fault.DELETED, 10, 12),
        (Fault.EDITED, 20, 20),
        (Fault.TRUNCATED, 31, 40),
    ]
    assert report.sound_to == 2


def test_records_renumbered_over_a_deleted_one_are_a_run_of_edits() -> None:
    rows = [row if row.seq < 5 else replace(row, seq=row.seq - 1) for row in chain(60) if row.seq != 5]
    report = judge(rows, end=unsigned(chain(60)[-1]))
    assert report.findings[0].seq == 5
    assert report.sound_to == 4
    assert (Fault.TRUNCATED, 60, 60) in found(report)


def test_findings_are_bounded_and_the_rest_is_counted() -> None:
    rows = [row for row in chain(2 * MAX_FINDINGS + 20) if row.seq % 2 == 0]
    report = judge(rows, limit=500)
    assert len(report.findings) == MAX_FINDINGS
    assert report.unlisted == 10


mutations = st.one_of(
    st.tuples(st.just("body"), st.integers(0, 11), st.text(max_size=5)),
    st.tuples(st.just("hash"), st.integers(0, 11), st.binary(min_size=32, max_size=32)),
    st.tuples(st.just("drop"), st.integers(0, 11), st.none()),
    st.tuples(st.just("swap"), st.integers(0, 11), st.integers(0, 11)),
    st.tuples(st.just("move"), st.integers(0, 11), st.integers(0, 11)),
)


@given(st.lists(mutations, min_size=1, max_size=6), st.integers(1, 13))
def test_whatever_is_done_to_the_rows_is_never_called_sound(
    acts: list[tuple[str, int, str | bytes | int | None]], limit: int
) -> None:
    """With the writer's note and the last head in place, only the true rows pass."""
    rows: list[Record] = list(chain(12))
    for act, at, value in acts:
        if at >= len(rows):
            continue
        if isinstance(value, str):
            rows[at] = replace(rows[at], body=value)
        elif isinstance(value, bytes):
            rows[at] = replace(rows[at], hash=value)
        elif value is None:
            del rows[at]
        elif value < len(rows) and act == "swap":
            rows[at], rows[value] = (
                replace(rows[value], seq=rows[at].seq),
                replace(rows[at], seq=rows[value].seq),
            )
        elif value < len(rows):
            rows = _moved(rows, at, value)
    report = judge(rows, heads=[head_of(chain(12)[-1])], end=unsigned(chain(12)[-1]), limit=limit)
    assert report.sound == (rows == list(chain(12)))


def _moved(rows: list[Record], at: int, to: int) -> list[Record]:
    order = list(rows)
    order.insert(to, order.pop(at))
    return [replace(record, seq=place.seq) for record, place in zip(order, rows, strict=True)]


# How it reads


def test_a_head_after_its_record_is_the_readers_mistake() -> None:
    verifier = Verifier(KEYS)
    verifier.read(chain(1)[0])
    with pytest.raises(ValueError, match="came after"):
        verifier.expect(head_of(chain(1)[0]))


def test_a_chain_that_grows_while_it_is_read_is_sound() -> None:
    rows = chain(20)
    trail = Stored(rows[:5], [head_of(rows[4])], unsigned(rows[4]))
    verifier = Verifier(KEYS)
    verifier.step(trail, limit=3)
    verifier.step(trail, limit=3)
    # A head of an event already judged is stored late, together with new events and heads.
    trail.heads = [head_of(rows[4]), head_of(rows[3]), head_of(rows[18])]
    trail.rows, trail.end = rows, unsigned(rows[-1])
    while verifier.step(trail, limit=3):
        pass
    report = verifier.report()
    assert report.sound
    assert (report.events, report.vouched_to) == (20, 19)


class Flaky(Stored):
    """Loses its connection once, in the middle of a view."""

    lost = False

    def head(self) -> Head | None:
        if not self.lost:
            self.lost = True
            raise ConnectionError
        return super().head()


def test_a_view_that_failed_is_tried_again_without_doubles() -> None:
    rows = chain(5)
    trail = Flaky(rows, [head_of(rows[2])], unsigned(rows[-1]))
    verifier = Verifier(KEYS)
    with pytest.raises(ConnectionError):
        verifier.step(trail, limit=10)
    while verifier.step(trail, limit=10):
        pass
    assert verifier.report().sound
    assert verifier.report().events == 5
