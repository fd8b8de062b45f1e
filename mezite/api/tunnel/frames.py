"""Frames: a length of four bytes, big-endian, then as many bytes of payload. Bytes in, whole payloads out.

1. A payload has 1 to `MAX_PAYLOAD` bytes. A length outside that is refused before a byte of it is kept.
2. A reader keeps at most one unfinished frame. Between frames it keeps nothing: ten thousand idle lines do.
3. A reader that has refused something stays refused; there is no way back into step.
"""

from __future__ import annotations

from typing import Final

from mezite.errors import Invalid, TooLarge

MAX_PAYLOAD: Final = 64 * 1024
HEADER_BYTES: Final = 4


def frame(payload: bytes) -> bytes:
    """The payload as it goes over the wire; raises what a reader would raise."""
    _check_length(len(payload))
    return len(payload).to_bytes(HEADER_BYTES, "big") + payload


class FrameReader:
    __slots__ = ("_broken", "_pending")

    def __init__(self) -> None:
        self._pending: bytes = b""
        self._broken = False

    def feed(self, data: bytes) -> list[bytes]:
        """The payloads that `data` completes, in order. Raises on a length that is none, and ever after."""
        if self._broken:
            raise Invalid("this line sent a frame of no legal length and cannot go on", code="bad_frame")
        buffer = self._pending + data if self._pending else data
        payloads: list[bytes] = []
        start = 0
        while len(buffer) - start >= HEADER_BYTES:
            length = self._length_at(buffer, start)
            end = start + HEADER_BYTES + length
            if len(buffer) < end:
                break
            payloads.append(buffer[start + HEADER_BYTES : end])
            start = end
        self._pending = buffer[start:]
        return payloads

    @property
    def between_frames(self) -> bool:
        """Whether the peer could leave here without cutting a frame in two."""
        return not self._pending and not self._broken

    def _length_at(self, buffer: bytes, start: int) -> int:
        length = int.from_bytes(buffer[start : start + HEADER_BYTES], "big")
        try:
            _check_length(length)
        except Invalid:
            self._broken, self._pending = True, b""
            raise
        return length


def _check_length(length: int) -> None:
    if length > MAX_PAYLOAD:
        raise TooLarge(f"a frame of {length} bytes; at most {MAX_PAYLOAD} are allowed")
    if length == 0:
        raise Invalid("an empty frame", code="bad_frame")
