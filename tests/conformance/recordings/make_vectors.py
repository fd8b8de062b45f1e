"""Makes the published vectors anew: `python -m tests.conformance.recordings.make_vectors`.

Every key is fixed, so the same bytes come out each time as long as the zstd library packs as it did; a vector
that was published stays a vector whatever later libraries make, so the files are committed and only read by
the tests. Run this when the format gets a version, never to make a failing test pass.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    SSHCertificateBuilder,
    SSHCertificateType,
)

from recordings.chain import Ed25519Signer, Ending, Signer
from recordings.events import Event, Exit, Marker, Output, Resize
from recordings.format import Ended
from recordings.frames import FRAME_BYTES, MAGIC, parse_frame
from recordings.header import Header
from recordings.keys import ContentKey, dump_private_key, wrap
from recordings.scan import walk
from recordings.seal import Sealer
from recordings.source import BytesSource

HERE = Path(__file__).parent

CLUSTER_KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
EPHEMERAL = X25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
NODE_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(64, 96)))
HOST_CA = Ed25519PrivateKey.from_private_bytes(bytes(range(96, 128)))
HUB_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(128, 160)))
STARTED_US = 1_789_000_000_000_000

CHUNKS: list[list[Event]] = [
    [Resize(0, 80, 24), Output(1_000, b"$ "), Output(800_000, b"ls\r\n")],
    [Marker(900_000, "command", "ls"), Output(910_000, b"\x1b[1;34mbin\x1b[0m  caf\xc3\xa9\r\n$ ")],
    [Output(61_000_000, "日本語 🔒\r\n".encode()), Resize(61_500_000, 100, 30)],
    [Output(90_000_000, b"exit\r\n"), Exit(90_250_000, 0)],
]
EXIT = Ending(Ended.EXIT, at_us=STARTED_US + 90_250_000, exit_status=0)
CRASH = Ending(Ended.CRASH, at_us=STARTED_US + 99_000_000, note="ended by crash")


def host_certificate() -> bytes:
    """A certificate of the node, made once and kept in the vectors: it has a random nonce."""
    kept = HERE / "host_certificate.pub"
    if not kept.exists():
        builder = (
            SSHCertificateBuilder().public_key(NODE_KEY.public_key()).serial(1).type(SSHCertificateType.HOST)
        )
        builder = builder.key_id(b"web-1").valid_principals([b"web-1", b"web-1.production"])
        builder = builder.valid_after(STARTED_US // 10**6 - 60).valid_before(STARTED_US // 10**6 + 86_400)
        kept.write_bytes(builder.sign(HOST_CA).public_bytes() + b"\n")
    return kept.read_bytes().strip()


def sealer(recording: int = 1, *, signed: bool = True) -> Sealer:
    """A writer whose every key is fixed."""
    recording_id, content = bytes([recording]) * 16, ContentKey(bytes([0xC0 + recording]) * 32)
    signer: Signer | None = Ed25519Signer(NODE_KEY) if signed else None
    recipient = CLUSTER_KEY.public_key().public_bytes_raw()
    header = Header(
        id=recording_id,
        session="0f6d3c1e-9a52-4a43-8d0e-2f4f3a1b7c11",
        started_at_us=STARTED_US,
        columns=80,
        rows=24,
        keys=(wrap(content, recipient, recording_id, ephemeral=EPHEMERAL),),
        cluster="production",
        node="web-1",
        user="alice",
        login="root",
        term="xterm-256color",
        node_key=signer.public if signer else b"",
        host_certificate=host_certificate() if signer else b"",
    )
    return Sealer(header, content, signer)


def write(recording: int = 1, *, signed: bool = True, ending: Ending | None = EXIT) -> bytes:
    """A whole recording."""
    writer = sealer(recording, signed=signed)
    raw = writer.opening + b"".join(map(writer.chunk, CHUNKS))
    return raw if ending is None else raw + writer.close(ending)


def parts(raw: bytes) -> list[bytes]:
    """Magic, header, four chunks, and what follows them."""
    found, offset = [raw[: len(MAGIC)]], len(MAGIC)
    for _ in range(5):
        size = parse_frame(raw[offset : offset + FRAME_BYTES], offset).size
        found.append(raw[offset : offset + size])
        offset += size
    end = parse_frame(raw[offset : offset + FRAME_BYTES], offset).size if offset < len(raw) else 0
    return [*found, raw[offset : offset + end], raw[offset + end :]]


def flipped(raw: bytes, at: int) -> bytes:
    """One bit changed."""
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


@dataclass(frozen=True)
class Vector:
    name: str
    what: str
    raw: bytes
    faults: list[str]
    chunk: int | None = None
    closer_is_known: bool = True


def vectors() -> list[Vector]:
    """Every vector, in order."""
    whole, open_ended = write(), write(ending=None)
    magic, header, c0, c1, c2, c3, end, trailer = parts(whole)
    foreign = parts(write(2))[4]
    closer = Ed25519Signer(HUB_KEY)
    crashed = open_ended + walk(BytesSource(open_ended)).chain.close(CRASH, closer)
    shorter = magic + header + c0 + c1
    recut = shorter + walk(BytesSource(shorter)).chain.close(CRASH, closer)
    opening, closing = magic + header, end + trailer
    return [
        Vector("whole", "finished and signed by its node", whole, []),
        Vector("crashed", "ended by the hub after the writer died", crashed, []),
        Vector("unfinished", "no end record", open_ended, ["unfinished"]),
        Vector("unsigned", "names no node key", write(signed=False), ["unsigned"]),
        Vector("torn", "cut inside the last chunk", opening + c0 + c1 + c2 + c3[:90], ["truncated"]),
        Vector("cut", "last chunk removed, end kept", opening + c0 + c1 + c2 + closing, ["truncated"]),
        Vector(
            "recut", "two chunks removed, closed by a stranger", recut, ["untrusted"], closer_is_known=False
        ),
        Vector("missing", "chunk 1 removed", opening + c0 + c2 + c3 + closing, ["missing"], 1),
        Vector(
            "reordered", "chunks 1 and 2 swapped", opening + c0 + c2 + c1 + c3 + closing, ["reordered"], 1
        ),
        Vector("repeated", "chunk 1 twice", opening + c0 + c1 + c1 + c2 + c3 + closing, ["reordered"], 2),
        Vector("foreign", "another's chunk 2", opening + c0 + c1 + foreign + c3 + closing, ["foreign"], 2),
        Vector(
            "flipped", "a bit of chunk 2", opening + c0 + c1 + flipped(c2, 100) + c3 + closing, ["altered"], 2
        ),
        Vector(
            "flipped-header",
            "a bit of the header",
            magic + flipped(header, 40) + whole[len(opening) :],
            ["altered"],
        ),
        Vector("flipped-end", "a bit of the end", open_ended + flipped(end, 60) + trailer, ["altered"]),
        Vector("trailing", "bytes after the end", whole + b"more", ["trailing"]),
    ]


def as_json(event: Event) -> dict[str, Any]:
    """An event as the vectors tell it."""
    match event:
        case Output(at_us, data):
            return {"type": "output", "at_us": at_us, "data": data.hex()}
        case Resize(at_us, columns, rows):
            return {"type": "resize", "at_us": at_us, "columns": columns, "rows": rows}
        case Marker(at_us, label, text):
            return {"type": "marker", "at_us": at_us, "label": label, "text": text}
        case Exit(at_us, status):
            return {"type": "exit", "at_us": at_us, "status": status}


def main() -> None:
    """Writes the files beside this one."""
    chain = walk(BytesSource(write())).chain
    assert chain.end is not None
    for vector in vectors():
        (HERE / f"{vector.name}.mzr").write_bytes(vector.raw)
    (HERE / "recording_key.pem").write_bytes(dump_private_key(CLUSTER_KEY))
    for name, key in (("host_ca.pub", HOST_CA), ("closers.pub", HUB_KEY)):
        (HERE / name).write_bytes(
            key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n"
        )
    listed = [
        {
            "file": f"{vector.name}.mzr",
            "what": vector.what,
            "faults": vector.faults,
            "chunk": vector.chunk,
            "closer_is_known": vector.closer_is_known,
        }
        for vector in vectors()
    ]
    told = {
        "format": 1,
        "content_key": (bytes([0xC1]) * 32).hex(),
        "recording_private_key": CLUSTER_KEY.private_bytes_raw().hex(),
        "ephemeral_private_key": EPHEMERAL.private_bytes_raw().hex(),
        "node_private_key": NODE_KEY.private_bytes_raw().hex(),
        "hub_private_key": HUB_KEY.private_bytes_raw().hex(),
        "whole": {
            "chunks": [[as_json(event) for event in events] for events in CHUNKS],
            "last_link_before_end": chain.end.last.hex(),
            "last_link": chain.link.hex(),
            "index": [
                {"offset": e.offset, "start_us": e.start_us, "size": e.size, "output_bytes": e.output_bytes}
                for e in chain.index
            ],
        },
        "files": listed,
    }
    (HERE / "vectors.json").write_text(
        json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8"
    )


if __name__ == "__main__":
    main()
