"""A compiled predicate and its verdict: the two things everybody else sees of the language.

Compiling is what a save does; it raises, and says where. Judging never raises: it answers, with a reason.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Final

from mezite import durations
from mezite.errors import Invalid
from mezite.predicate.check import check
from mezite.predicate.evaluate import Finding, judge
from mezite.predicate.functions import Answer
from mezite.predicate.grammar import parse
from mezite.predicate.kinds import Facts, Scalar, is_of_kind
from mezite.predicate.syntax import Literal, Node, Selector, children, show_briefly
from mezite.predicate.vocabulary import Vocabulary
from mezite.quoting import quoted

_SHOWN_ITEMS: Final = 8
_SHOWN_CHARACTERS: Final = 120
_WORDS: Final = {True: "true", False: "false", None: "not known"}


@dataclass(frozen=True, slots=True)
class Verdict:
    """Truthy only when the predicate holds for certain. `why` names the piece that settled it and why."""

    answer: Answer
    why: str

    def __bool__(self) -> bool:
        return self.answer is True

    @property
    def may_hold(self) -> bool:
        """It holds, or cannot be told: what a rule that denies has to go by."""
        return self.answer is not False


_ALWAYS: Final = Verdict(answer=True, why="no condition")


@dataclass(frozen=True, slots=True)
class Predicate:
    """`tree` is None for the empty text, which sets no condition and always holds."""

    source: str
    vocabulary: Vocabulary
    tree: Node | None

    def holds(self, facts: Facts) -> Verdict:
        if self.tree is None:
            return _ALWAYS
        try:
            finding = judge(self.tree, facts, self.vocabulary)
            return Verdict(finding.answer, _why(finding, facts, self.vocabulary))
        except Exception as crash:  # noqa: BLE001  # a clause that crashes is a no, never a failed request
            return Verdict(None, f"cannot be judged ({type(crash).__name__})")


@lru_cache(maxsize=1024)
def compile_predicate(source: str, vocabulary: Vocabulary) -> Predicate:
    """The predicate that `source` writes in this vocabulary; `Invalid`, with its column, if it is none."""
    if not source.strip():
        return Predicate(source, vocabulary, None)
    tree = parse(source)
    check(tree, vocabulary)
    return Predicate(source, vocabulary, tree)


def holds(source: str, vocabulary: Vocabulary, facts: Facts) -> Verdict:
    """The verdict on a stored predicate. One that does not compile cannot be judged, like any other crash."""
    try:
        return compile_predicate(source, vocabulary).holds(facts)
    except Invalid as refusal:
        return Verdict(None, f"cannot be judged ({refusal.message})")


def _why(finding: Finding, facts: Facts, vocabulary: Vocabulary) -> str:
    settled = finding.settled_by
    said = f"{show_briefly(settled, _SHOWN_CHARACTERS)} is {_WORDS[finding.which_is]}"
    if isinstance(settled, Selector | Literal):
        return said
    seen = [
        f"{show_briefly(each, _SHOWN_CHARACTERS)} is {_shown(each, facts, vocabulary)}"
        for each in children(settled)
        if isinstance(each, Selector)
    ]
    return f"{said}: {', '.join(seen)}" if seen else said


def _shown(selector: Selector, facts: Facts, vocabulary: Vocabulary) -> str:
    kind, fact = vocabulary.kind_of(selector.path), facts.get(".".join(selector.path))
    if kind is None or not is_of_kind(fact, kind):
        return _WORDS[None]
    if isinstance(fact, tuple):
        items = [_scalar(item) for item in fact[:_SHOWN_ITEMS]] + ["…"] * (len(fact) > _SHOWN_ITEMS)
        return f"[{', '.join(items)}]"
    return _scalar(fact)


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return _WORDS[value]
    if isinstance(value, timedelta):
        return durations.show(value)
    return quoted(value) if isinstance(value, str) else str(value)
