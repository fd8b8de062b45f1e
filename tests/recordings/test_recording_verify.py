"""The verdict: each kind of damage by its own name and place, nothing altered passes, nothing crashes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)
from hypothesis import given
from hypothesis import strategies as st

from recordings.chain import Ending
from recordings.errors import BadKeyFile, Fault
from recordings.events import Event, Output
from recordings.format import Ended
from recordings.frames import Kind, encode_record, parse_record
from recordings.keys import ContentKey, Keyring
from recordings.scan import walk
from recordings.seal import Sealer
from recordings.source import BytesSource
from recordings.trust import TrustAnchors, load_keys
from recordings.verify import Answer, Level, Receipt, Verdict, verify
from tests.support.recordings import EXIT, Chunks, Workshop

Tamper = Callable[[list[bytes]], list[bytes]]


def judge(raw: bytes, shop: Workshop | None = None) -> Verdict:
    return verify(BytesSource(raw), ring=shop.ring if shop else None)


def test_a_whole_recording_is_intact(shop: Workshop, story: Chunks) -> None:
    verdict = judge(shop.write(story), shop)
    assert verdict.intact
    assert verdict.chunks == 5
    assert {level.value: answer for level, answer in verdict.answers.items()} == {
        "structure": Answer.HOLDS,
        "chain": Answer.HOLDS,
        "signature": Answer.HOLDS,
        "trust": Answer.NOT_CHECKED,
        "contents": Answer.HOLDS,
        "receipt": Answer.NOT_CHECKED,
    }


def test_an_unfinished_recording_is_unfinished_and_nothing_worse(shop: Workshop, story: Chunks) -> None:
    verdict = judge(shop.write(story, ending=None), shop)
    assert verdict.faults == [Fault.UNFINISHED]
    assert verdict.answers[Level.SIGNATURE] is Answer.HOLDS
    assert verdict.answers[Level.CONTENTS] is Answer.HOLDS


def test_an_unsigned_recording_is_unsigned(shop: Workshop, story: Chunks) -> None:
    assert judge(shop.write(story, signer=None), shop).faults == [Fault.UNSIGNED]


def flip(part: int, at: int) -> Tamper:
    def tamper(parts: list[bytes]) -> list[bytes]:
        changed = bytearray(parts[part])
        changed[at] ^= 1
        parts[part] = bytes(changed)
        return parts

    return tamper


# Parts of a finished story: 0 magic, 1 header, 2 to 6 chunks 0 to 4, 7 end record, 8 trailer.
@pytest.mark.parametrize(
    ("tamper", "fault", "chunk"),
    [
        (lambda p: p[:4], Fault.UNFINISHED, None),
        (lambda p: [*p[:4], p[4][:50]], Fault.TRUNCATED, None),
        (lambda p: [*p[:4], p[4][:3]], Fault.TRUNCATED, None),
        (lambda p: [*p[:5], *p[7:]], Fault.TRUNCATED, None),
        (lambda p: [*p[:8], p[8][:3]], Fault.TRUNCATED, None),
        (lambda p: p[:8], Fault.TRUNCATED, None),
        (lambda p: [*p[:3], *p[4:]], Fault.MISSING, 1),
        (lambda p: p[:2] + p[3:], Fault.MISSING, 0),
        (lambda p: [*p[:3], p[4], p[3], *p[5:]], Fault.REORDERED, 1),
        (lambda p: [*p[:4], p[3], *p[4:]], Fault.REORDERED, 2),
        (lambda p: [*p, b"more"], Fault.TRAILING, None),
        (flip(3, 100), Fault.ALTERED, 1),
        (flip(6, 100), Fault.ALTERED, 4),
        (flip(4, -1), Fault.ALTERED, 2),
        (flip(2, 30), Fault.ALTERED, 0),
        (flip(1, 20), Fault.ALTERED, None),
        (flip(7, -1), Fault.ALTERED, None),
        (flip(7, 40), Fault.ALTERED, None),
        (flip(8, 1), Fault.ALTERED, None),
        (flip(0, 1), Fault.MALFORMED, None),
    ],
)
def test_each_tampering_has_its_name_and_place(
    shop: Workshop, story: Chunks, tamper: Tamper, fault: Fault, chunk: int | None
) -> None:
    verdict = judge(b"".join(tamper(shop.parts(shop.write(story)))))
    assert verdict.findings[0].fault is fault, verdict.findings
    assert verdict.findings[0].chunk == chunk
    assert verdict.findings[0].offset is not None


def test_a_chunk_of_another_recording_is_foreign_whoever_signed_it(shop: Workshop, story: Chunks) -> None:
    for signer in (shop.node, shop.other_node):
        parts = shop.parts(shop.write(story))
        parts[4] = shop.parts(shop.write(story, number=2, signer=signer))[4]
        finding = judge(b"".join(parts)).findings[0]
        assert (finding.fault, finding.chunk) == (Fault.FOREIGN, 2)


def test_it_says_how_far_a_damaged_recording_plays(shop: Workshop, story: Chunks) -> None:
    verdict = judge(b"".join(flip(5, 100)(shop.parts(shop.write(story)))), shop)
    assert verdict.findings[0].chunk == 3
    assert verdict.plays_to_us == 90_000_000


def test_a_chunk_without_its_signature_is_unsigned(shop: Workshop, story: Chunks) -> None:
    parts = shop.parts(shop.write(story, ending=None))
    for part in (6, 3):
        parts[part] = encode_record(Kind.CHUNK, parse_record(parts[part], 0).payload, b"")
        finding = judge(b"".join(parts)).findings[-1]
        assert (finding.fault, finding.chunk) == (Fault.UNSIGNED, part - 2)


def test_the_wrong_key_is_no_proof_of_contents(shop: Workshop, story: Chunks) -> None:
    verdict = verify(BytesSource(shop.write(story)), ring=Keyring([]))
    assert verdict.faults == [Fault.UNREADABLE]


def test_contents_that_do_not_open_are_named_though_the_node_signed_them(
    shop: Workshop, story: Chunks
) -> None:
    sealer = Sealer(shop.header(signer=shop.node), ContentKey(bytes(32)), shop.node)
    raw = sealer.opening + b"".join(map(sealer.chunk, story)) + sealer.close(EXIT)
    assert judge(raw).intact
    finding = judge(raw, shop).findings[0]
    assert (finding.fault, finding.chunk) == (Fault.UNREADABLE, 0)


# --- who closed it ---


def closed_by_hub(shop: Workshop, story: Chunks, keep: int = 5) -> bytes:
    raw = b"".join(shop.parts(shop.write(story, ending=None))[: 2 + keep])
    walked = walk(BytesSource(raw))
    return raw + walked.chain.close(Ending(Ended.CRASH, 1, note="ended by crash"), shop.hub)


def test_an_end_by_a_known_hub_is_good(shop: Workshop, story: Chunks) -> None:
    anchors = TrustAnchors(closers=frozenset([shop.hub.public]))
    assert verify(BytesSource(closed_by_hub(shop, story)), anchors=anchors).intact


def test_whoever_cuts_a_recording_cannot_close_it_again(shop: Workshop, story: Chunks) -> None:
    assert judge(closed_by_hub(shop, story, keep=3)).faults == [Fault.UNTRUSTED]
    anchors = TrustAnchors(closers=frozenset([shop.other_node.public]))
    assert verify(BytesSource(closed_by_hub(shop, story)), anchors=anchors).faults == [Fault.UNTRUSTED]


# --- whose node it was ---

CA = Ed25519PrivateKey.from_private_bytes(b"c" * 32)
OTHER_CA = Ed25519PrivateKey.from_private_bytes(b"d" * 32)
NODE = Ed25519PrivateKey.from_private_bytes(bytes([1]) * 32)
STARTED_S = 1_799_999_000


def certificate(
    *,
    key: Ed25519PrivateKey = NODE,
    ca: Ed25519PrivateKey = CA,
    kind: SSHCertificateType = SSHCertificateType.HOST,
    names: tuple[bytes, ...] = (b"web-1",),
    start: int = STARTED_S - 60,
    end: int = STARTED_S + 60,
) -> bytes:
    builder = SSHCertificateBuilder(_public_key=key.public_key())
    builder = builder.type(kind).serial(1).key_id(b"web-1").valid_principals(list(names))
    builder = builder.valid_after(start).valid_before(end)
    return builder.sign(ca).public_bytes()


def with_certificate(shop: Workshop, story: Chunks, line: bytes) -> bytes:
    header = replace(shop.header(signer=shop.node), host_certificate=line)
    sealer = Sealer(header, ContentKey(b"\x01" * 32), shop.node)
    return sealer.opening + b"".join(map(sealer.chunk, story)) + sealer.close(EXIT)


ANCHORS = TrustAnchors(host_cas=frozenset([CA.public_key().public_bytes_raw()]))


def test_a_node_with_a_good_certificate_is_trusted(shop: Workshop, story: Chunks) -> None:
    verdict = verify(BytesSource(with_certificate(shop, story, certificate())), anchors=ANCHORS)
    assert verdict.intact
    assert verdict.answers[Level.TRUST] is Answer.HOLDS


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b"", "carries no"),
        (b"ssh-ed25519-cert-v01@openssh.com AAAA", "carries no"),
        (b"\xff\x00", "carries no"),
        (certificate(ca=OTHER_CA), "no CA"),
        (certificate(key=OTHER_CA), "another key"),
        (certificate(kind=SSHCertificateType.USER), "no host certificate"),
        (certificate(names=(b"web-2",)), "another node"),
        (certificate(start=STARTED_S + 1), "not valid"),
        (certificate(end=STARTED_S), "not valid"),
    ],
)
def test_a_node_nobody_vouches_for_is_untrusted(shop: Workshop, story: Chunks, line: bytes, why: str) -> None:
    verdict = verify(BytesSource(with_certificate(shop, story, line)), anchors=ANCHORS)
    assert verdict.faults == [Fault.UNTRUSTED]
    assert why in verdict.findings[0].detail


def test_anchors_are_read_from_openssh_lines() -> None:
    line = CA.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b" host-ca"
    with pytest.raises(BadKeyFile, match="line 2"):
        load_keys(b"# cas\nnot a key\n")
    keys = load_keys(b"\n# comment\n@cert-authority * " + line + b"\n" + line)
    assert len(keys) == 1
    with pytest.raises(BadKeyFile):
        load_keys(b"ecdsa-sha2-nistp256 AAAA")


# --- what was acknowledged ---


def test_a_receipt_tells_an_unfinished_recording_from_a_shortened_one(shop: Workshop, story: Chunks) -> None:
    whole = shop.write(story, ending=None)
    receipt = Receipt(len(whole), walk(BytesSource(whole)).chain.link)
    assert verify(BytesSource(whole), receipt=receipt).faults == [Fault.UNFINISHED]
    shorter = b"".join(shop.parts(whole)[:-1])
    assert verify(BytesSource(shorter), receipt=receipt).faults == [Fault.UNFINISHED, Fault.UNACKNOWLEDGED]
    other = replace(receipt, last=bytes(32))
    assert verify(BytesSource(whole), receipt=other).faults == [Fault.UNFINISHED, Fault.UNACKNOWLEDGED]


# --- nothing passes, nothing crashes ---


def small(shop: Workshop) -> bytes:
    events: list[list[Event]] = [[Output(n, b"line %d\r\n" % n)] for n in range(3)]
    return shop.write(events)


@given(data=st.data())
def test_no_flipped_bit_passes(shop: Workshop, data: st.DataObject) -> None:
    raw = bytearray(small(shop))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    verdict = judge(bytes(raw))
    assert not verdict.intact
    # unsigned: the bit was in the name of the header's key, so that it names none
    assert set(verdict.faults) <= {Fault.ALTERED, Fault.MALFORMED, Fault.UNSIGNED, Fault.UNTRUSTED}


@given(data=st.data())
def test_no_shortened_file_passes(shop: Workshop, data: st.DataObject) -> None:
    raw = small(shop)
    cut = data.draw(st.integers(0, len(raw) - 1))
    assert {Fault.TRUNCATED, Fault.UNFINISHED, Fault.MALFORMED} & set(judge(raw[:cut]).faults)


@given(data=st.data())
def test_records_in_any_other_arrangement_never_pass(shop: Workshop, data: st.DataObject) -> None:
    parts = shop.parts(small(shop))
    picked = data.draw(st.lists(st.sampled_from(parts), max_size=10))
    if picked != parts:
        assert not judge(parts[0] + b"".join(picked)).intact or picked == parts[1:]


@given(st.binary(max_size=400))
def test_any_bytes_get_a_verdict(raw: bytes) -> None:
    assert not judge(raw).intact


@given(data=st.data())
def test_any_splice_gets_a_verdict_with_keys_too(shop: Workshop, data: st.DataObject) -> None:
    raw = small(shop)
    at, length = data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, 40))
    spliced = raw[:at] + data.draw(st.binary(max_size=40)) + raw[at + length :]
    verdict = judge(spliced, shop)
    assert verdict.intact == (spliced == raw)
