"""The grammar, and the way from text to tree. Bounded before it reads and after; knows no vocabulary.

LALR(1), so reading takes time linear in the text and no recursion: a text of nothing but `(` or `!` costs
what its length costs, and the tree is measured before anything walks it by recursion. Loading lark takes
longer than most of our programs run, hence only at the first parse.

Loosest first: `||`, `&&`, `!`, one comparison (comparisons do not chain), then values. Single and double
quotes mean the same; the escapes are `\\\\`, `\\"`, `\\'`, `\\n`, `\\t`, `\\uXXXX` and `\\UXXXXXXXX`.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mezite import durations
from mezite.errors import Invalid
from mezite.predicate.syntax import (
    Call,
    Every,
    ListLiteral,
    Literal,
    Node,
    Not,
    Place,
    Selector,
    Some,
    children,
    fault,
)
from mezite.quoting import quoted

if TYPE_CHECKING:
    from lark import Lark, Token, UnexpectedInput

SOURCE_CHARACTERS: Final = 4096
TREE_DEPTH: Final = 32
TREE_NODES: Final = 256
LIST_ITEMS: Final = 128
NUMBER_DIGITS: Final = 15

GRAMMAR: Final = r"""
?start: some
?some: every ("||" every)*
?every: denial ("&&" denial)*
?denial: BANG denial                          -> negation
       | comparison
?comparison: value
           | value (EQ | ORDER | IN) value    -> infix
?value: "(" some ")"
      | scalar
      | OPEN scalar ("," scalar)* "]"         -> listing
      | NAME "(" (some ("," some)*)? ")"      -> call
      | NAME (part | key)*                    -> selector
?scalar: TEXT                                 -> text
       | NUMBER                               -> number
       | DURATION                             -> duration
?part: "." NAME
?key: "[" TEXT "]"

BANG: "!"
EQ: "==" | "!="
ORDER: "<=" | ">=" | "<" | ">"
IN: /in(?![A-Za-z0-9_])/
OPEN: "["
NAME: /[A-Za-z_][A-Za-z0-9_]*/
TEXT: /"(?:[^"\\\n]|\\.)*"/ | /'(?:[^'\\\n]|\\.)*'/
DURATION.2: /(?:[0-9]+[dhms])+/
NUMBER: /-?[0-9]+(?:\.[0-9]+)?/
%ignore /[ \t\r\n]+/
"""

_ESCAPE: Final = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|(.))")
_ESCAPED: Final = {"\\": "\\", '"': '"', "'": "'", "n": "\n", "t": "\t"}
_SPELLED: Final = {
    "=": "==",
    "&": "&&",
    "|": "||",
    "and": "&&",
    "or": "||",
    "not": "!",
    "AND": "&&",
    "OR": "||",
}
"""What people write out of habit, and what it is here."""


def parse(source: str) -> Node:
    """The tree that `source` writes; `Invalid` says at which column it does not."""
    if len(source) > SOURCE_CHARACTERS:
        raise fault(
            Place(), f"a predicate has at most {SOURCE_CHARACTERS} characters, this one {len(source)}"
        )
    _refuse_unprintable(source)
    from lark.exceptions import UnexpectedInput

    try:
        tree: Node = _parser().parse(source)  # type: ignore[assignment]  # our builder returns nodes, not trees
    except UnexpectedInput as unexpected:
        raise _syntax_fault(source, unexpected) from None
    _measure(tree)
    return tree


@cache
def _parser() -> Lark:
    from lark import Lark

    builder: Any = _Builder()
    return Lark(GRAMMAR, parser="lalr", transformer=builder)


class _Builder:
    """One method per rule, called bottom up while lark reads; stateless, so one parser serves everybody."""

    def some(self, operands: list[Node]) -> Node:
        return Some(tuple(operands), operands[0].at)

    def every(self, operands: list[Node]) -> Node:
        return Every(tuple(operands), operands[0].at)

    def negation(self, matched: list[Any]) -> Node:
        bang, operand = matched
        return Not(operand, _place(bang))

    def infix(self, matched: list[Any]) -> Node:
        left, sign, right = matched
        return Call(str(sign), (left, right), _place(sign))

    def call(self, matched: list[Any]) -> Node:
        name, *arguments = matched
        return Call(str(name), tuple(arguments), _place(name))

    def listing(self, matched: list[Any]) -> Node:
        opening, *items = matched
        if len(items) > LIST_ITEMS:
            raise fault(_place(opening), f"a list has at most {LIST_ITEMS} items, this one {len(items)}")
        return ListLiteral(tuple(item.value for item in items), _place(opening))

    def selector(self, matched: list[Token]) -> Node:
        first, *steps = matched
        if not steps and first in ("true", "false"):
            return Literal(first == "true", _place(first))
        return Selector((str(first), *(_step(step) for step in steps)), _place(first))

    def text(self, matched: list[Token]) -> Node:
        return Literal(_unquoted(matched[0]), _place(matched[0]))

    def number(self, matched: list[Token]) -> Node:
        (token,) = matched
        if sum(letter.isdigit() for letter in token) > NUMBER_DIGITS:
            raise fault(_place(token), f"a number has at most {NUMBER_DIGITS} digits")
        return Literal(float(token) if "." in token else int(token), _place(token))

    def duration(self, matched: list[Token]) -> Node:
        try:
            return Literal(durations.parse(str(matched[0])), _place(matched[0]))
        except Invalid as refusal:
            raise fault(_place(matched[0]), refusal.message) from None


def _place(token: Token) -> Place:
    return Place(token.line or 1, token.column or 1)


def _step(token: Token) -> str:
    return _unquoted(token) if token.type == "TEXT" else str(token)


def _unquoted(token: Token) -> str:
    def character(escape: re.Match[str]) -> str:
        four, eight, letter = escape.groups()
        if letter is not None and letter in _ESCAPED:
            return _ESCAPED[letter]
        code = int(four or eight or "-1", 16)
        if not 0 <= code <= 0x10FFFF or 0xD800 <= code <= 0xDFFF:
            raise fault(_place(token), f"{quoted(escape[0])} is no escape; write \\\\ for a backslash")
        return chr(code)

    return _ESCAPE.sub(character, token[1:-1])


def _refuse_unprintable(source: str) -> None:
    for number, line in enumerate(source.split("\n"), 1):
        for column, letter in enumerate(line, 1):
            if not letter.isprintable() and letter not in "\t\r":
                code = f"U+{ord(letter):04X}"
                raise fault(
                    Place(number, column), f"{code} does not print; inside quotes, write it as an escape"
                )


def _measure(tree: Node) -> None:
    """Refuses a tree too big or too deep, without recursion: it is not yet known to be shallow."""
    waiting, count = [(tree, 1)], 0
    while waiting:
        node, depth = waiting.pop()
        count += len(node.items) if isinstance(node, ListLiteral) else 1
        if depth > TREE_DEPTH:
            raise fault(node.at, f"this is nested deeper than {TREE_DEPTH}; say it in several rules")
        if count > TREE_NODES:
            raise fault(node.at, f"a predicate has at most {TREE_NODES} parts; say it in several rules")
        waiting.extend((child, depth + 1) for child in children(node))


def _syntax_fault(source: str, unexpected: UnexpectedInput) -> Invalid:
    from lark.exceptions import UnexpectedToken

    if isinstance(unexpected, UnexpectedToken) and unexpected.token.type == "$END":
        lines = source.split("\n")
        missing = "a value" if "NAME" in unexpected.accepts else "an operator or a closing bracket"
        return fault(Place(len(lines), len(lines[-1]) + 1), f"it ends too early; {missing} is missing")
    at = Place(unexpected.line, unexpected.column)
    found = _found(source, unexpected)
    if found[0] in "\"'":
        return fault(at, "this text has no closing quote" if len(found) == 1 else f"{found} is out of place")
    meant = _SPELLED.get(found)
    return fault(at, f"{quoted(found)} is out of place" + (f"; write {meant}" if meant else ""))


def _found(source: str, unexpected: UnexpectedInput) -> str:
    from lark.exceptions import UnexpectedToken

    if isinstance(unexpected, UnexpectedToken):
        return str(unexpected.token)
    return source[unexpected.pos_in_stream or 0]
