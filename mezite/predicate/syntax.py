"""The shape of a predicate: seven frozen nodes, each knowing where it stood, and how they are written back.

Operators are calls whose name is the sign, so that the checker and the evaluator know one thing, the table
in `functions`. Nothing here judges; `show` prints what `grammar.parse` reads back as the same tree.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from mezite import durations
from mezite.errors import Invalid
from mezite.predicate.kinds import Scalar
from mezite.quoting import quoted


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Line and column in the source, both from 1."""

    line: int = 1
    column: int = 1

    def __str__(self) -> str:
        return f"column {self.column}" if self.line == 1 else f"line {self.line}, column {self.column}"


def fault(at: Place, what: str) -> Invalid:
    """The refusal of a predicate: where, then what."""
    return Invalid(f"{at}: {what}", code="invalid_predicate")


@dataclass(frozen=True, slots=True)
class Literal:
    value: Scalar
    at: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class ListLiteral:
    items: tuple[Scalar, ...]
    at: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Selector:
    """`user.traits.team`, or `user.traits["cost-centre"]` where a part is no plain name."""

    path: tuple[str, ...]
    at: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function or, by its sign, an operator of two operands."""

    name: str
    arguments: tuple[Node, ...]
    at: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Not:
    operand: Node
    at: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Every:
    """`a && b && c`"""

    operands: tuple[Node, ...]
    at: Place = field(default=Place(), compare=False)


@dataclass(frozen=True, slots=True)
class Some:
    """`a || b || c`"""

    operands: tuple[Node, ...]
    at: Place = field(default=Place(), compare=False)


Node = Literal | ListLiteral | Selector | Call | Not | Every | Some

INFIX = frozenset({"==", "!=", "<", "<=", ">", ">=", "in"})


def children(node: Node) -> tuple[Node, ...]:
    match node:
        case Call(arguments=below) | Every(operands=below) | Some(operands=below):
            return below
        case Not(operand=below):
            return (below,)
        case Literal() | ListLiteral() | Selector():
            return ()


def show(node: Node) -> str:
    """The predicate in one canonical spelling."""
    match node:
        case Literal(value=value):
            return _scalar(value)
        case ListLiteral(items=items):
            return f"[{', '.join(_scalar(item) for item in items)}]"
        case Selector(path=path):
            return path[0] + "".join(
                f".{part}" if part.isidentifier() else f"[{_text(part)}]" for part in path[1:]
            )
        case Call(name=name, arguments=(left, right)) if name in INFIX:
            return f"{_operand(left)} {name} {_operand(right)}"
        case Call(name=name, arguments=arguments):
            return f"{name}({', '.join(show(argument) for argument in arguments)})"
        case Not(operand=operand):
            return f"!{_operand(operand)}"
        case Every(operands=operands):
            return " && ".join(_operand(operand) for operand in operands)
        case Some(operands=operands):
            return " || ".join(_operand(operand) for operand in operands)


def show_briefly(node: Node, limit: int) -> str:
    """Its beginning, for messages."""
    shown = show(node)
    return shown if len(shown) <= limit else f"{shown[: limit - 1]}…"


def _operand(node: Node) -> str:
    """In parentheses unless it is one piece: more than needed, and never wrong."""
    composite = isinstance(node, Not | Every | Some) or (isinstance(node, Call) and node.name in INFIX)
    return f"({show(node)})" if composite else show(node)


def _scalar(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, timedelta):
        return durations.show(value)
    return _text(value) if isinstance(value, str) else str(value)


def _text(value: str) -> str:
    return quoted(value, limit=len(value))
