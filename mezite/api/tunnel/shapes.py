"""The bounds of every field on a tunnel connection, and what all messages have in common."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec
from msgspec import Meta

VERSION: Final = 1
"""Said first by each end; a hub refuses one that it does not speak, and says which it does."""

MAX_LABELS: Final = 64
MAX_SENTENCE_CHARS: Final = 1_000
MAX_AUTHORITIES: Final = 8

Word = Annotated[str, Meta(min_length=1, max_length=128)]
Sentence = Annotated[str, Meta(max_length=MAX_SENTENCE_CHARS)]
Key = Annotated[str, Meta(min_length=1, max_length=4_096)]
Pem = Annotated[str, Meta(min_length=1, max_length=16_384)]
Nonce = Annotated[bytes, Meta(min_length=32, max_length=32)]
Digest = Annotated[bytes, Meta(min_length=32, max_length=32)]
Der = Annotated[bytes, Meta(min_length=1, max_length=4_096)]
Labels = Annotated[
    dict[Annotated[str, Meta(max_length=63)], Annotated[str, Meta(max_length=255)]],
    Meta(max_length=MAX_LABELS),
]
Seconds = Annotated[int, Meta(ge=1, le=86_400)]
Microseconds = Annotated[int, Meta(ge=0, lt=2**62)]
Counter = Annotated[int, Meta(ge=0, lt=2**62)]


class Message(msgspec.Struct, frozen=True, tag_field="type", tag=str.lower):
    """One message; its `type` on the wire is the class's name in lower case."""
