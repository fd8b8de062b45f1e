"""Events of one chunk as plain bytes, and back: what stands in a chunk before it is sealed.

    payload := event*
    event   := kind u8 · varint microseconds since the event before · fields
    1 output   varint length · bytes
    2 resize   varint columns · varint rows
    3 marker   varint length · label (UTF-8) · varint length · text (UTF-8)
    4 exit     varint status

The first event counts from the start of its chunk.
Varints are unsigned LEB128, at most nine bytes. Numbers 5 to 63 are free for later versions and are refused
by this one; 64 to 127 carry `varint length · bytes` and are skipped, so that a reader survives additions.
Decoding never trusts a length: each is checked against what is left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from recordings.errors import DamagedRecording, Fault, MalformedInput
from recordings.events import Event, Exit, Marker, Output, Resize

OUTPUT, RESIZE, MARKER, EXIT = 1, 2, 3, 4
SKIPPED_KINDS = range(64, 128)

MAX_SIDE = 10_000
"""Columns or rows. A wire-supplied size becomes an allocation in whoever draws it."""
MAX_LABEL = 64
MAX_MARKER_TEXT = 4096
MAX_STATUS = 0xFFFF_FFFF
MAX_VARINT_BYTES = 9


def encode(events: Sequence[Event], start_us: int) -> bytes:
    """The events as the plain bytes of one chunk that starts at `start_us`."""
    out = bytearray()
    before = start_us
    for event in events:
        if event.at_us < before:
            raise MalformedInput(f"event at {event.at_us} us placed after one at {before} us")
        _append(out, event, event.at_us - before)
        before = event.at_us
    return bytes(out)


def _append(out: bytearray, event: Event, delta: int) -> None:
    match event:
        case Output(data=data):
            out.append(OUTPUT)
            _put(out, delta)
            _put(out, len(data))
            out += data
        case Resize(columns=columns, rows=rows):
            check_size(columns, rows)
            out.append(RESIZE)
            _put(out, delta)
            _put(out, columns)
            _put(out, rows)
        case Marker(label=label, text=text):
            out.append(MARKER)
            _put(out, delta)
            _put_text(out, label, MAX_LABEL, "marker label")
            _put_text(out, text, MAX_MARKER_TEXT, "marker text")
        case Exit(status=status):
            if not 0 <= status <= MAX_STATUS:
                raise MalformedInput(f"exit status {status} is outside 0..{MAX_STATUS}")
            out.append(EXIT)
            _put(out, delta)
            _put(out, status)


def check_size(columns: int, rows: int) -> None:
    """Raises unless both sides are a terminal's."""
    if not (1 <= columns <= MAX_SIDE and 1 <= rows <= MAX_SIDE):
        raise MalformedInput(f"terminal size {columns}x{rows} is outside 1..{MAX_SIDE}")


def _put(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def _put_text(out: bytearray, text: str, limit: int, what: str) -> None:
    raw = text.encode("utf-8", "replace")
    if len(raw) > limit:
        raise MalformedInput(f"{what} of {len(raw)} bytes is longer than {limit}")
    _put(out, len(raw))
    out += raw


def decode(payload: bytes, start_us: int) -> Iterator[Event]:
    """The events of one chunk, in order. The first byte that is none raises `DamagedRecording`."""
    cursor = _Cursor(payload)
    at_us = start_us
    while not cursor.done:
        kind = cursor.byte()
        at_us += cursor.varint()
        event = _event(kind, at_us, cursor)
        if event is not None:
            yield event


def _event(kind: int, at_us: int, cursor: _Cursor) -> Event | None:
    match kind:
        case 1:
            return Output(at_us, cursor.take(cursor.varint()))
        case 2:
            columns, rows = cursor.varint(), cursor.varint()
            if not (1 <= columns <= MAX_SIDE and 1 <= rows <= MAX_SIDE):
                raise _malformed(f"resize to {columns}x{rows}")
            return Resize(at_us, columns, rows)
        case 3:
            return Marker(at_us, cursor.text(MAX_LABEL), cursor.text(MAX_MARKER_TEXT))
        case 4:
            status = cursor.varint()
            if status > MAX_STATUS:
                raise _malformed(f"exit status {status}")
            return Exit(at_us, status)
        case _ if kind in SKIPPED_KINDS:
            cursor.take(cursor.varint())
            return None
        case _:
            raise _malformed(f"event kind {kind}")


class _Cursor:
    """A place in a payload that refuses to leave it."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def done(self) -> bool:
        return self._at >= len(self._data)

    def byte(self) -> int:
        if self.done:
            raise _malformed("payload ends inside an event")
        value = self._data[self._at]
        self._at += 1
        return value

    def varint(self) -> int:
        value = 0
        for position in range(MAX_VARINT_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * position
            if byte < 0x80:
                return value
        raise _malformed(f"number longer than {MAX_VARINT_BYTES} bytes")

    def take(self, length: int) -> bytes:
        if length > len(self._data) - self._at:
            raise _malformed("payload ends inside an event")
        taken = self._data[self._at : self._at + length]
        self._at += length
        return taken

    def text(self, limit: int) -> str:
        length = self.varint()
        if length > limit:
            raise _malformed(f"text of {length} bytes is longer than {limit}")
        return self.take(length).decode("utf-8", "replace")


def _malformed(detail: str) -> DamagedRecording:
    return DamagedRecording(Fault.MALFORMED, detail)
