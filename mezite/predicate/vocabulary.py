"""A vocabulary: which selectors a place in a document knows, and of which kind each is. Checked at save.

So a mistyped `user.rolse` is refused with its column while somebody looks, and does not lie in wait as a rule
that never matches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from mezite.predicate.kinds import Kind
from mezite.predicate.syntax import Selector, show_briefly

SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True, eq=False)
class Vocabulary:
    """`selectors` by dotted name; a name that ends in `.*` stands for one more part of any spelling."""

    name: str
    selectors: Mapping[str, Kind]

    def kind_of(self, path: Sequence[str]) -> Kind | None:
        """The kind of what the selector names; None when it names nothing here."""
        return self.selectors.get(".".join(path)) or self.selectors.get(".".join((*path[:-1], "*")))

    def refusal(self, selector: Selector) -> str:
        """Why this selector is not accepted, and what to write instead."""
        written = show_briefly(selector, SHOWN_CHARACTERS)
        family = ".".join((*selector.path[:2], "*"))
        if family in self.selectors:
            rest = ".".join(selector.path[2:]) or "NAME"
            meant = Selector((*selector.path[:2], rest))
            return f"{written} needs one name; write {show_briefly(meant, SHOWN_CHARACTERS)}"
        from difflib import get_close_matches

        close = get_close_matches(".".join(selector.path)[:SHOWN_CHARACTERS], self.selectors, n=1)
        hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(self.selectors))}"
        return f"{written} is not known in {self.name}; {hint}"
