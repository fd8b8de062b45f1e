"""A text that can be used but not shown.

Whatever prints, formats, logs, copies or pickles a settings object must come out without its secrets,
also by accident. The one way to the text is `reveal()`, which is easy to find in a review.
"""

from __future__ import annotations

import hmac
from typing import NoReturn, final

MASK = "***"


@final
class Secret:
    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        if not text:
            raise ValueError("a secret is not empty")
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one call that needs it."""
        return self._text

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        # A width or a slice in the format must not act on the text, nor tell its length.
        return MASK

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    __hash__ = None  # type: ignore[assignment]  # a hash of a secret is a fact about it

    def __getstate__(self) -> NoReturn:
        raise TypeError("a secret cannot be copied out of the process")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        # Serves copy, deepcopy and pickle alike, hence also dataclasses.asdict.
        raise TypeError("a secret cannot be pickled or copied")
