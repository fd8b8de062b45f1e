"""Templates in logins: `{{user.name}}`, `{{user.logins}}`, `{{user.traits.X}}`, at most one in an entry.

A template stands for each of its values in turn, with whatever is written around it: `ops-{{user.name}}`. A
value the user lacks gives nothing. What comes out is a login only if it is spelled like one, so nothing
a user or an identity provider says can become an option or a path further down.
"""

from __future__ import annotations

import re
from typing import Final

from mezite import ids
from mezite.errors import Invalid
from mezite.quoting import quoted
from mezite.rbac.subject import Subject

_TEMPLATE: Final = re.compile(
    r"\{\{\s*user\.(?:(name|logins)|traits\.([A-Za-z0-9][A-Za-z0-9._/-]{0,62}))\s*\}\}"
)
_STAND_IN: Final = "x"
_KNOWN: Final = "{{user.name}}, {{user.logins}} and {{user.traits.NAME}}"


def check_login_entry(entry: str) -> str:
    """The entry, if it is a login or a template that could make one; `Invalid` says why not."""
    if "{{" not in entry and "}}" not in entry:
        return ids.login(entry)
    found = list(_TEMPLATE.finditer(entry))
    if len(found) > 1:
        raise Invalid(f"{quoted(entry)} holds two templates; write two entries", code="invalid_template")
    around = _TEMPLATE.sub(_STAND_IN, entry)
    if "{{" in around or "}}" in around:
        raise Invalid(f"{quoted(entry)} is not a template; there are {_KNOWN}", code="invalid_template")
    if not ids.LOGIN.fullmatch(around):
        raise Invalid(
            f"{quoted(entry)} can never make a login; see what stands around it", code="invalid_template"
        )
    return entry


def expand_login(entry: str, subject: Subject) -> tuple[str, ...]:
    """The logins that an entry of a role comes to for this subject, in order, each once."""
    found = _TEMPLATE.search(entry)
    if found is None:
        return (entry,)
    before, after = entry[: found.start()], entry[found.end() :]
    made = (before + value + after for value in _values(found, subject))
    return tuple(dict.fromkeys(login for login in made if ids.LOGIN.fullmatch(login)))


def _values(found: re.Match[str], subject: Subject) -> tuple[str, ...]:
    own, trait = found.groups()
    if trait is not None:
        return subject.traits.get(trait, ())
    return (subject.name,) if own == "name" else subject.logins
