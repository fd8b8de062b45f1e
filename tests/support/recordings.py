"""A workshop for recordings: fixed keys, whole files from lists of events, and files taken apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from recordings.chain import Ending, Signer
from recordings.events import Event
from recordings.format import Ended
from recordings.frames import FRAME_BYTES, MAGIC, TRAILER_BYTES, parse_frame
from recordings.header import Header
from recordings.keys import ContentKey, Keyring, wrap
from recordings.seal import Sealer

EXIT = Ending(Ended.EXIT, at_us=1_800_000_000_000_000, exit_status=0)

Chunks = Sequence[Sequence[Event]]


@dataclass(frozen=True)
class Workshop:
    cluster_key: X25519PrivateKey
    node: Signer
    other_node: Signer
    hub: Signer

    @property
    def ring(self) -> Keyring:
        return Keyring([self.cluster_key])

    def header(
        self, *, number: int = 1, signer: Signer | None = None, content: ContentKey | None = None
    ) -> Header:
        recording_id = bytes([number]) * 16
        content = content or ContentKey(bytes([number]) * 32)
        recipient = self.cluster_key.public_key().public_bytes_raw()
        return Header(
            id=recording_id,
            session=f"session-{number}",
            started_at_us=1_799_999_000_000_000,
            columns=80,
            rows=24,
            keys=(wrap(content, recipient, recording_id),),
            cluster="production",
            node="web-1",
            user="alice",
            login="root",
            term="xterm-256color",
            node_key=signer.public if signer else b"",
        )

    def sealer(self, *, number: int = 1, signer: Signer | str | None = "node") -> Sealer:
        chosen = self.node if isinstance(signer, str) else signer
        return Sealer(self.header(number=number, signer=chosen), ContentKey(bytes([number]) * 32), chosen)

    def write(
        self,
        chunks: Chunks,
        *,
        number: int = 1,
        signer: Signer | str | None = "node",
        ending: Ending | None = EXIT,
    ) -> bytes:
        """A whole recording; with `ending=None` one that is unfinished."""
        sealer = self.sealer(number=number, signer=signer)
        body = b"".join([sealer.opening, *map(sealer.chunk, chunks)])
        return body if ending is None else body + sealer.close(ending)

    def parts(self, raw: bytes) -> list[bytes]:
        """A file taken apart: magic, each record, the trailer if there is one."""
        parts, offset = [raw[: len(MAGIC)]], len(MAGIC)
        while offset + FRAME_BYTES <= len(raw) and len(raw) - offset > TRAILER_BYTES:
            size = parse_frame(raw[offset : offset + FRAME_BYTES], offset).size
            parts.append(raw[offset : offset + size])
            offset += size
        return [*parts, raw[offset:]] if offset < len(raw) else parts
