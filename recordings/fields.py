"""JSON objects inside records, written plainly and read with suspicion.

A wrong field names itself and nothing more; unknown ones survive a round trip.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from recordings.errors import DamagedRecording, Fault, MalformedInput


def to_json(fields: Mapping[str, Any], limit: int) -> bytes:
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    if len(text) > limit:
        raise MalformedInput(f"fields of {len(text)} bytes are longer than {limit}")
    return text


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode("ascii")


class Fields:
    """A JSON object whose every read is checked; a wrong field names itself."""

    __slots__ = ("_fields", "_offset")

    def __init__(self, source: Any, offset: int) -> None:
        self._offset = offset
        if isinstance(source, bytes):
            try:
                source = json.loads(source)
            except (ValueError, RecursionError):
                raise self.malformed("fields are not JSON") from None
        if not isinstance(source, dict):
            raise self.malformed("fields are no JSON object")
        self._fields: dict[str, Any] = source

    def malformed(self, detail: str) -> DamagedRecording:
        return DamagedRecording(Fault.MALFORMED, detail, offset=self._offset)

    def number(self, name: str, limit: int) -> int:
        value = self._fields.get(name)
        # bool is an int to Python and a different thing to every other reader
        if type(value) is not int or not 0 <= value <= limit:
            raise self.malformed(f"{name} is no number in 0..{limit}")
        return value

    def optional_number(self, name: str, limit: int) -> int | None:
        return None if self._fields.get(name) is None else self.number(name, limit)

    def text(self, name: str) -> str:
        value = self._fields.get(name, "")
        if not isinstance(value, str):
            raise self.malformed(f"{name} is no text")
        return value

    def base64(self, name: str, lengths: tuple[int, ...] | None) -> bytes:
        try:
            value = base64.b64decode(self.text(name), validate=True)
        except (binascii.Error, ValueError):
            raise self.malformed(f"{name} is no base64") from None
        if lengths is not None and len(value) not in lengths:
            raise self.malformed(f"{name} has {len(value)} bytes")
        return value

    def hex(self, name: str, length: int) -> bytes:
        return bytes.fromhex(self.hex_text(name, length))

    def hex_text(self, name: str, length: int) -> str:
        value = self.text(name)
        if len(value) != 2 * length or not set(value) <= set("0123456789abcdef"):
            raise self.malformed(f"{name} is no {2 * length} lower-case hex digits")
        return value

    def items(self, name: str, limit: int) -> list[Any]:
        value = self._fields.get(name)
        if not isinstance(value, list) or len(value) > limit:
            raise self.malformed(f"{name} is no list of at most {limit}")
        return value

    def choice(self, name: str, choices: Sequence[str]) -> str:
        value = self.text(name)
        if value not in choices:
            raise self.malformed(f"{name} is none of {', '.join(choices)}")
        return value

    def unknown(self, known: frozenset[str]) -> dict[str, Any]:
        return {name: value for name, value in self._fields.items() if name not in known}
