"""What a save refuses of a well-formed predicate: unknown names, mixed kinds, patterns that are none.

After this, judging cannot fail but for facts that are missing or not what was declared.
"""

from __future__ import annotations

from mezite.errors import Invalid
from mezite.predicate.functions import FUNCTIONS, Function
from mezite.predicate.kinds import LIST_OF, Kind, scalar_kind
from mezite.predicate.patterns import compile_pattern
from mezite.predicate.syntax import (
    Call,
    Every,
    ListLiteral,
    Literal,
    Node,
    Not,
    Selector,
    Some,
    fault,
    show_briefly,
)
from mezite.predicate.vocabulary import SHOWN_CHARACTERS, Vocabulary


def check(tree: Node, vocabulary: Vocabulary) -> None:
    """`Invalid`, with the column, unless the tree is a yes or no that this vocabulary can ask."""
    _require_truth(tree, vocabulary)


def _require_truth(node: Node, vocabulary: Vocabulary) -> None:
    kind = _kind(node, vocabulary)
    if kind is not Kind.TRUTH:
        raise fault(
            node.at,
            f"{show_briefly(node, SHOWN_CHARACTERS)} is {kind}, not true or false; compare it with something",
        )


def _kind(node: Node, vocabulary: Vocabulary) -> Kind:
    match node:
        case Literal(value=value):
            return scalar_kind(value)
        case ListLiteral():
            return _list_kind(node)
        case Selector(path=path):
            kind = vocabulary.kind_of(path)
            if kind is None:
                raise fault(node.at, vocabulary.refusal(node))
            return kind
        case Call():
            _check_call(node, vocabulary)
        case Not(operand=operand):
            _require_truth(operand, vocabulary)
        case Every(operands=operands) | Some(operands=operands):
            for operand in operands:
                _require_truth(operand, vocabulary)
    return Kind.TRUTH


def _list_kind(node: ListLiteral) -> Kind:
    first, *others = {scalar_kind(item): None for item in node.items}
    if others:
        raise fault(node.at, f"a list holds one kind of values, this one {first} and {others[0]}")
    return LIST_OF[first]


def _check_call(call: Call, vocabulary: Vocabulary) -> None:
    function = FUNCTIONS.get(call.name)
    if function is None:
        known = ", ".join(name for name in FUNCTIONS if name.isidentifier() and name != "in")
        raise fault(call.at, f"there is no function {call.name[:SHOWN_CHARACTERS]}; there are {known}")
    if len(call.arguments) != 2:
        raise fault(
            call.at, f"{call.name} takes 2 values, not {len(call.arguments)}, as in {function.example}"
        )
    left, right = (_kind(argument, vocabulary) for argument in call.arguments)
    if (left, right) not in function.takes:
        meant = FUNCTIONS["contains"] if (left, right) in FUNCTIONS["contains"].takes else function
        raise fault(call.at, f"{call.name} cannot take {left} and {right}; write it as in {meant.example}")
    if function.pattern_second:
        _check_pattern(call, function)


def _check_pattern(call: Call, function: Function) -> None:
    pattern = call.arguments[1]
    if not isinstance(pattern, Literal) or not isinstance(pattern.value, str):
        raise fault(pattern.at, f"the pattern must be written out, as in {function.example}")
    try:
        compile_pattern(pattern.value)
    except Invalid as refusal:
        raise fault(pattern.at, refusal.message) from None
