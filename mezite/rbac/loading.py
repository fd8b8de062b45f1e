"""Plain values out of YAML or JSON that somebody else wrote: mappings, lists and texts, nothing more.

Scalars stay the text that was written. What `off`, `no`, `1.10` or `2026-01-01` mean is for the reader who
knows what stands at that place: YAML's own guess would turn a label `no` into false and a version into a
number. Only an unquoted `null`, `~` or nothing at all is None.

Refused: more than 256 KiB, 16 levels, 20 000 values or 256 documents, keys said twice, tags, and anchors with
their aliases (a page of them can mean gigabytes). YAML is read as a stream of events, never by recursion.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import yaml

from mezite.errors import Invalid, TooLarge
from mezite.quoting import quoted

TEXT_BYTES: Final = 256 * 1024
DEPTH: Final = 16
VALUES: Final = 20_000
DOCUMENTS: Final = 256

Plain = str | bool | int | None | list["Plain"] | dict[str, "Plain"]
"""Reading gives no int: a number is the text of its digits. Writing does."""

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def load_documents(text: str) -> list[Plain]:
    """The documents of a text: YAML's, or the items of a list, without empty ones. `Invalid` says where."""
    if len(text.encode(errors="surrogatepass")) > TEXT_BYTES:
        raise TooLarge(f"a document has at most {TEXT_BYTES // 1024} KiB; split it")
    loaded = _json(text) if text.lstrip()[:1] in ("{", "[") else None
    if loaded is None:
        loaded = list(_yaml(text))
    _measure(loaded)
    documents = [item for each in loaded for item in (each if isinstance(each, list) else [each])]
    if len(documents) > DOCUMENTS:
        raise TooLarge(f"a text has at most {DOCUMENTS} documents, this one {len(documents)}; split it")
    return [document for document in documents if document is not None]


def _json(text: str) -> list[Plain] | None:
    """None when it is no JSON: YAML may begin with a bracket too, and then its own faults read better."""

    def mapping(pairs: list[tuple[str, Plain]]) -> dict[str, Plain]:
        found: dict[str, Plain] = {}
        for key, value in pairs:
            if key in found:
                raise Invalid(f"the key {quoted(key)} is said twice; say it once", code="duplicate_key")
            found[key] = value
        return found

    try:
        return [
            json.loads(text, object_pairs_hook=mapping, parse_int=str, parse_float=str, parse_constant=str)
        ]
    except (ValueError, RecursionError):
        return None


def _yaml(text: str) -> Iterator[Plain]:
    """Its events, put together with a stack of our own."""
    stack: list[_Open] = []
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            done = _value(event, stack)
            if len(stack) > DEPTH:
                # At once: libyaml takes time quadratic in the depth of what it has opened.
                raise _too_much()
            if done is None:
                continue
            if stack:
                stack[-1].add(done.value, event.start_mark)
            else:
                yield done.value
    except yaml.YAMLError as fault:
        raise _not_yaml(fault) from None
    except UnicodeEncodeError:
        raise Invalid("the text holds what is not Unicode; save it as UTF-8", code="invalid_yaml") from None


class _Done:
    """A value that is complete; apart from the value, which may be None."""

    __slots__ = ("value",)

    def __init__(self, value: Plain) -> None:
        self.value = value


class _Open:
    """A list or mapping being read; in a mapping, `key` is the one that waits for its value."""

    __slots__ = ("into", "key")

    def __init__(self, into: list[Plain] | dict[str, Plain]) -> None:
        self.into = into
        self.key: str | None = None

    def add(self, value: Plain, mark: Any) -> None:
        if isinstance(self.into, list):
            self.into.append(value)
        elif self.key is not None:
            self.into[self.key], self.key = value, None
        elif not isinstance(value, str):
            raise _refused(mark, "a key is a word, not a list or a mapping")
        elif value in self.into:
            raise _refused(mark, f"the key {quoted(value)} is said twice; say it once", code="duplicate_key")
        else:
            self.key = value


def _value(event: yaml.Event, stack: list[_Open]) -> _Done | None:
    """The value that this event completes, if it does; a list or mapping that begins goes onto the stack."""
    if getattr(event, "anchor", None) is not None:
        raise _refused(event.start_mark, "anchors and aliases are not read here; write the value out")
    if getattr(event, "tag", None) is not None:
        raise _refused(event.start_mark, "tags are not read here; write the plain value")
    match event:
        case yaml.ScalarEvent():
            plain = bool(event.implicit[0])
            return _Done(None if plain and event.value in _NULLS else event.value)
        case yaml.SequenceStartEvent():
            stack.append(_Open([]))
        case yaml.MappingStartEvent():
            stack.append(_Open({}))
        case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
            return _Done(stack.pop().into)
    return None


def _measure(loaded: list[Plain]) -> None:
    """Refuses what is too deep or too much, without recursion: it is not yet known to be shallow."""
    waiting: list[tuple[Plain, int]] = [(each, 1) for each in loaded]
    count = 0
    while waiting:
        value, depth = waiting.pop()
        count += 1
        below = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
        if count > VALUES or (below is not None and depth > DEPTH):
            raise _too_much()
        waiting.extend((each, depth + 1) for each in below or ())


def _too_much() -> TooLarge:
    return TooLarge(f"a text holds at most {VALUES} values, {DEPTH} levels deep; this one holds more")


def _not_yaml(fault: yaml.YAMLError) -> Invalid:
    problem = getattr(fault, "problem", None) or getattr(fault, "reason", None) or "it cannot be read"
    mark = getattr(fault, "problem_mark", None)
    said = quoted(str(problem), limit=120)[1:-1]
    return _refused(mark, f"not YAML: {said}")


def _refused(mark: Any, what: str, *, code: str = "invalid_yaml") -> Invalid:
    where = "" if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: "
    return Invalid(where + what, code=code)
