"""The values that stand in a role's document, and what each refuses. Names and patterns are bounded here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from mezite import durations, ids
from mezite.errors import Invalid
from mezite.model.role import FileCopy, JoinMode, SessionMfa, Verb
from mezite.predicate.patterns import compile_pattern, is_plain
from mezite.predicate.predicate import compile_predicate
from mezite.predicate.vocabulary import Vocabulary
from mezite.quoting import quoted, unseen
from mezite.rbac.decide import RESOURCES
from mezite.rbac.fields import Many, Spot, Text, choice, meant, shape
from mezite.rbac.labels import EVERY
from mezite.rbac.loading import Plain
from mezite.rbac.traits import check_login_entry

ENTRIES: Final = 64
"""How long any list of a role may be."""
NAME_CHARACTERS: Final = 64
DESCRIPTION_CHARACTERS: Final = 512

_FLAGS: Final = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
_ROLE_GLOB: Final = re.compile(r"[a-z0-9*?-]{1,63}")
_TARGET: Final = re.compile(r"(?:[A-Za-z0-9_.*?-]+|\[[0-9A-Fa-f:.*?]+\]):(?:\*|[0-9*?]{1,5})|unix:/[!-~]+")


def _flag(text: str) -> bool:
    said = _FLAGS.get(text.lower())
    if said is None:
        raise Invalid(f"{quoted(text)} is not true or false")
    return said


def _count(highest: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not re.fullmatch("[0-9]{1,9}", text) or not 1 <= int(text) <= highest:
            raise Invalid(f"{quoted(text)} is not a whole number from 1 to {highest}")
        return int(text)

    return parse


def _words(longest: int, *, shortest: int = 1) -> Callable[[str], str]:
    def parse(text: str) -> str:
        text = text.strip()
        if (sign := unseen(text)) is not None:
            raise Invalid(f"{sign} is not accepted in it; write one line of plain text")
        if not shortest <= len(text) <= longest:
            raise Invalid(f"has {len(text)} characters; {shortest} to {longest} are allowed")
        return text

    return parse


def _pattern(text: str) -> str:
    compile_pattern(text)
    return text


def _value_pattern(text: str) -> str:
    if "{{" in text:
        raise Invalid(f"{quoted(text)}: templates stand only in logins; write the value, * or ^regex$")
    return _pattern(text)


def _role_glob(text: str) -> str:
    if is_plain(text):
        return ids.role_name(text)
    if not text.startswith("^") and not _ROLE_GLOB.fullmatch(text):
        raise Invalid(f"{quoted(text)} can match no role name; those are of a-z 0-9 -")
    return _pattern(text)


def _denied_login(text: str) -> str:
    return check_login_entry(text) if is_plain(text) or "{{" in text else _pattern(text)


def _target(text: str) -> str:
    if len(text) > 256 or not _TARGET.fullmatch(text):
        raise Invalid(f"{quoted(text)} is not a target; write host:port, *.example.com:443 or unix:/path")
    return text


def _resource(text: str) -> str:
    name = text.replace("-", "_")
    if name not in RESOURCES and name != EVERY:
        raise Invalid(
            f"{quoted(text)} is no resource{meant(name, list(RESOURCES))}; known are {', '.join(RESOURCES)}"
        )
    return name


def _file_copy(text: str) -> FileCopy:
    if text in (FileCopy.UPLOAD, FileCopy.DOWNLOAD):
        return FileCopy(text)
    said = _FLAGS.get(text.lower())
    if said is None:
        raise Invalid(f"{quoted(text)} is not one of true, false, upload, download")
    return FileCopy.ALL if said else FileCopy.NONE


def _show_file_copy(copy: FileCopy) -> Plain:
    return {FileCopy.ALL: True, FileCopy.NONE: False}.get(copy, str(copy))


def _same(value: bool | int) -> Plain:
    return value


FLAG: Final = Text(_flag, _same)
DURATION: Final = Text(durations.parse, durations.show)
NAME: Final = Text(_words(NAME_CHARACTERS))
DESCRIPTION: Final = Text(_words(DESCRIPTION_CHARACTERS, shortest=0))
PATTERN: Final = Text(_pattern)
MFA: Final = choice(SessionMfa, also={"": SessionMfa.OFF, "false": SessionMfa.OFF, "no": SessionMfa.OFF})
FILE_COPY: Final = Text(_file_copy, _show_file_copy)
ROLE_GLOBS: Final = Many(Text(_role_glob), limit=ENTRIES)
USERS: Final = Many(Text(ids.user_name), limit=ENTRIES)
NAMES: Final = Many(NAME, limit=ENTRIES)
TARGETS: Final = Many(Text(_target), limit=ENTRIES)
RESOURCE_NAMES: Final = Many(Text(_resource), limit=ENTRIES)
VERBS: Final = Many(choice(Verb), limit=ENTRIES, every=Verb)
ALLOWED_LOGINS: Final = Many(Text(check_login_entry), limit=ENTRIES)
DENIED_LOGINS: Final = Many(Text(_denied_login), limit=ENTRIES)

PRESENT_MODES: Final = (JoinMode.OBSERVER, JoinMode.PEER, JoinMode.MODERATOR)
"""Those that count as being there. Watching does not, and so `*` never grants it; but it denies it."""
ALLOWED_MODES: Final = Many(choice(JoinMode), limit=ENTRIES, every=PRESENT_MODES)
DENIED_MODES: Final = Many(choice(JoinMode), limit=ENTRIES, every=JoinMode)


def count(highest: int) -> Text[int]:
    return Text(_count(highest), _same)


def predicate(vocabulary: Vocabulary) -> Text[str]:
    """A predicate's text, compiled once to see that it is one."""

    def parse(text: str) -> str:
        compile_predicate(text, vocabulary)
        return text.strip()

    return Text(parse)


class NodeLabels:
    """Keys and the values any of which will do. `*` as a key means every node, so its only value is `*`."""

    _values: Final = Many(Text(_value_pattern), limit=ENTRIES)

    def read(self, plain: Plain, spot: Spot) -> dict[str, tuple[str, ...]] | None:
        if not isinstance(plain, dict):
            spot.refuse(f"is {shape(plain)}; write label keys and their values, as in env: production")
            return None
        if len(plain) > ENTRIES:
            spot.refuse(f"has {len(plain)} keys; {ENTRIES} are allowed")
            return None
        read = {key: self._read_one(key, value, spot.key(key)) for key, value in plain.items()}
        return {key: values for key, values in read.items() if values is not None}

    def _read_one(self, key: str, plain: Plain, spot: Spot) -> tuple[str, ...] | None:
        if key == EVERY:
            if plain not in (EVERY, [EVERY]):
                spot.refuse('takes no value but "*"; together they are every node')
            return (EVERY,)
        if not ids.LABEL_KEY.fullmatch(key):
            spot.refuse(
                "is not a label key; use 1 to 63 of A-Z a-z 0-9 . _ / -, beginning with a letter or digit"
            )
            return None
        values = self._values.read(plain, spot)
        if values == ():
            spot.refuse("has no values; write * for any")
        return values

    def write(self, labels: dict[str, tuple[str, ...]]) -> Plain:
        return {key: values[0] if len(values) == 1 else list(values) for key, values in labels.items()}
