"""Judging a stored chain: what was done to it, where, and how far it is sound. Pure; others read the rows.

Given the records in the order of their numbers, the heads that vouch for them, and the audit keys:

1. Every number from 1 up is there once, and each hash follows from the one before, the number and the body.
2. A genuine head names a record that is there, with that very hash. A head from outside the database counts
   like one inside; unsigned, it is as good as whoever kept it.
3. After a fault, judging goes on from the hash as stored, so that one act is told as one finding.
4. A broken link is never explained away: some record is named for it.

A chain rewritten from some place to its end links up in itself: only a head signed before, beyond that place,
gives it away. A tail cut off together with every head beyond it is seen only with a head kept outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, Protocol

from mezite.audit.chain import GENESIS, Head, Record, link
from mezite.audit.displaced import MAX_SUSPECTS, Suspect, sort_out
from mezite.audit.head_file import Fall
from mezite.audit.heads import is_genuine

MAX_FINDINGS: Final = 1_000
"""Kept; the rest is only counted. Whoever changed so much has been found out."""


class Fault(StrEnum):
    EDITED = "edited"
    DELETED = "deleted"
    REORDERED = "reordered"
    DUPLICATE = "duplicate"
    TRUNCATED = "truncated"
    REWRITTEN = "rewritten"
    """The links may hold, but a head says that another hash stood there."""
    FORGED_HEAD = "forged_head"
    WRONG_END = "wrong_end"
    """The writer's own note of the end names another record than the last."""
    MISFILED = "misfiled"
    """The columns that are searched do not say what the body says."""
    HEADS_FELL = "heads_fell"
    """The heads kept outside go back to an earlier event."""


_JOINED: Final = frozenset((Fault.EDITED, Fault.MISFILED, Fault.DUPLICATE))


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault, from event `seq` to event `last`; `what` is the line a person reads."""

    kind: Fault
    seq: int
    last: int
    what: str


@dataclass(frozen=True, slots=True)
class Report:
    """What came out."""

    events: int
    findings: tuple[Finding, ...]
    unlisted: int
    """Findings beyond those kept."""
    end: Record | None
    sound_to: int
    """The last number before the first fault."""
    vouched_to: int
    """The newest event that a signed head names: up to here nobody without the key can have rewritten it."""
    witnesses: int
    """Heads from outside the database that were believed. Without any, some cuts cannot be seen."""

    @property
    def sound(self) -> bool:
        return not self.findings


class Trail(Protocol):
    """What is read of a stored trail, as one consistent view."""

    def records(self, *, after: int, limit: int) -> Sequence[Record]: ...

    def head(self) -> Head | None: ...

    def signed_heads(self, *, after: int = 0, limit: int) -> Sequence[Head]: ...


class Verifier:
    """Takes heads and records in the order of their numbers, in pieces of any size, then says what it found.

    A head is expected before its record is read.
    """

    def __init__(self, keys: Mapping[str, bytes], outside: Iterable[Head] = ()) -> None:
        """`keys`: the audit keys, raw Ed25519, by their ids. `outside`: heads that were kept elsewhere."""
        self._keys = keys
        self._findings: list[Finding] = []
        self._unlisted = 0
        self._expected: dict[int, list[Head]] = {}
        self._heads_to = 0
        self._suspects: list[Suspect] = []
        self._events = 0
        self._end: Record | None = None
        self._vouched_to = 0
        self._witnesses = 0
        for head in outside:
            self.expect(head, outside=True)

    def step(self, trail: Trail, *, limit: int) -> bool:
        """Reads and judges the next records and their heads; False once the end is judged too.

        All is read before anything is judged, so a view that fails may be tried again.
        """
        records = trail.records(after=self._last, limit=limit)
        horizon = records[-1].seq if records else None
        heads = self._heads_until(trail, horizon, limit)
        end = trail.head()
        for head in heads:
            self.expect(head)
        # A head of what is already judged may be stored later than this view: the next verification sees it.
        self._heads_to = max(self._heads_to, horizon or 0, *(head.seq for head in heads))
        for record in records:
            self.read(record)
        if not records:
            self.judge_end(end)
        return bool(records)

    def expect(self, head: Head, *, outside: bool = False) -> None:
        """A head that the records must agree with. Only one from outside may be unsigned."""
        if head.seq <= self._last:
            raise ValueError(f"the head of event {head.seq} came after the event")
        believed = outside and not head.key_id and not head.signature
        if believed or is_genuine(head, self._keys):
            self._witnesses += outside
            self._expected.setdefault(head.seq, []).append(head)
        else:
            whose = "given" if outside else "stored"
            self._find(
                Fault.FORGED_HEAD, head.seq, f"the {whose} head of event {head.seq} is not signed by us"
            )

    def read(self, record: Record) -> None:
        """The next record."""
        self._events += 1
        due = self._last + 1
        if record.seq < due:
            self._judge_repeated(record, due)
            return
        previous = self._end.hash if self._end else GENESIS
        if record.seq > due:
            self._find(Fault.DELETED, due, _missing(due, record.seq - 1), record.seq - 1)
        elif link(previous, record.seq, record.body).hash != record.hash:
            self._suspect(Suspect(record, previous))
        self._compare_heads(record)
        self._end = record

    def misfiled(self, seqs: Iterable[int]) -> None:
        """Numbers whose index columns were found not to say what the body says."""
        for seq in seqs:
            self._find(Fault.MISFILED, seq, f"event {seq} is filed under words that are not its own")

    def fell(self, fall: Fall) -> None:
        """The hub's own file of heads was found to go back."""
        what = (
            f"the heads kept outside go back from event {fall.high} to {fall.low}: a cut log was signed anew"
        )
        self._find(Fault.HEADS_FELL, fall.low + 1, what, fall.high)

    def judge_end(self, end: Head | None) -> None:
        """The writer's own note of where the chain ends; None when it has none."""
        told = (end.seq, end.hash) if end else (0, GENESIS)
        found = (self._end.seq, self._end.hash) if self._end else (0, GENESIS)
        if told[0] > found[0]:
            self._find_cut(told[0], "its writer had come to")
        elif told != found:
            what = f"the log ends with event {found[0]}, but its writer noted another end"
            self._find(Fault.WRONG_END, max(found[0], 1), what)

    def report(self) -> Report:
        """Everything found, in the order of place. The last call."""
        self._sort_out_suspects()
        if beyond := max((seq for seq in self._expected if seq > self._last), default=0):
            self._find_cut(beyond, "a head vouches for")
        findings = _join(sorted(self._findings, key=lambda finding: (finding.seq, finding.kind)))
        return Report(
            events=self._events,
            findings=tuple(findings),
            unlisted=self._unlisted,
            end=self._end,
            sound_to=min((finding.seq - 1 for finding in findings), default=self._last),
            vouched_to=self._vouched_to,
            witnesses=self._witnesses,
        )

    @property
    def _last(self) -> int:
        return self._end.seq if self._end else 0

    def _heads_until(self, trail: Trail, horizon: int | None, limit: int) -> list[Head]:
        heads: list[Head] = []
        after = self._heads_to
        while page := trail.signed_heads(after=after, limit=limit):
            heads += page
            after = page[-1].seq
            if horizon is not None and after >= horizon:
                break
        return heads

    def _judge_repeated(self, record: Record, due: int) -> None:
        if record.seq == due - 1:
            self._find(Fault.DUPLICATE, record.seq, f"event {record.seq} is there twice")
        else:
            self._find(Fault.REORDERED, record.seq, f"event {record.seq} stands after event {due - 1}")

    def _suspect(self, suspect: Suspect) -> None:
        if len(self._suspects) < MAX_SUSPECTS:
            self._suspects.append(suspect)
        else:
            self._find_edited(suspect.record.seq)

    def _sort_out_suspects(self) -> None:
        found = sort_out(self._suspects)
        for here, there in found.moved.items():
            self._find(Fault.REORDERED, here, f"event {here} is the one that was written as event {there}")
        for seq in found.changed:
            self._find_edited(seq)
        self._suspects.clear()

    def _compare_heads(self, record: Record) -> None:
        heads = self._expected.pop(record.seq, [])
        if any(head.hash != record.hash for head in heads):
            what = f"event {record.seq} is not what a head was made of: it, or some before it, were rewritten"
            self._find(Fault.REWRITTEN, record.seq, what)
        elif any(head.signature for head in heads) and not self._findings and not self._suspects:
            self._vouched_to = record.seq

    def _find_edited(self, seq: int) -> None:
        self._find(Fault.EDITED, seq, f"event {seq} does not follow from what stands before it")

    def _find_cut(self, until: int, who: str) -> None:
        what = f"the log ends with event {self._last}, but {who} event {until}"
        self._find(Fault.TRUNCATED, self._last + 1, what, until)

    def _find(self, kind: Fault, seq: int, what: str, last: int = 0) -> None:
        if len(self._findings) < MAX_FINDINGS:
            self._findings.append(Finding(kind, seq, max(seq, last), what))
        else:
            self._unlisted += 1


def warnings(report: Report) -> tuple[str, ...]:
    """What the report cannot vouch for though nothing was found."""
    if report.witnesses == 0:
        return ("no head outside the database was found; a cut cannot be seen",)
    return ()


def _missing(first: int, last: int) -> str:
    return f"event {first} is missing" if first == last else f"events {first} to {last} are missing"


def _join(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for a run of neighbours with the same fault."""
    joined: list[Finding] = []
    for finding in findings:
        before = joined[-1] if joined else None
        if (
            before
            and finding.kind is before.kind
            and finding.kind in _JOINED
            and finding.seq <= before.last + 1
        ):
            joined[-1] = replace(before, last=max(before.last, finding.last))
        else:
            joined.append(finding)
    return [
        replace(finding, what=f"{finding.what}, and so on to event {finding.last}")
        if finding.kind in _JOINED and finding.last > finding.seq
        else finding
        for finding in joined
    ]
