"""What a filter line means: `type:session.* user:alice -node:db-1 word last:1h`. Pure.

Every term must hold. `field:pattern` compares one field, with `*` for anything; a bare word is looked for in
all of them; `-` before a term turns it round; `last:` keeps what is younger. A word that names no field is a
fault that is told, not a search that finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Final

from mezite import durations
from mezite.errors import Invalid
from mezite.quoting import quoted

MAX_TERMS: Final = 12
MAX_CHARS: Final = 300

_WORD: Final = re.compile(r'(-?)(?:([a-z]+):)?("[^"]*"|\S+)')


@dataclass(frozen=True, slots=True)
class Term:
    """`field` is empty for a word that may stand anywhere."""

    field: str
    pattern: str
    without: bool = False

    def __str__(self) -> str:
        value = f'"{self.pattern}"' if " " in self.pattern else self.pattern
        return f"{'-' if self.without else ''}{self.field + ':' if self.field else ''}{value}"

    def holds(self, facts: Mapping[str, str]) -> bool:
        wanted = self.pattern.casefold()
        if self.field:
            found = _matches(facts.get(self.field, "").casefold(), wanted)
        else:
            found = any(wanted in value.casefold() for value in facts.values())
        return found is not self.without


@dataclass(frozen=True, slots=True)
class Filter:
    terms: tuple[Term, ...] = ()
    last: timedelta | None = None

    def __bool__(self) -> bool:
        return bool(self.terms) or self.last is not None

    def __str__(self) -> str:
        parts = [str(term) for term in self.terms]
        return " ".join([*parts, f"last:{durations.show(self.last)}"] if self.last else parts)

    def holds(self, facts: Mapping[str, str], age: timedelta = timedelta()) -> bool:
        if self.last is not None and age > self.last:
            return False
        return all(term.holds(facts) for term in self.terms)

    def narrowed(self, term: Term) -> Filter:
        """One term more; the same one twice, or one that says the opposite, replaces the first."""
        kept = tuple(old for old in self.terms if (old.field, old.pattern) != (term.field, term.pattern))
        return Filter((*kept, term)[-MAX_TERMS:], self.last)


def parse(text: str, fields: Collection[str]) -> Filter:
    """The filter a line says; raises `Invalid` with what can be written instead."""
    terms: list[Term] = []
    last: timedelta | None = None
    for minus, field, value in _WORD.findall(text[:MAX_CHARS]):
        value = value.strip('"')
        if field == "last" and "last" in fields:
            last = durations.parse(value)
        elif field and field not in fields:
            raise Invalid(f"{quoted(field)} is no field here; write one of {', '.join(fields)}")
        elif value:
            terms.append(Term(field, value, bool(minus)))
    if len(terms) > MAX_TERMS:
        raise Invalid(f"a filter has at most {MAX_TERMS} terms")
    return Filter(tuple(terms), last)


def age(then: datetime, now: datetime) -> timedelta:
    return max(now - then, timedelta())


def _matches(value: str, pattern: str) -> bool:
    # Only `*` is special: brackets and question marks of fnmatch are taken as they are.
    return fnmatchcase(value, re.sub(r"[\[?]", lambda found: f"[{found[0]}]", pattern))
