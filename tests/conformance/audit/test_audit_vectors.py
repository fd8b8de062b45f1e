"""The published vectors: our code agrees with them, and so does a reader written from the document alone."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from mezite.audit.body import decode, encode
from mezite.audit.chain import GENESIS, Record, link
from mezite.audit.heads import format_head, is_genuine, parse_head
from mezite.audit.verify import Verifier

VECTORS: dict[str, Any] = json.loads(Path(__file__).with_name("vectors.json").read_text())
KEYS = {name: bytes.fromhex(key) for name, key in VECTORS["keys"].items()}
CASES: list[dict[str, Any]] = VECTORS["cases"]
SOUND = CASES[0]

each_case = pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])


def records(case: dict[str, Any]) -> list[Record]:
    return [Record(row["seq"], row["body"], bytes.fromhex(row["hash"])) for row in case["records"]]


@each_case
def test_the_verdict_is_the_published_one(case: dict[str, Any]) -> None:
    verifier = Verifier(KEYS, map(parse_head, case["outside"]))
    for text in case["heads"]:
        verifier.expect(parse_head(text))
    for record in records(case):
        verifier.read(record)
    report = verifier.report()
    assert [
        {"kind": finding.kind, "seq": finding.seq, "last": finding.last} for finding in report.findings
    ] == case["findings"]
    assert (report.sound_to, report.vouched_to) == (case["sound_to"], case["vouched_to"])


@each_case
def test_every_body_is_written_again_as_it_stands(case: dict[str, Any]) -> None:
    assert [encode(decode(row["body"])) for row in case["records"]] == [
        row["body"] for row in case["records"]
    ]


def test_the_sound_chain_links_up() -> None:
    previous = GENESIS
    for record in records(SOUND):
        assert link(previous, record.seq, record.body) == record
        previous = record.hash


# The same from the document, with the standard library and one signature


def test_the_document_suffices_to_check_hashes() -> None:
    previous = bytes(32)
    for row in SOUND["records"]:
        said = b"mezite audit 1\0" + previous + row["seq"].to_bytes(8, "big") + row["body"].encode("ascii")
        previous = hashlib.sha256(said).digest()
        assert previous.hex() == row["hash"]


def test_the_document_suffices_to_write_bodies() -> None:
    for row in SOUND["records"]:
        fields = json.loads(row["body"])
        written = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        assert written.replace("\x7f", "\\u007f") == row["body"]


@each_case
def test_the_document_suffices_to_check_heads(case: dict[str, Any]) -> None:
    for text in (*case["heads"], *case["outside"]):
        mark, seq, digest, when, key_id, signature = text.split(":")
        moment = datetime.strptime(when, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
        microseconds = round((moment - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * 1_000_000)
        said = b"".join(
            (
                b"mezite audit head 1\0",
                int(seq).to_bytes(8, "big"),
                bytes.fromhex(digest),
                microseconds.to_bytes(8, "big"),
                key_id.encode(),
            )
        )
        assert mark == "mezite-head"
        assert _verifies(key_id, base64.urlsafe_b64decode(signature + "=="), said) == is_genuine(
            parse_head(text), KEYS
        )
        assert format_head(parse_head(text)) == text


def _verifies(key_id: str, signature: bytes, said: bytes) -> bool:
    if key_id not in KEYS:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(KEYS[key_id]).verify(signature, said)
    except InvalidSignature:
        return False
    return True
