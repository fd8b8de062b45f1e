"""Whoever a decision is about, reduced to what decisions look at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from mezite.predicate.contexts import person_facts
from mezite.predicate.kinds import Fact


@dataclass(frozen=True, slots=True)
class Subject:
    """`roles` are the names of the roles held for this decision, standing or by a grant in force."""

    id: str
    name: str
    logins: tuple[str, ...] = ()
    traits: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    roles: tuple[str, ...] = ()

    def facts(self, part: str = "user") -> dict[str, Fact]:
        """What predicates may know of this subject, under the name of the part it plays."""
        return person_facts(part, name=self.name, roles=self.roles, logins=self.logins, traits=self.traits)
