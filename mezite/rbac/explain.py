"""A decision told: as the JSON that scripts rely on, and as lines for a terminal. Nothing is decided here.

Every reason was made fit to print where it was made (`reasons`, `predicate`), so these lines may be printed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import timedelta
from itertools import groupby
from typing import Any

from mezite import durations
from mezite.model.role import JoinRequirement
from mezite.rbac.decide import Clause, Decision, SshDecision, Stand
from mezite.rbac.options import JoinDemand, Terms

_SIGNS = {Stand.ALLOW: "+", Stand.DENY: "-", Stand.NO: " "}


def as_json(decision: Decision) -> dict[str, Any]:
    """`allowed` and `clauses` keep their shape for good; `summary` says what decided."""
    return {
        "allowed": decision.allowed,
        "summary": decision.summary,
        "clauses": [
            {
                "role": clause.role,
                "rule": clause.rule,
                "verdict": str(clause.verdict),
                "reason": clause.reason,
            }
            for clause in decision.clauses
        ],
    }


def lines(decision: Decision) -> Iterator[str]:
    """What decided, then every clause under its role: `+` allows, `-` denies, blank says nothing to this."""
    yield decision.summary
    width = max((len(clause.rule) for clause in decision.clauses), default=0)
    for role, clauses in groupby(decision.clauses, key=lambda clause: clause.role):
        yield ""
        yield f"role {role}" if role else "above all roles"
        yield from (_line(clause, width) for clause in clauses)
    if isinstance(decision, SshDecision) and decision.terms is not None:
        yield ""
        yield "terms"
        yield from (f"  {term}" for term in _terms(decision.terms))


def _line(clause: Clause, width: int) -> str:
    return f"  {_SIGNS[clause.verdict]} {clause.rule:<{width}}  {clause.verdict:<5}  {clause.reason}"


def _terms(terms: Terms) -> Iterator[str]:
    """Every term that limits or demands something, by the key that roles say it under."""
    for each in fields(terms):
        value = getattr(terms, each.name)
        if each.name == "require_session_join":
            yield from (_demand(demand) for demand in terms.require_session_join)
        elif value not in (None, ()):
            yield f"{each.name}: {_shown(value)}"


def _demand(demand: JoinDemand) -> str:
    return f"require_session_join of {demand.role}: {' or '.join(map(_requirement, demand.any_of))}"


def _requirement(requirement: JoinRequirement) -> str:
    return f"{requirement.count} × {'/'.join(requirement.modes)} ({requirement.name})"


def _shown(value: object) -> str:
    if isinstance(value, timedelta):
        return durations.show(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
