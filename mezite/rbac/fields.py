"""The pieces a document's schema is built of: each reads one kind of value and writes it back.

A schema is a table of these, and the same table serves both directions. Reading never raises on what the
document says: every fault is noted with its path and reading goes on, so that a person mends all in one go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from enum import StrEnum
from typing import Any, Final, Generic, Protocol, TypeVar

from mezite.errors import Invalid
from mezite.quoting import quoted
from mezite.rbac.loading import Plain

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

EMPTY: Final = "is empty; write a value or leave it out"
"""A value left out by mistake is no value left out on purpose: it could be the condition of a rule."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A place in a document, and where the faults of the whole document are gathered."""

    path: str = ""
    faults: list[str] = field(default_factory=list)

    def key(self, key: str) -> Spot:
        step = key if key.isidentifier() and key.isascii() else f"[{quoted(key, limit=40)}]"
        dot = "." if self.path and not step.startswith("[") else ""
        return Spot(f"{self.path}{dot}{step}", self.faults)

    def item(self, index: int) -> Spot:
        return Spot(f"{self.path}[{index}]", self.faults)

    def refuse(self, what: str) -> None:
        self.faults.append(f"{self.path}: {what}" if self.path else what)


class Field(Protocol[T]):
    def read(self, plain: Plain, spot: Spot) -> T | None:
        """The value; None when it was refused, and the fault noted."""
        ...

    def write(self, value: T) -> Plain: ...


class Text(Generic[T]):
    """One scalar. `parse` turns its text into the value or raises `Invalid`; `show` turns it back."""

    def __init__(self, parse: Callable[[str], T], show: Callable[[T], Plain] | None = None) -> None:
        self._parse = parse
        self._show: Callable[[T], Plain] = show or str

    def read(self, plain: Plain, spot: Spot) -> T | None:
        if plain is None or isinstance(plain, list | dict):
            spot.refuse(EMPTY if plain is None else f"is {shape(plain)}; write one value")
            return None
        try:
            return self._parse(_scalar(plain))
        except Invalid as refusal:
            spot.refuse(refusal.message)
            return None

    def write(self, value: T) -> Plain:
        return self._show(value)


class Many(Generic[T]):
    """A list of at most `limit`; one value stands for a list of it. `every` is what a `*` in it comes to."""

    def __init__(self, of: Field[T], *, limit: int, every: Iterable[T] = ()) -> None:
        self._of = of
        self._limit = limit
        self._every = tuple(every)

    def read(self, plain: Plain, spot: Spot) -> tuple[T, ...] | None:
        items = plain if isinstance(plain, list) else [plain]
        if len(items) > self._limit:
            spot.refuse(f"has {len(items)} entries; {self._limit} are allowed")
            return None
        spots = [spot.item(index) for index in range(len(items))] if isinstance(plain, list) else [spot]
        read = [self._item(item, at) for item, at in zip(items, spots, strict=True)]
        if None in read:
            return None
        values = [value for each in read if each is not None for value in each]
        # Said twice is said once. The order stays as people wrote it.
        return tuple(value for index, value in enumerate(values) if value not in values[:index])

    def _item(self, plain: Plain, spot: Spot) -> tuple[T, ...] | None:
        if plain is None:
            spot.refuse(EMPTY)
            return None
        if self._every and plain == "*":
            return self._every
        value = self._of.read(plain, spot)
        return None if value is None else (value,)

    def write(self, values: tuple[T, ...]) -> Plain:
        if self._every and values == self._every:
            return ["*"]
        return [self._of.write(value) for value in values]


class Record(Generic[T]):
    """A mapping with known keys, read into the dataclass whose fields have the same names.

    `check` looks at the whole and yields what is wrong with it. `whole` writes also what equals the default.
    """

    def __init__(
        self,
        kind: Callable[..., T],
        keys: Mapping[str, Field[Any]],
        *,
        check: Callable[[T], Iterable[str]] = lambda _: (),
        whole: bool = False,
    ) -> None:
        self.keys = keys
        self._kind = kind
        self._check = check
        self._whole = whole
        self._defaults = {each.name: _default(each) for each in fields(kind)}  # type: ignore[arg-type]  # always a dataclass

    def read(self, plain: Plain, spot: Spot) -> T | None:
        said = mapping(plain, self.keys, spot)
        before = len(spot.faults)
        values = {key: self.keys[key].read(value, spot.key(key)) for key, value in said.items()}
        for key in self.keys:
            if self._defaults[key] is MISSING and key not in values:
                spot.key(key).refuse("is required")
        if len(spot.faults) > before:
            return None
        value = self._kind(**values)
        for what in self._check(value):
            spot.refuse(what)
        return value

    def write(self, value: T) -> Plain:
        said = {key: getattr(value, key) for key in self.keys}
        return {
            key: self.keys[key].write(each)
            for key, each in said.items()
            if each is not None and (self._whole or each != self._defaults[key])
        }


def choice(kind: type[E], *, also: Mapping[str, E] | None = None) -> Text[E]:
    """One of an enum's words. `also` are other spellings that people mean the same by."""
    spellings = {**{str(member): member for member in kind}, **(also or {})}

    def parse(text: str) -> E:
        member = spellings.get(text)
        if member is None:
            raise Invalid(f"{quoted(text)} is not one of {', '.join(kind)}{meant(text, list(kind))}")
        return member

    return Text(parse, lambda member: str(member))


def mapping(plain: Plain, allowed: Iterable[str], spot: Spot) -> dict[str, Plain]:
    """What a mapping says under allowed keys; notes every other key. An empty section says nothing."""
    if plain is None:
        return {}
    if not isinstance(plain, dict):
        spot.refuse(f"is {shape(plain)}; write a mapping with keys: {', '.join(sorted(allowed))}")
        return {}
    known = sorted(allowed)
    for key in plain.keys() - set(known):
        spot.key(key).refuse(f"no such key{meant(key, known)}; known are {', '.join(known)}")
    return {key: value for key, value in plain.items() if key in known}


def meant(word: str, known: list[str]) -> str:
    """`; did you mean X?` when something known is close, else nothing."""
    from difflib import get_close_matches

    close = get_close_matches(word[:64], known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def shape(plain: Plain) -> str:
    if isinstance(plain, dict):
        return "a mapping"
    if isinstance(plain, list):
        return "a list"
    return "nothing" if plain is None else quoted(_scalar(plain), limit=40)


def _scalar(plain: str | bool | int) -> str:
    if isinstance(plain, bool):
        return "true" if plain else "false"
    return str(plain)


def _default(each: Any) -> Any:
    return each.default if each.default_factory is MISSING else each.default_factory()
