"""A noun as stored text, and back. The only place that knows the stored form is JSON by msgspec.

What does not decode is `Damaged`, named by its table and key; its content may be a secret and is not told.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, Generic, Protocol, TypeVar

import msgspec

from mezite.errors import Damaged, Invalid


class Noun(Protocol):
    """A frozen dataclass that counts its writings."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def revision(self) -> int: ...


N = TypeVar("N", bound=Noun)

_ENCODER: Final = msgspec.json.Encoder()


class Codec(Generic[N]):
    __slots__ = ("_decoder", "_table")

    def __init__(self, noun: type[N], table: str) -> None:
        self._table = table
        self._decoder = msgspec.json.Decoder(noun)

    def encode(self, noun: N) -> str:
        try:
            return _ENCODER.encode(noun).decode()
        except UnicodeError:
            raise Invalid(f"{self._table}: text with lone surrogates cannot be stored; correct it") from None

    def decode(self, key: str, revision: int, body: str) -> N:
        """The noun of a row. Row and body must agree on the revision, or somebody wrote past us."""
        try:
            noun = self._decoder.decode(body)
        except (msgspec.MsgspecError, UnicodeError, ValueError):
            raise Damaged(f"{self._table} {key!a}: its stored body does not read") from None
        if noun.revision != revision:
            raise Damaged(f"{self._table} {key!a}: row and body name different revisions")
        return noun
