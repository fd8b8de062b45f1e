"""The places where predicates stand, and what each knows. A fact in no vocabulary can be asked nowhere.

One reading everywhere: `user` is whoever's right is in question, the one who joins, who votes, who acts.
The other names say the same person's part in the matter (`participant`, `reviewer`) or somebody else's
(`owner` of the session, `requester`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from mezite.predicate.kinds import Fact, Kind
from mezite.predicate.vocabulary import Vocabulary


def _person(name: str) -> dict[str, Kind]:
    return {
        f"{name}.name": Kind.TEXT,
        f"{name}.roles": Kind.TEXTS,
        f"{name}.logins": Kind.TEXTS,
        f"{name}.traits.*": Kind.TEXTS,
    }


JOIN_FILTER: Final = Vocabulary(
    "the filter of require_session_join",
    {
        **_person("user"),
        **_person("participant"),
        **_person("owner"),
        "participant.mode": Kind.TEXT,
        "session.node": Kind.TEXT,
        "session.login": Kind.TEXT,
        "session.labels.*": Kind.TEXT,
    },
)

REVIEW: Final = Vocabulary(
    "a predicate over reviewer and request",
    {
        **_person("user"),
        **_person("reviewer"),
        **_person("requester"),
        "request.id": Kind.TEXT,
        "request.roles": Kind.TEXTS,
        "request.nodes": Kind.TEXTS,
        "request.reason": Kind.TEXT,
        "request.ticket": Kind.TEXT,
        "request.duration": Kind.DURATION,
        "request.risk": Kind.NUMBER,
        "request.break_glass": Kind.TRUTH,
    },
)

ADMIN_WHERE: Final = Vocabulary(
    "the where of an administrative rule",
    {
        **_person("user"),
        "resource.kind": Kind.TEXT,
        "resource.name": Kind.TEXT,
        "resource.owner": Kind.TEXT,
        "resource.roles": Kind.TEXTS,
        "resource.node": Kind.TEXT,
        "resource.login": Kind.TEXT,
        "resource.participants": Kind.TEXTS,
        "resource.labels.*": Kind.TEXT,
    },
)


def person_facts(
    part: str,
    *,
    name: str,
    roles: Iterable[str],
    logins: Iterable[str],
    traits: Mapping[str, Iterable[str]],
) -> dict[str, Fact]:
    """What is known of one person, under the name of the part they play."""
    return {
        f"{part}.name": name,
        f"{part}.roles": tuple(roles),
        f"{part}.logins": tuple(logins),
        **{f"{part}.traits.{trait}": tuple(values) for trait, values in traits.items()},
    }
