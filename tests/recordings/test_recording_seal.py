"""Sealing and opening: only the right key, the right place and honest sizes give events back."""

from __future__ import annotations

from dataclasses import replace

import pytest
import zstandard
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from recordings import payload, seal
from recordings.chain import DOMAIN
from recordings.errors import DamagedRecording, Fault, MalformedInput, RecordingLost
from recordings.events import Output, Resize
from recordings.format import Chunk, chunk_fields, decode_chunk
from recordings.frames import MAX_PLAIN, parse_record
from recordings.keys import ContentKey
from recordings.seal import Opener, Sealer
from tests.support.recordings import EXIT, Chunks, Workshop

KEY = ContentKey(b"\x01" * 32)


def chunks_of(shop: Workshop, story: Chunks) -> list[Chunk]:
    return [decode_chunk(parse_record(part, 0).payload, 0) for part in shop.parts(shop.write(story))[2:-2]]


def test_what_is_sealed_opens(shop: Workshop, story: Chunks) -> None:
    opener = Opener(KEY)
    assert [opener.open(chunk, 0) for chunk in chunks_of(shop, story)] == story


@pytest.mark.parametrize(
    "change",
    [
        {"number": 3},
        {"previous": bytes(32)},
        {"id": bytes(16)},
        {"start_us": 1},
        {"end_us": 999_999_999},
        {"output_bytes": 0},
    ],
)
def test_a_chunk_whose_clear_fields_changed_does_not_open(
    shop: Workshop, story: Chunks, change: dict[str, bytes | int]
) -> None:
    chunk = replace(chunks_of(shop, story)[0], **change)  # type: ignore[arg-type]  # the point is any field
    with pytest.raises(DamagedRecording) as caught:
        Opener(KEY).open(chunk, 70)
    assert (caught.value.fault, caught.value.offset) == (Fault.UNREADABLE, 70)


def test_another_key_does_not_open(shop: Workshop, story: Chunks) -> None:
    with pytest.raises(DamagedRecording):
        Opener(ContentKey(bytes(32))).open(chunks_of(shop, story)[0], 0)


def hostile(packed: bytes, *, plain_bytes: int, output_bytes: int = 0, end_us: int = 0) -> Chunk:
    """A chunk as somebody who holds the content key could make it."""
    clear = Chunk(bytes(16), 0, bytes(32), 0, end_us, plain_bytes, output_bytes, b"")
    nonce = (0).to_bytes(12, "big")
    return replace(clear, sealed=AESGCM(KEY.raw).encrypt(nonce, packed, DOMAIN + chunk_fields(clear)))


def test_a_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = zstandard.compress(bytes(500_000_000))
    with pytest.raises(DamagedRecording, match="another size"):
        Opener(KEY).open(hostile(bomb, plain_bytes=1000), 0)


def test_a_bomb_that_hides_its_size_is_refused() -> None:
    bomb = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(50_000_000))
    with pytest.raises(DamagedRecording, match="another size"):
        Opener(KEY).open(hostile(bomb, plain_bytes=1000), 0)


def test_content_that_is_no_zstd_or_has_a_tail_is_refused() -> None:
    with pytest.raises(DamagedRecording):
        Opener(KEY).open(hostile(b"plain", plain_bytes=5), 0)
    good = payload.encode([Output(0, b"x")], 0)
    with pytest.raises(DamagedRecording, match="does not decompress"):
        Opener(KEY).open(
            hostile(zstandard.compress(good) + b"tail", plain_bytes=len(good), output_bytes=1), 0
        )


def test_content_that_belies_its_clear_fields_is_refused() -> None:
    late = payload.encode([Output(9, b"x")], 0)
    with pytest.raises(DamagedRecording, match="clear fields"):
        Opener(KEY).open(
            hostile(zstandard.compress(late), plain_bytes=len(late), output_bytes=1, end_us=8), 0
        )
    with pytest.raises(DamagedRecording, match="clear fields"):
        Opener(KEY).open(
            hostile(zstandard.compress(late), plain_bytes=len(late), output_bytes=2, end_us=9), 0
        )


def test_a_sealer_refuses_what_no_reader_would_take(shop: Workshop) -> None:
    sealer = shop.sealer()
    before = sealer.chain.link
    for wrong in ([], [Output(0, bytes(MAX_PLAIN + 1))], [Resize(0, 0, 0)]):
        with pytest.raises(MalformedInput):
            sealer.chunk(wrong)
    assert sealer.chain.link == before
    sealer.chunk([Output(5, b"x")])
    with pytest.raises(MalformedInput):
        sealer.chunk([Output(4, b"earlier than the chunk before")])


class FailingSigner:
    public = b"\x05" * 32

    def __init__(self) -> None:
        self.left = 1

    def sign(self, message: bytes) -> bytes:
        self.left -= 1
        if self.left < 0:
            raise OSError("the key went away")
        return bytes(64)


def test_a_number_is_never_sealed_twice(shop: Workshop) -> None:
    signer = FailingSigner()
    sealer = Sealer(shop.header(signer=signer), KEY, signer)
    with pytest.raises(OSError, match="went away"):
        sealer.chunk([Output(0, b"x")])
    signer.left = 9
    with pytest.raises(RecordingLost):
        sealer.chunk([Output(0, b"y")])


def test_nothing_is_sealed_after_the_end(shop: Workshop) -> None:
    sealer = shop.sealer()
    sealer.close(EXIT)
    with pytest.raises(RecordingLost):
        sealer.chunk([Output(0, b"x")])


def test_a_recording_has_a_last_chunk_number(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seal, "MAX_CHUNKS", 1)
    sealer = shop.sealer()
    sealer.chunk([Output(0, b"x")])
    with pytest.raises(RecordingLost, match="at most 1"):
        sealer.chunk([Output(1, b"x")])


def test_the_header_names_the_signer(shop: Workshop) -> None:
    with pytest.raises(MalformedInput, match="node key"):
        Sealer(shop.header(signer=shop.node), KEY, shop.other_node)
