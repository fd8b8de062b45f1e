"""How a settings class declares its keys: kind, default and meaning stand on one line, once.

Everything else (the layers, the faults, `describe`, the reference page) is derived by walking the classes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import reduce
from typing import Any, Final, TypeVar, cast

from mezite.config.kinds import Kind

T = TypeVar("T")
D = TypeVar("D")

_SPEC: Final = "mezite.key"
_PREFIX: Final = "MEZITE_"


@dataclass(frozen=True, slots=True)
class _Spec:
    kind: Kind[Any]
    default: object
    about: str
    name: str | None


@dataclass(frozen=True, slots=True)
class Key:
    """One setting: where it stands in the file, and all that may be said of it."""

    path: tuple[str, ...]
    kind: Kind[Any]
    default: object
    about: str

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def variable(self) -> str:
        """The environment's name for it; a test holds these apart from one another."""
        return _PREFIX + "_".join(self.path).upper()

    def show(self, value: object) -> str:
        """The value as one would write it, or the mask of a secret; empty when nothing is set."""
        return "" if value is None else self.kind.show(value)


def key(kind: Kind[T], default: D, about: str, *, name: str | None = None) -> T | D:
    """A field that is a setting. `name` is for words that Python keeps for itself."""
    spec = _Spec(kind, default, about, name)
    return cast(T | D, field(default_factory=lambda: default, metadata={_SPEC: spec}))


def section(kind: type[T]) -> T:
    """A field that holds further settings."""
    declared: T = field(default_factory=kind, metadata={_SPEC: kind})
    return declared


def keys_of(settings: type[object]) -> Iterator[Key]:
    """Every key of a settings class, in the order of its declaration, sections opened where they stand."""
    return (key for key, _ in _fields_of(settings, ()))


def values_of(settings: object) -> Iterator[tuple[Key, Any]]:
    """Each key with the value that `settings` holds for it."""
    for key, attributes in _fields_of(type(settings), ()):
        yield key, reduce(getattr, attributes, settings)


def build(settings: type[T], values: Mapping[tuple[str, ...], object], under: tuple[str, ...] = ()) -> T:
    """The noun itself, with the defaults wherever `values` is silent."""
    given: dict[str, object] = {}
    for item in fields(cast(Any, settings)):
        spec = item.metadata[_SPEC]
        if not isinstance(spec, _Spec):
            given[item.name] = build(spec, values, (*under, item.name))
        elif (path := (*under, spec.name or item.name)) in values:
            given[item.name] = values[path]
    return settings(**given)


def _fields_of(settings: type[object], under: tuple[str, ...]) -> Iterator[tuple[Key, tuple[str, ...]]]:
    """Each key with the attributes that lead to its value."""
    for item in fields(cast(Any, settings)):
        spec = item.metadata[_SPEC]
        if isinstance(spec, _Spec):
            path = (*under, spec.name or item.name)
            yield Key(path, spec.kind, spec.default, spec.about), (*under, item.name)
        else:
            yield from _fields_of(spec, (*under, item.name))
