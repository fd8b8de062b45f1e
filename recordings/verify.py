"""The offline verdict on a recording: what was checked, what holds, and what is wrong where.

Levels, each of which rests on the ones before it:

    structure   records, lengths, trailer
    chain       every record follows the one before, none is missing, moved, repeated or foreign
    signature   the node's key signed the last link, and so all before it
    trust       that key is the node's, by a host certificate of a CA that was given; a closer is a known one
    contents    every chunk opens with the recording key and holds what it says
    receipt     length and last digest are those its receiver acknowledged

Without anchors, keys or a receipt the last three are `not checked`: never the same as good. A recording is
intact only when it is finished and nothing that was checked failed.
Memory stays bounded by the number of chunks; contents are opened one chunk at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from recordings import scan
from recordings.chain import Chain, digest_of, is_signed_by
from recordings.errors import DamagedRecording, Fault, KeyUnavailable
from recordings.format import End, decode_chunk, decode_end
from recordings.frames import MAGIC, MAX_CHUNKS, TRAILER_BYTES, Kind, decode_trailer
from recordings.header import Header, WrappedKey
from recordings.keys import Keyring
from recordings.seal import Opener
from recordings.source import Source
from recordings.trust import TrustAnchors, doubt_about_closer, doubt_about_node

NO_ANCHORS = TrustAnchors()


class Level(Enum):
    """What a verdict speaks about, in order."""

    STRUCTURE = "structure"
    CHAIN = "chain"
    SIGNATURE = "signature"
    TRUST = "trust"
    CONTENTS = "contents"
    RECEIPT = "receipt"


class Answer(Enum):
    """What a verdict says about one level."""

    HOLDS = "holds"
    FAILS = "fails"
    NOT_CHECKED = "not checked"


_LEVEL_OF = {
    Fault.MALFORMED: Level.STRUCTURE,
    Fault.TRUNCATED: Level.STRUCTURE,
    Fault.UNFINISHED: Level.STRUCTURE,
    Fault.TRAILING: Level.STRUCTURE,
    Fault.MISSING: Level.CHAIN,
    Fault.REORDERED: Level.CHAIN,
    Fault.FOREIGN: Level.CHAIN,
    Fault.ALTERED: Level.CHAIN,
    Fault.UNSIGNED: Level.SIGNATURE,
    Fault.UNTRUSTED: Level.TRUST,
    Fault.UNREADABLE: Level.CONTENTS,
    Fault.UNACKNOWLEDGED: Level.RECEIPT,
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    fault: Fault
    detail: str
    offset: int | None = None
    chunk: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a receiver acknowledged: so many bytes, and the link of the last record in them."""

    length: int
    last: bytes


@dataclass(slots=True)
class Verdict:
    """Everything a verification found."""

    header: Header | None = None
    chunks: int = 0
    duration_us: int = 0
    plays_to_us: int = 0
    """Up to where the recording is good, from its beginning."""
    last: bytes = b""
    findings: list[Finding] = field(default_factory=list)
    answers: dict[Level, Answer] = field(default_factory=lambda: dict.fromkeys(Level, Answer.NOT_CHECKED))

    @property
    def intact(self) -> bool:
        return not self.findings

    @property
    def faults(self) -> list[Fault]:
        return [finding.fault for finding in self.findings]

    def hold(self, level: Level) -> None:
        if self.answers[level] is Answer.NOT_CHECKED:
            self.answers[level] = Answer.HOLDS

    def fail(self, fault: Fault, detail: str, *, offset: int | None = None, chunk: int | None = None) -> None:
        self.findings.append(Finding(fault, detail, offset, chunk))
        self.answers[_LEVEL_OF[fault]] = Answer.FAILS

    def fail_for(self, damage: DamagedRecording) -> None:
        self.fail(damage.fault, damage.detail, offset=damage.offset, chunk=damage.chunk)


def verify(
    source: Source,
    *,
    ring: Keyring | None = None,
    more_wraps: Sequence[WrappedKey] = (),
    anchors: TrustAnchors = NO_ANCHORS,
    receipt: Receipt | None = None,
) -> Verdict:
    """Judges a recording. Never raises for what the file holds."""
    verdict = Verdict()
    try:
        chain = scan.begin(source)
    except DamagedRecording as damage:
        verdict.fail_for(_changed(damage) if damage.offset and _ends_well(source) else damage)
        return verdict
    verdict.header = chain.header
    walked = scan.walk(source, chain)
    verdict.chunks, verdict.last = chain.number, chain.link
    verdict.duration_us = verdict.plays_to_us = chain.duration_us
    _judge_walk(verdict, walked, source)
    _judge_signature(verdict, chain, source)
    _judge_trust(verdict, chain, anchors)
    if ring is not None:
        _judge_contents(verdict, chain, source, ring, more_wraps)
    if receipt is not None:
        _judge_receipt(verdict, chain, source, receipt)
    damaged = [finding.chunk for finding in verdict.findings if finding.chunk is not None]
    if damaged and min(damaged) < chain.number:
        verdict.plays_to_us = chain.index[min(damaged)].start_us
    return verdict


def _judge_walk(verdict: Verdict, walked: scan.Walk, source: Source) -> None:
    damage = walked.stopped_by
    if damage is None and walked.chain.end is None:
        detail = "no end record: still being written, or its writer died"
        verdict.fail(Fault.UNFINISHED, detail, offset=walked.whole_bytes)
    elif damage is not None:
        verdict.fail_for(_named(damage, walked.chain, source))
    verdict.hold(Level.STRUCTURE)
    verdict.hold(Level.CHAIN)


def _named(damage: DamagedRecording, chain: Chain, source: Source) -> DamagedRecording:
    """The damage by its right name: what the walk saw first is not always what was done."""
    # What does not follow may be whole: then the signature of the record before it is the wrong one.
    if chain.header.node_key and chain.end is None and not chain.is_signed:
        return _last_altered(chain)
    match damage.fault:
        # A skipped number is a removed chunk, unless that chunk stands further on.
        case Fault.MISSING if chain.number in _numbers_from(source, damage.offset, chain.header.id):
            detail = f"chunk {chain.number} stands further on"
            return DamagedRecording(Fault.REORDERED, detail, offset=damage.offset, chunk=chain.number)
        # Nothing is cut off a file that still ends as it should: a length or a field in it was changed.
        case Fault.TRUNCATED | Fault.MALFORMED if _ends_well(source) and not _is_signed_end(
            source, damage, chain
        ):
            return _changed(damage)
        case _:
            return damage


def _changed(damage: DamagedRecording) -> DamagedRecording:
    return DamagedRecording(
        Fault.ALTERED, f"changed bytes: {damage.detail}", offset=damage.offset, chunk=damage.chunk
    )


def _ends_well(source: Source) -> bool:
    size = source.size()
    back = decode_trailer(source.read_at(max(size - TRAILER_BYTES, 0), TRAILER_BYTES))
    return back is not None and back + TRAILER_BYTES < size


def _is_signed_end(source: Source, damage: DamagedRecording, chain: Chain) -> bool:
    try:
        record = scan.read_record(source, damage.offset, source.size())
        end = decode_end(record.payload, record.offset)
    except DamagedRecording:
        return False
    key = end.closer_key or chain.header.node_key
    digest = digest_of(Kind.END, end.last, record.payload)
    return record.kind is Kind.END and is_signed_by(key, digest, record.signature)


def _numbers_from(source: Source, offset: int, recording_id: bytes) -> set[int]:
    numbers: set[int] = set()
    size = source.size()
    try:
        while offset < size and len(numbers) < MAX_CHUNKS:
            record = scan.read_record(source, offset, size)
            if record.kind is Kind.CHUNK:
                chunk = decode_chunk(record.payload, offset)
                if chunk.id == recording_id:
                    numbers.add(chunk.number)
            offset = record.end
    except DamagedRecording:
        return numbers  # what cannot be read cannot hold the chunk looked for
    return numbers


def _last_altered(chain: Chain) -> DamagedRecording:
    if chain.number == 0:
        return DamagedRecording(Fault.ALTERED, "the header was changed", offset=len(MAGIC))
    number = chain.number - 1
    offset = chain.index[number].offset
    if not chain.signature:
        return DamagedRecording(Fault.UNSIGNED, "its signature was removed", offset=offset, chunk=number)
    return DamagedRecording(Fault.ALTERED, "this chunk was changed", offset=offset, chunk=number)


def _judge_signature(verdict: Verdict, chain: Chain, source: Source) -> None:
    if not chain.signer_key:
        verdict.fail(Fault.UNSIGNED, "the recording names no key and carries no signature")
    elif chain.is_signed:
        verdict.hold(Level.SIGNATURE)
    else:
        verdict.answers[Level.SIGNATURE] = Answer.FAILS
        # a link that failed has its finding: the same damage is not told twice
        if verdict.answers[Level.CHAIN] is not Answer.FAILS:
            verdict.fail_for(_first_unsigned(chain, source))
            verdict.answers[Level.SIGNATURE] = Answer.FAILS


def _first_unsigned(chain: Chain, source: Source) -> DamagedRecording:
    """The first record whose signature is missing or wrong. One good signature vouches for all before it."""
    again = scan.begin(source)
    size = source.size()
    offset, number = len(MAGIC), None
    while again.is_signed and again.end is None and again.length < size:
        offset, number = again.length, again.number
        if isinstance(again.admit(scan.read_record(source, offset, size)), End):
            number = None
    if not again.signature:
        return DamagedRecording(Fault.UNSIGNED, "a record without its signature", offset=offset, chunk=number)
    what = "end record" if again.end else "header" if number is None else "chunk"
    return DamagedRecording(Fault.ALTERED, f"the {what}'s signature is wrong", offset=offset, chunk=number)


def _judge_trust(verdict: Verdict, chain: Chain, anchors: TrustAnchors) -> None:
    if anchors.host_cas:
        doubt = doubt_about_node(chain.header, anchors.host_cas)
        if doubt is not None:
            verdict.fail(Fault.UNTRUSTED, doubt)
    # Asked without anchors too: a stranger's end record closes nothing.
    if chain.end is not None:
        doubt = doubt_about_closer(chain.end, anchors.closers)
        if doubt is not None:
            verdict.fail(Fault.UNTRUSTED, doubt)
    if anchors.host_cas:
        verdict.hold(Level.TRUST)


def _judge_contents(
    verdict: Verdict, chain: Chain, source: Source, ring: Keyring, more_wraps: Sequence[WrappedKey]
) -> None:
    try:
        opener = Opener(ring.unwrap((*chain.header.keys, *more_wraps), chain.header.id))
    except KeyUnavailable as unavailable:
        verdict.fail(Fault.UNREADABLE, str(unavailable))
        return
    size = source.size()
    for entry in chain.index:
        record = scan.read_record(source, entry.offset, size)
        try:
            opener.open(decode_chunk(record.payload, record.offset), record.offset)
        except DamagedRecording as damage:
            verdict.fail_for(damage)
            return
    verdict.hold(Level.CONTENTS)


def _judge_receipt(verdict: Verdict, chain: Chain, source: Source, receipt: Receipt) -> None:
    if source.size() != receipt.length:
        detail = f"{source.size()} bytes, where {receipt.length} were acknowledged"
        verdict.fail(Fault.UNACKNOWLEDGED, detail, offset=min(source.size(), receipt.length))
    elif chain.link != receipt.last:
        verdict.fail(Fault.UNACKNOWLEDGED, "another last digest than was acknowledged")
    verdict.hold(Level.RECEIPT)
