"""What a stream of characters means to a terminal: the state machine of escape sequences.

`Screen` reads whole sequences by one regular expression and comes here only with what that does not catch: a
sequence cut in two, a control inside another sequence, the body of a string. Both must mean the same, and a
property test holds them to it.

    ground    ESC → escape   CSI → csi   OSC DCS APC PM SOS → string   other C0, C1 → executed
    escape    [ → csi   ] P _ ^ X k → string   SP../ → intermediate   0..~ → dispatched → ground
    csi       0..? SP../ collected   @..~ → dispatched → ground   C0 executed in between
    string    swallowed; ends with ST, an OSC also with BEL
    anywhere  CAN, SUB → ground   ESC → escape (in DCS only before a backslash, for nested terminals)

Bodies of strings are not kept: no title, clipboard or query reaches anybody. A sequence longer than
`MAX_SEQUENCE` is read to its end and ignored.
"""

from __future__ import annotations

import re
from enum import IntEnum
from typing import Final, Protocol

MAX_SEQUENCE: Final = 256

_STRING_ENDS = re.compile("[\x07\x18\x1a\x1b\x9c]")
_C1_STRINGS: Final = {"\x90": "P", "\x98": "X", "\x9d": "]", "\x9e": "^", "\x9f": "_"}
_STRINGS: Final = frozenset("]P_^Xk")


class State(IntEnum):
    """Where in a sequence the stream stands. The numbers are in snapshots."""

    GROUND = 0
    ESCAPE = 1
    INTERMEDIATE = 2
    CSI = 3
    STRING = 4
    STRING_ESCAPE = 5


class Terminal(Protocol):
    """Who acts on what the machine understood."""

    def execute(self, control: str) -> None: ...

    def escape(self, sequence: str) -> None:
        """`sequence` is what follows ESC: intermediates and the final character, or a string's introducer."""
        ...

    def csi(self, sequence: str) -> None:
        """`sequence` is whole: ESC [ … final."""
        ...


class Machine:
    """The state machine; `state` and `held` are all it knows."""

    __slots__ = ("held", "state", "terminal")

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.state = State.GROUND
        self.held = ""
        """The sequence so far; for a string the character that introduced it."""

    def take(self, text: str) -> str:
        """Consumes from the front of `text` until back in ground; gives back what is left."""
        at, length = 0, len(text)
        while at < length and self.state is not State.GROUND:
            if self.state is State.STRING:
                found = _STRING_ENDS.search(text, at)
                if found is None:
                    return ""
                at = found.start()
            self._step(text[at])
            at += 1
        return text[at:]

    def begin(self, control: str) -> None:
        """A control character in ground: executed, or the start of a sequence."""
        if control == "\x1b":
            self._go(State.ESCAPE)
        elif control == "\x9b":
            self._go(State.CSI, "\x1b[")
        elif control in _C1_STRINGS:
            self._begin_string(_C1_STRINGS[control])
        else:
            self.terminal.execute(control)

    def _begin_string(self, introducer: str) -> None:
        self._go(State.STRING, introducer)
        self.terminal.escape(introducer)

    def _go(self, state: State, held: str = "") -> None:
        self.state = state
        self.held = held

    def _step(self, character: str) -> None:
        if character in "\x18\x1a":
            self._go(State.GROUND)
        elif self.state is State.STRING:
            self._step_string(character)
        elif self.state is State.STRING_ESCAPE:
            self._step_string_escape(character)
        elif character == "\x1b":
            self._go(State.ESCAPE)
        elif character < " ":
            self.terminal.execute(character)
        elif "\x80" <= character <= "\x9f":
            self._go(State.GROUND)
            self.begin(character)
        elif character == "\x7f":
            return
        elif self.state is State.CSI:
            self._step_csi(character)
        else:
            self._step_escape(character)

    def _step_string(self, character: str) -> None:
        if character == "\x1b":
            self.state = State.STRING_ESCAPE
        elif character == "\x9c" or (character == "\x07" and self.held == "]"):
            self._go(State.GROUND)

    def _step_string_escape(self, character: str) -> None:
        if character == "\\":
            self._go(State.GROUND)
        elif self.held == "P":
            self.state = State.STRING_ESCAPE if character == "\x1b" else State.STRING
        else:
            self._go(State.ESCAPE)
            self._step(character)

    def _step_csi(self, character: str) -> None:
        if character > "~":
            self._go(State.GROUND)
            return
        if len(self.held) < MAX_SEQUENCE:
            self.held += character
        if character >= "@":
            sequence = self.held
            self._go(State.GROUND)
            if len(sequence) < MAX_SEQUENCE and is_well_formed(sequence):
                self.terminal.csi(sequence)

    def _step_escape(self, character: str) -> None:
        if character > "~":
            self._go(State.GROUND)
        elif character < "0":
            if len(self.held) < MAX_SEQUENCE:
                self.held += character
            self.state = State.INTERMEDIATE
        elif self.state is State.ESCAPE and character == "[":
            self._go(State.CSI, "\x1b[")
        elif self.state is State.ESCAPE and character in _STRINGS:
            self._begin_string(character)
        else:
            sequence = self.held + character
            self._go(State.GROUND)
            self.terminal.escape(sequence)


_WELL_FORMED = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


def is_well_formed(sequence: str) -> bool:
    """Whether a CSI sequence has its parts in order: parameters, intermediates, final."""
    return _WELL_FORMED.fullmatch(sequence) is not None
