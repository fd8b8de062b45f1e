"""Defaults < file < environment, read into settings with every fault reported at once.

A person mends a file in one go, so no fault hides another. An unknown key in a file is a fault: a mistyped
name would leave its default in force. An unknown `MEZITE_` variable is only a warning: the environment is
shared with other programs.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from mezite.config import document
from mezite.config.kinds import Raw, Unfit
from mezite.config.schema import Key, build, keys_of, values_of
from mezite.config.settings import AgentSettings, HubSettings
from mezite.errors import SettingsError
from mezite.quoting import quoted

S = TypeVar("S", HubSettings, AgentSettings)

DEFAULT_FILE: Final = Path("/etc/mezite/mezite.yaml")

CLIENT_VARIABLES: Final = frozenset(
    {"MEZITE_HOME", "MEZITE_AUTH_TOKEN", "MEZITE_DEBUG", "MEZITE_PROXY", "MEZITE_SESSION_ID"}
)
"""Variables that msh, mezctl and a session's shell know; no setting of a daemon."""
END_WITH: Final = "MEZITE_RELAYS_END_WITH"
"""Said by the one process that starts a whole cluster for a while: its own id. No setting either."""


@dataclass(frozen=True, slots=True)
class Loaded(Generic[S]):
    settings: S
    warnings: tuple[str, ...]
    origins: Mapping[str, str]
    """Key name -> the place that set it; silent on keys that have their default."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A value as somebody wrote it, and where."""

    value: Raw | None
    place: str


def load_hub(file: Path | None, environ: Mapping[str, str]) -> Loaded[HubSettings]:
    """`file` is the one asked for by name, which must exist; None takes the default one if it is there."""
    if file is not None or DEFAULT_FILE.exists():
        return resolve(HubSettings, document.read(file or DEFAULT_FILE), environ)
    return resolve(HubSettings, document.Document(""), environ)


def load_agent(environ: Mapping[str, str]) -> Loaded[AgentSettings]:
    return resolve(AgentSettings, document.Document(""), environ)


def resolve(kind: type[S], file: document.Document, environ: Mapping[str, str]) -> Loaded[S]:
    """The pure part: texts in, settings out, or SettingsError with all that is wrong."""
    keys: dict[tuple[str, ...], Key] = {key.path: key for key in keys_of(kind)}
    faults: list[str] = []
    said = dict(_from_file(keys, file, faults)) | dict(_from_environment(keys, environ))
    values: dict[tuple[str, ...], object] = {}
    for path, item in said.items():
        try:
            values[path] = keys[path].kind.parse(_given(item))
        except ValueError as error:
            faults.append(_fault(keys[path], item, error))
    settings = build(kind, values)
    faults.extend(_rule_faults(settings, keys, [path for path in said if path not in values]))
    if faults:
        raise SettingsError(faults)
    warnings = (*_exposed(keys, file), *_unknown_variables(environ))
    return Loaded(settings, warnings, {keys[path].name: item.place for path, item in said.items()})


def describe(loaded: Loaded[S]) -> Iterator[tuple[str, str, str]]:
    """(key, value as one would write it, where it comes from) of every key; secrets as `***`."""
    for key, value in values_of(loaded.settings):
        yield key.name, key.show(value), loaded.origins.get(key.name, "default")


def _given(item: _Said) -> Raw:
    if item.value is None:
        raise Unfit
    return item.value


def _from_file(
    keys: Mapping[tuple[str, ...], Key], file: document.Document, faults: list[str]
) -> Iterator[tuple[tuple[str, ...], _Said]]:
    sections = {path[:depth] for path in keys for depth in range(1, len(path))}
    lines: dict[tuple[str, ...], int] = {}
    closed: set[tuple[str, ...]] = set()
    for item in file.written:
        where = f"{_name(item.path)} ({file.place} line {item.line})"
        if any(item.path[:depth] in closed for depth in range(1, len(item.path))):
            continue
        if item.path not in sections:
            closed.add(item.path)
        if item.path in lines:
            faults.append(f"{where}: stands on line {lines[item.path]} already; keep one")
        elif item.path in keys:
            yield item.path, _Said(item.value, f"{file.place} line {item.line}")
        elif item.path not in sections:
            faults.append(f"{where}: unknown key; {_nearest(item.path, keys)}")
        elif item.value is not None:
            faults.append(f"{where}: a section, not a value; {_members(item.path, keys)}")
        lines.setdefault(item.path, item.line)


def _from_environment(
    keys: Mapping[tuple[str, ...], Key], environ: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], _Said]]:
    for path, key in keys.items():
        if key.variable in environ:
            yield path, _Said(environ[key.variable], key.variable)


def _fault(key: Key, item: _Said, error: ValueError) -> str:
    where = f"{key.name} ({item.place})"
    if item.value is None:
        return f"{where}: holds no value; give it {key.kind.wants}, or remove the key"
    if key.kind.secret:
        return f"{where}: the value is not {key.kind.wants}"
    part = error.part if isinstance(error, Unfit) else None
    wrong = item.value if part is None else part
    return f"{where}: {quoted(wrong if isinstance(wrong, str) else ', '.join(wrong))} is not {key.kind.wants}"


def _rule_faults(
    settings: HubSettings | AgentSettings, keys: Mapping[tuple[str, ...], Key], unread: list[tuple[str, ...]]
) -> Iterator[str]:
    """What the rules between keys say, but not of a section that could not be read: one mistake, one line."""
    named = {key.name: key for key in keys.values()}
    unsure = {path[0] for path in unread}
    for name, fault in settings.faults():
        if named[name].path[0] not in unsure:
            yield f"{name} ({named[name].variable}): {fault}"


def _name(path: tuple[str, ...]) -> str:
    return ".".join(part if part.isprintable() and len(part) <= 80 else quoted(part) for part in path)


def _nearest(path: tuple[str, ...], keys: Mapping[tuple[str, ...], Key]) -> str:
    known = [key.name for key in keys.values()]
    close = difflib.get_close_matches(".".join(path)[:200], known, n=1, cutoff=0.75)
    return f"did you mean {close[0]}?" if close else _members(path[:-1], keys)


def _members(section: tuple[str, ...], keys: Mapping[tuple[str, ...], Key]) -> str:
    here = dict.fromkeys(path[len(section)] for path in keys if path[: len(section)] == section)
    return f"{'.'.join(section) or 'the file'} holds {', '.join(here)}"


def _exposed(keys: Mapping[tuple[str, ...], Key], file: document.Document) -> Iterator[str]:
    secrets = [_name(item.path) for item in file.written if item.path in keys and keys[item.path].kind.secret]
    if file.world_readable and secrets:
        yield f"{file.place}: everybody on this machine can read {', '.join(secrets)}; chmod 600 it"


def _unknown_variables(environ: Mapping[str, str]) -> Iterator[str]:
    known = (
        {key.variable for kind in (HubSettings, AgentSettings) for key in keys_of(kind)}
        | CLIENT_VARIABLES
        | {END_WITH}
    )
    for name in sorted(environ):
        if name.startswith("MEZITE_") and name not in known:
            close = difflib.get_close_matches(name[:200], known, n=1, cutoff=0.8)
            yield f"{_name((name,))}: no such setting, ignored" + (
                f"; did you mean {close[0]}?" if close else ""
            )
