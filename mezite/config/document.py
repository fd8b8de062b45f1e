"""The settings file, as the texts somebody wrote, each with the line it stands on.

The YAML is composed, never constructed: no tag is obeyed, no alias expanded, and a value keeps its own
spelling (`off`, `0700`, `1e3`), so that only the kind of its key decides what it means.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import yaml

from mezite.config.kinds import Raw
from mezite.errors import SettingsError

MAX_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Written:
    """`value` is None where a section opens, and for a key without a value."""

    path: tuple[str, ...]
    value: Raw | None
    line: int


@dataclass(frozen=True, slots=True)
class Document:
    place: str
    written: tuple[Written, ...] = ()
    world_readable: bool = False


def read(path: Path) -> Document:
    """Raises SettingsError with the one thing that is wrong with the file as a whole."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError([f"{path}: cannot be read: {error.strerror}"]) from error
    return Document(str(path), tuple(parse(data, place=str(path))), bool(mode & stat.S_IROTH))


def parse(data: bytes, *, place: str) -> Iterator[Written]:
    if len(data) > MAX_BYTES:
        raise SettingsError([f"{place}: larger than {MAX_BYTES // 1024} KiB; this is no settings file"])
    try:
        root = yaml.compose(data, Loader=_PlainLoader)
    except RecursionError as error:
        raise SettingsError([f"{place}: nested too deeply"]) from error
    except yaml.MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise SettingsError([f"{place}{line}: not YAML: {_printable(error.problem or '')}"]) from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise SettingsError([f"{place}: not text in UTF-8"]) from error
    if root is None or _is_null(root):
        return iter(())
    if not isinstance(root, yaml.MappingNode):
        raise SettingsError([f"{place}: not a settings file; write `key: value` lines"])
    return _walk(root, ())


class _PlainLoader(yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        # Aliases can make a small file expand to any size; settings have no use for them.
        if self.check_event(yaml.AliasEvent):
            event = self.peek_event()  # type: ignore[no-untyped-call]  # the stubs leave it bare
            raise yaml.MarkedYAMLError(problem="aliases are not used here", problem_mark=event.start_mark)
        return super().compose_node(parent, index)


def _walk(node: yaml.MappingNode, under: tuple[str, ...]) -> Iterator[Written]:
    for name, value in node.value:
        path = (*under, name.value if isinstance(name, yaml.ScalarNode) else "?")
        yield Written(path, _texts(value), name.start_mark.line + 1)
        if isinstance(value, yaml.MappingNode):
            yield from _walk(value, path)


def _texts(node: yaml.Node) -> Raw | None:
    if isinstance(node, yaml.ScalarNode):
        return None if _is_null(node) else node.value
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return tuple(item.value for item in node.value)
    return None


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)[:200]
