"""Patterns as roles write them: plain text, a glob (`*`, `?`), or `^regex$`. All of them match whole values.

Regular expressions run on a linear-time engine, are at most 256 characters long, and look at values of at
most 4 096. A value that cannot be judged (too long, or not Unicode text) is answered by None, not by a
guess: the caller knows which answer is the safe one. An allow rule takes None for no, a deny rule for yes.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Protocol

import re2

from mezite.errors import Invalid
from mezite.quoting import quoted

PATTERN_CHARACTERS: Final = 256
VALUE_CHARACTERS: Final = 4096
_PROGRAM_BYTES: Final = 1 << 18
"""What one compiled expression may take; `(x{100}){10}` and its like are refused, not built."""
_PATTERNS_KEPT: Final = 1024
_ANSWERS_KEPT: Final = 256
"""Per set of patterns. When it is full, further values are judged each time; none is forgotten."""


class Pattern(Protocol):
    """One compiled pattern."""

    def matches(self, value: str) -> bool | None:
        """Whether the whole of `value` matches; None when that cannot be judged."""
        ...


class _Everything:
    __slots__ = ()

    def matches(self, value: str) -> bool | None:
        return True


class _Exactly:
    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def matches(self, value: str) -> bool | None:
        return value == self._text


class _Expression:
    __slots__ = ("_compiled",)

    def __init__(self, expression: str) -> None:
        options = re2.Options()
        options.max_mem = _PROGRAM_BYTES
        options.log_errors = False
        self._compiled = re2.compile(expression, options)

    def matches(self, value: str) -> bool | None:
        if len(value) > VALUE_CHARACTERS:
            return None
        try:
            return self._compiled.fullmatch(value) is not None
        except UnicodeEncodeError:
            return None


def is_plain(text: str) -> bool:
    """Whether `text` stands for itself alone."""
    return not text.startswith("^") and "*" not in text and "?" not in text


@lru_cache(maxsize=_PATTERNS_KEPT)
def compile_pattern(text: str) -> Pattern:
    """The pattern that `text` writes; `Invalid` when it is too long or no pattern."""
    if len(text) > PATTERN_CHARACTERS:
        raise Invalid(
            f"a pattern has at most {PATTERN_CHARACTERS} characters, this one {len(text)}",
            code="invalid_pattern",
        )
    if text == "*":
        return _Everything()
    if is_plain(text):
        return _Exactly(text)
    try:
        return _Expression(_regex_body(text) if text.startswith("^") else _glob_as_regex(text))
    except (re2.error, UnicodeEncodeError) as fault:
        raise Invalid(
            f"{quoted(text)} is not a regular expression: {_said(fault)}", code="invalid_pattern"
        ) from None


class _Unjudgeable:
    __slots__ = ()

    def matches(self, value: str) -> bool | None:
        return None


def stored_pattern(text: str) -> Pattern:
    """A pattern that was saved. Should it no longer compile, nothing can be judged by it."""
    try:
        return compile_pattern(text)
    except Invalid:
        return _Unjudgeable()


class PatternSet:
    """Several saved patterns, any of which will do. Plain ones cost one look-up, however many they are.

    Of other patterns the last answers are kept: a thousand nodes have few different values of a label.
    """

    __slots__ = ("_answers", "_patterns", "_plain", "texts")

    def __init__(self, texts: Iterable[str]) -> None:
        self.texts = tuple(texts)
        self._plain = frozenset(text for text in self.texts if is_plain(text))
        self._patterns = tuple(stored_pattern(text) for text in self.texts if not is_plain(text))
        self._answers: dict[str, bool | None] = {}

    def __bool__(self) -> bool:
        return bool(self.texts)

    def matches(self, value: str) -> bool | None:
        """Yes if any matches, None if none does but some could not be judged, else no."""
        if value in self._plain:
            return True
        if not self._patterns:
            return False
        if value in self._answers:
            return self._answers[value]
        answer = self._judge(value)
        if len(self._answers) < _ANSWERS_KEPT and len(value) <= PATTERN_CHARACTERS:
            self._answers[value] = answer
        return answer

    def _judge(self, value: str) -> bool | None:
        answers = [pattern.matches(value) for pattern in self._patterns]
        if True in answers:
            return True
        return None if None in answers else False


def _regex_body(text: str) -> str:
    body = text[1:-1]
    escapes = len(body) - len(body.rstrip("\\"))
    if len(text) < 2 or not text.endswith("$") or escapes % 2:
        raise Invalid(f"{quoted(text)} begins with ^ and so must end with $", code="invalid_pattern")
    # The anchors go, for the whole value is matched anyway: so `^a|b$` means a or b, not "begins with a".
    return body


def _glob_as_regex(text: str) -> str:
    pieces = {"*": ".*", "?": "."}
    return "(?s)" + "".join(pieces.get(letter) or re2.escape(letter) for letter in text)


def _said(fault: Exception) -> str:
    said = fault.args[0] if fault.args else fault
    return quoted(said.decode(errors="replace") if isinstance(said, bytes) else str(said))[1:-1]
