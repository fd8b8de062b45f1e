"""Whether a node's labels satisfy a role's `node_labels`: every key must, by any of its values.

`"*": "*"` is every node, also one without labels. Any other key must be there; `*` is then any value. No
`node_labels` at all match no node. Labels are what a node says of itself, so one that cannot be judged (see
`patterns`) is answered by None: no for an allow rule, yes for a deny rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mezite.predicate.patterns import PatternSet

EVERY: Final = "*"


class LabelMatcher:
    """One side's `node_labels`, compiled."""

    __slots__ = ("everything", "keys")

    def __init__(self, node_labels: Mapping[str, tuple[str, ...]]) -> None:
        self.everything = EVERY in node_labels.get(EVERY, ())
        self.keys = tuple(
            (key, PatternSet(values))
            for key, values in node_labels.items()
            if not (self.everything and key == EVERY)
        )

    def __bool__(self) -> bool:
        """Whether anything is asked for at all."""
        return self.everything or bool(self.keys)

    def matches(self, labels: Mapping[str, str]) -> bool | None:
        answer: bool | None = bool(self)
        for key, values in self.keys:
            value = labels.get(key)
            matched = value is not None and values.matches(value)
            if matched is False:
                return False
            if matched is None:
                answer = None
        return answer
