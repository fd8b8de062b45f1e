"""Why a rule about nodes or logins did or did not apply, in one line fit for a terminal. It decides nothing.

Labels come from nodes and logins from whoever asks, so everything is quoted and cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from mezite.predicate.patterns import PatternSet
from mezite.quoting import quoted
from mezite.rbac.labels import EVERY
from mezite.rbac.subject import Subject
from mezite.rbac.traits import expand_login

_PLAIN: Final = re.compile(r"[A-Za-z0-9._/@*?^$+-]{1,48}")
_SHOWN: Final = 6
_SHOWN_CHARACTERS: Final = 48


def node_reason(wanted: Mapping[str, tuple[str, ...]], labels: Mapping[str, str]) -> str:
    """What the labels say to the rule: the first key that stands against it, else all that match."""
    if EVERY in wanted.get(EVERY, ()) and len(wanted) == 1:
        return "it is about every node"
    keys = [key for key in wanted if not (key == EVERY and EVERY in wanted[key])]
    for key in keys:
        if key not in labels:
            return f"the node has no label {_short(key)}"
        matched = PatternSet(wanted[key]).matches(labels[key])
        if not matched:
            said = "is not" if matched is False else "is too long to be held against"
            return f"{_short(key)} is {_short(labels[key])}, which {said} {_any_of(wanted[key])}"
    return ", ".join(f"{_short(key)} is {_short(labels[key])}" for key in keys[:_SHOWN])


def login_reason(entries: Sequence[str], subject: Subject, login: str) -> str:
    """Which entry names the login, or what the entries come to for this subject."""
    for entry in entries:
        logins = expand_login(entry, subject)
        if PatternSet(logins).matches(login) is False:
            continue
        how = "is listed" if entry == login else f"{'matches' if entry in logins else 'is'} {entry}"
        return f"{_short(login)} {how}"
    expanded = [login for entry in entries for login in expand_login(entry, subject)]
    return f"{_short(login)} is not {_any_of(expanded)}" if expanded else "it comes to no login for this user"


def _any_of(values: Sequence[str]) -> str:
    shown = [_short(value) for value in values[:_SHOWN]]
    return " or ".join(shown) + (f" or {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def _short(text: str) -> str:
    """As it is when it is nothing but a name or a pattern, else quoted."""
    return text if _PLAIN.fullmatch(text) else quoted(text, limit=_SHOWN_CHARACTERS)
