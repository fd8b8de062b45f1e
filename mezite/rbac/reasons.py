"""Why a rule about nodes or logins did or did not apply, in one line fit for a terminal. It decides nothing.

Labels come from nodes and logins from whoever asks, so everything is quoted and cut.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from mezite.predicate.patterns import stored_pattern
from mezite.quoting import quoted
from mezite.rbac.labels import LabelMatcher

_PLAIN: Final = re.compile(r"[A-Za-z0-9._/@*?^$+-]{1,48}")
_SHOWN: Final = 6
_SHOWN_CHARACTERS: Final = 48


def node_reason(wanted: LabelMatcher, labels: Mapping[str, str]) -> str:
    """What the labels say to the rule: the first key that stands against it, else all that match."""
    if not wanted.keys:
        return "it is about every node"
    for key, values in wanted.keys:
        if key not in labels:
            return f"the node has no label {_short(key)}"
        matched = values.matches(labels[key])
        if not matched:
            said = "is not" if matched is False else "cannot be held against"
            return f"{_short(key)} is {_short(labels[key])}, which {said} {_any_of(values.texts)}"
    return ", ".join(f"{_short(key)} is {_short(labels[key])}" for key, _ in wanted.keys[:_SHOWN])


def login_reason(entries: Mapping[str, str], login: str) -> str:
    """`entries` are what a rule's entries came to for the subject, each with the entry as it was written."""
    if not entries:
        return "it comes to no login for this user"
    if login in entries:
        return f"{_short(login)} is {'listed' if entries[login] == login else entries[login]}"
    for pattern in entries:
        if stored_pattern(pattern).matches(login) is not False:
            return f"{_short(login)} matches {_short(pattern)}"
    return f"{_short(login)} is not {_any_of(tuple(entries))}"


def _any_of(values: Sequence[str]) -> str:
    shown = [_short(value) for value in values[:_SHOWN]]
    return " or ".join(shown) + (f" or {len(values) - _SHOWN} more" if len(values) > _SHOWN else "")


def _short(text: str) -> str:
    """As it is when it is nothing but a name or a pattern, else quoted."""
    return text if _PLAIN.fullmatch(text) else quoted(text, limit=_SHOWN_CHARACTERS)
