"""Judging a checked predicate over facts. Answers are True, False or None: None is "that cannot be told".

The rule it guards: *a predicate is true only if it would be true whatever the missing facts turned out to
be*, and false only likewise. Hence Kleene's three values. A comparison with an unknown is unknown, and so is
its denial; `unknown || true` is true and `unknown && false` false, for there the unknown changes nothing.
So learning a fact never turns a yes or a no around. The tests state this as properties.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mezite.predicate.functions import FUNCTIONS, Answer
from mezite.predicate.kinds import Fact, Facts, is_of_kind
from mezite.predicate.syntax import Call, Every, ListLiteral, Literal, Node, Not, Selector, Some
from mezite.predicate.vocabulary import Vocabulary


@dataclass(frozen=True, slots=True)
class Finding:
    """The answer, and the piece that settled it: a call, a selector or a literal, with its own answer."""

    answer: Answer
    settled_by: Node
    which_is: Answer


def judge(node: Node, facts: Facts, vocabulary: Vocabulary) -> Finding:
    """What `node`, a yes or no, comes to. Its depth and size were bounded when it was parsed."""
    match node:
        case Not(operand=operand):
            inner = judge(operand, facts, vocabulary)
            answer = None if inner.answer is None else not inner.answer
            return Finding(answer, inner.settled_by, inner.which_is)
        case Every(operands=operands):
            return _settle((judge(operand, facts, vocabulary) for operand in operands), settling=False)
        case Some(operands=operands):
            return _settle((judge(operand, facts, vocabulary) for operand in operands), settling=True)
        case Call():
            answer = _judge_call(node, facts, vocabulary)
        case Literal() | ListLiteral() | Selector():
            value = _fact(node, facts, vocabulary)
            answer = value if isinstance(value, bool) else None
    return Finding(answer, node, answer)


def _settle(findings: Iterable[Finding], *, settling: bool) -> Finding:
    """The first finding that settles the whole; without one the first unknown; without either, the last."""
    unknown: Finding | None = None
    last: Finding | None = None
    for last in findings:
        if last.answer is settling:
            return last
        if last.answer is None and unknown is None:
            unknown = last
    # The grammar lets no operator stand without operands.
    assert last is not None
    return unknown or last


def _judge_call(call: Call, facts: Facts, vocabulary: Vocabulary) -> Answer:
    left, right = (_fact(argument, facts, vocabulary) for argument in call.arguments)
    return None if left is None or right is None else FUNCTIONS[call.name].judge(left, right)


def _fact(node: Node, facts: Facts, vocabulary: Vocabulary) -> Fact | None:
    match node:
        case Literal(value=value):
            return value
        case ListLiteral(items=items):
            return items
        case Selector(path=path):
            kind, known = vocabulary.kind_of(path), facts.get(".".join(path))
            return known if kind is not None and is_of_kind(known, kind) else None
        case _:
            return judge(node, facts, vocabulary).answer
