"""The published vectors: this implementation reads, judges and writes them as `vectors.json` says."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from pathlib import Path
from typing import Any

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from recordings import payload
from recordings.keys import load_keyring
from recordings.reader import Recording
from recordings.source import BytesSource, FileSource
from recordings.trust import TrustAnchors, load_keys
from recordings.verify import Answer, Level, verify
from tests.conformance.recordings import make_vectors

HERE = Path(__file__).parent
TOLD: dict[str, Any] = json.loads((HERE / "vectors.json").read_text(encoding="utf-8"))
RING = load_keyring((HERE / "recording_key.pem").read_bytes())
HOST_CAS = load_keys((HERE / "host_ca.pub").read_bytes())
CLOSERS = load_keys((HERE / "closers.pub").read_bytes())


@pytest.mark.parametrize("told", TOLD["files"], ids=lambda told: told["file"])
def test_each_file_gets_its_verdict(told: dict[str, Any]) -> None:
    anchors = TrustAnchors(closers=CLOSERS if told["closer_is_known"] else frozenset())
    with FileSource(HERE / told["file"]) as source:
        verdict = verify(source, anchors=anchors)
    assert [fault.value for fault in verdict.faults] == told["faults"]
    if verdict.findings:
        assert verdict.findings[0].chunk == told["chunk"]


def test_the_whole_one_holds_at_every_level() -> None:
    with FileSource(HERE / "whole.mzr") as source:
        verdict = verify(source, ring=RING, anchors=TrustAnchors(HOST_CAS, CLOSERS))
    assert verdict.intact
    assert {level for level, answer in verdict.answers.items() if answer is not Answer.HOLDS} == {
        Level.RECEIPT
    }
    assert verdict.last.hex() == TOLD["whole"]["last_link"]


def test_the_whole_one_reads_as_told() -> None:
    with FileSource(HERE / "whole.mzr") as source:
        recording = Recording(source, RING)
        for number, told in enumerate(TOLD["whole"]["chunks"]):
            assert [make_vectors.as_json(event) for event in recording.chunk_events(number)] == told
        assert recording.end is not None
        assert recording.end.last.hex() == TOLD["whole"]["last_link_before_end"]
        for entry, told in zip(recording.index, TOLD["whole"]["index"], strict=True):
            assert {name: getattr(entry, name) for name in told} == told


def test_writing_the_same_gives_the_same_but_for_compression() -> None:
    """Header, clear fields and framing are fixed by the format; what zstd makes of a payload is not."""
    ours, published = (
        make_vectors.parts(make_vectors.write()),
        make_vectors.parts((HERE / "whole.mzr").read_bytes()),
    )
    assert ours[:2] == published[:2]
    assert ours[2][6:58] == published[2][6:58]
    verdict = verify(BytesSource(make_vectors.write()), ring=RING, anchors=TrustAnchors(HOST_CAS, CLOSERS))
    assert verdict.intact


def read_by_the_specification(raw: bytes, private_key: bytes, node_key: bytes) -> list[bytes]:
    """A second reader, from the words of docs/formats/recording.md alone: the plain bytes of every chunk."""
    assert raw[:8] == bytes.fromhex("894d5a520d0a1a01")
    at, previous, plain, content = 8, bytes(32), [], b""
    while True:
        kind, size, signature_size = struct.unpack_from(">BIB", raw, at)
        payload = raw[at + 6 : at + 6 + size]
        signature = raw[at + 6 + size : at + 6 + size + signature_size]
        at += 6 + size + signature_size
        digest = hashlib.sha256(b"mezite-recording/1" + bytes([kind]) + previous + payload).digest()
        Ed25519PublicKey.from_public_bytes(node_key).verify(signature, b"mezite-recording/1 signed" + digest)
        if kind == ord("H"):
            header = json.loads(payload)
            (wrapped,) = header["keys"]
            ephemeral, sealed = (base64.b64decode(wrapped[name]) for name in ("ephemeral", "sealed"))
            private = X25519PrivateKey.from_private_bytes(private_key)
            shared = private.exchange(X25519PublicKey.from_public_bytes(ephemeral))
            salt = ephemeral + private.public_key().public_bytes_raw()
            kek = HKDF(SHA256(), 32, salt, b"mezite-recording/1 wrap").derive(shared)
            content = AESGCM(kek).decrypt(bytes(12), sealed, bytes.fromhex(header["id"]))
        elif kind == ord("C"):
            assert payload[20:52] == previous
            nonce = bytes(8) + payload[16:20]
            packed = AESGCM(content).decrypt(nonce, payload[76:], b"mezite-recording/1" + payload[:76])
            plain.append(zstandard.decompress(packed))
        else:
            assert raw[at:] == struct.pack(">I4s", 6 + size + signature_size, b"\x89MZE")
            return plain
        previous = hashlib.sha256(digest + signature).digest()


def test_the_specification_is_enough_to_read_one() -> None:
    private = bytes.fromhex(TOLD["recording_private_key"])
    node = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(TOLD["node_private_key"])).public_key()
    plain = read_by_the_specification((HERE / "whole.mzr").read_bytes(), private, node.public_bytes_raw())
    starts = [entry["start_us"] for entry in TOLD["whole"]["index"]]
    read = [list(payload.decode(raw, start)) for raw, start in zip(plain, starts, strict=True)]
    assert read == make_vectors.CHUNKS
    # resize 80x24 at once; output "$ " a millisecond later; output "ls" after 799 ms more
    assert plain[0] == b"\x02\x00\x50\x18\x01\xe8\x07\x02$ \x01\x98\xe2\x30\x04ls\r\n"
