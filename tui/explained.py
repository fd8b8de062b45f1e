"""The hub's explanation of an access question, as the console says it. It decides nothing: the hub has."""

from __future__ import annotations

from dataclasses import dataclass

from mezite.api.generated import access_pb2


@dataclass(frozen=True, slots=True)
class Question:
    user: str
    login: str
    node: str
    roles: tuple[str, ...] = ()

    def command(self) -> str:
        """The same question at a prompt."""
        extra = "".join(f" --as-if-role={role}" for role in self.roles)
        return f"mezctl access explain {self.user} ssh {self.login}@{self.node}{extra}"


@dataclass(frozen=True, slots=True)
class Clause:
    role: str
    rule: str
    verdict: str
    reason: str
    decided: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    question: Question
    allowed: bool
    summary: str
    clauses: tuple[Clause, ...]


def answer(question: Question, said: access_pb2.Explanation) -> Answer:
    """Marks the clauses that decided: the first denial, or what the roles that let in allow."""
    clauses = [Clause(each.role, each.rule, each.verdict, each.reason) for each in said.clauses]
    deciding = _deciding(clauses, allowed=said.allowed)
    marked = tuple(
        Clause(each.role, each.rule, each.verdict, each.reason, place in deciding)
        for place, each in enumerate(clauses)
    )
    return Answer(question, said.allowed, said.decided_by, marked)


def _deciding(clauses: list[Clause], *, allowed: bool) -> set[int]:
    if not allowed:
        # A lock stands above all roles, so it is what decided where there is one.
        denials = [place for place, each in enumerate(clauses) if each.verdict == "deny"]
        locks = [place for place in denials if clauses[place].rule == "lock"]
        return set((locks or denials)[:1])
    refusing = {each.role for each in clauses if each.verdict == "no" and each.rule.startswith("allow.")}
    return {
        place for place, each in enumerate(clauses) if each.verdict == "allow" and each.role not in refusing
    }


def where(text: str) -> tuple[str, str]:
    """`LOGIN@NODE` as typed; either part may be missing still."""
    login, _, node = text.strip().rpartition("@")
    return login, node
