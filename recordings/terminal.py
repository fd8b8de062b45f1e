"""Text and sequences onto a canvas: the loop that reads a session's output.

A regular expression cuts the stream into whole pieces (a run of text, a line end, a sequence), and a run of
text is written with two slices instead of a cell at a time. What each sequence does is bound to its
parameters once and remembered. What the expression does not take whole goes to the state machine of `vt`:
both mean the same, and a property test holds them to it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from collections.abc import Callable
from functools import partial
from typing import Final

from recordings.canvas import Canvas
from recordings.screenstate import MAX_CELL
from recordings.styles import PLAIN
from recordings.vt import MAX_SEQUENCE, Machine, State

_FEED: Final = 32 * 1024
_MAX_PARAMETER: Final = 9999
_MAX_REMEMBERED: Final = 4096

# Characters known to be one column wide and to combine with nothing: a run of them is written at once.
NARROW: Final = (
    " -~\u00a1-\u00ac\u00ae-\u02ff\u0370-\u0377\u0391-\u03a1\u03a3-\u0482\u048a-\u052f\u1e00-\u1eff"
    "\u2010-\u2027\u2030-\u205e\u2070\u2071\u2074-\u208e\u20a0-\u20bf\u2190-\u2319\u2320-\u2328\u232b-\u23e8"
    "\u2500-\u25fc\u25ff-\u2613\u2616-\u262f\u2638-\u2647\u2654-\u267e\u2701-\u2704\u2706-\u2709\u270c-\u2727\u2729-\u274b"
)
_PIECES = re.compile(
    f"[{NARROW}]+"
    f"|[^\x00-\x1f\x7f-\x9f{NARROW}]+"
    "|\r\n"
    r"|\x1b\[[0-?]*[ -/]*[@-~]"
    "|[\x00-\x1f\x7f-\x9f]"
)
_is_narrow = re.compile(f"[{NARROW}]+").fullmatch
_CSI = re.compile(r"\x1b\[([<=>?]?)([0-9;]*)([ -/]*)([@-~])")
_LINE_DRAWING: Final = str.maketrans("`afgijklmnopqrstuvwxyz{|}~", "◆▒°±␋┘┐┌└┼⎺⎻─⎼⎽├┤┴┬│≤≥π≠£·")

Act = Callable[[], None]
Binder = Callable[[list[int]], Act]
"""Makes of a sequence's parameters what it does; done once for each sequence that is met."""


class Terminal(Canvas):
    """A canvas that understands a stream. `width_of` says how many columns a character takes."""

    def __init__(self, columns: int, rows: int, width_of: Callable[[str], int]) -> None:
        self._width_of = width_of
        self._machine = Machine(self)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._binders = self._sequences()
        self._acts: dict[str, Act] = {}
        super().__init__(columns, rows)

    def feed(self, data: bytes) -> None:
        """Shows these bytes. Characters and sequences may be cut anywhere between two calls."""
        for at in range(0, len(data), _FEED):
            self.write(self._decoder.decode(data[at : at + _FEED]))

    def write(self, text: str) -> None:
        """Shows this text."""
        machine, acts = self._machine, self._acts
        if machine.state is not State.GROUND:
            text = machine.take(text)
        for piece in _PIECES.findall(text):
            first = piece[0]
            if machine.state is not State.GROUND:
                # Inside a sequence that the expression did not take whole; what the machine leaves may be any
                # part of a piece.
                self.write(machine.take(piece))
            elif first >= " ":
                if (first < "\x7f" or _is_narrow(piece)) and not self._draws and not self._inserts:
                    self._draw_narrow(piece)
                elif first > "\x9f" or first < "\x7f":
                    self._draw_any(piece)
                else:
                    machine.begin(piece)
            elif piece == "\r\n":
                self._last = ""
                self._x = 0
                self._index()
            elif first != "\x1b":
                self.execute(piece)
            elif (pen := self._pen.learned.get(piece)) is not None:
                self._last = ""
                self._pen = pen
            elif (act := acts.get(piece)) is not None:
                self._last = ""
                act()
            elif len(piece) == 1:
                machine.begin(piece)
            else:
                self.csi(piece)

    # --- text ---

    def _draw_narrow(self, text: str) -> None:
        """A run of characters of one column each."""
        x = self._x
        end = x + len(text)
        if end > self.columns:
            self._draw_over_edge(text)
            return
        line, style = self._lines[self._y], self._pen.style
        if line.wide:
            line.part(x)
            line.part(end)
        line.chars[x:end] = text
        if style is not PLAIN or not line.plain:
            line.styles[x:end] = [style] * (end - x)
            line.plain = False
        self._dirty.add(self._y)
        self._last = text[-1]
        self._x = end

    def _draw_over_edge(self, text: str) -> None:
        """A run that does not fit on its line: onto as many as it takes, or only what a full line shows."""
        room = self.columns - self._x
        if room > 0:
            self._draw_narrow(text[:room])
            text = text[room:]
        if not self._wraps:
            self._x = self.columns - 1
            self._draw_narrow(text[-1])
            return
        for at in range(0, len(text), self.columns):
            self._index()
            self._x = 0
            self._draw_narrow(text[at : at + self.columns])

    def _draw_any(self, text: str) -> None:
        if self._draws:
            text = text.translate(_LINE_DRAWING)
        for character in text:
            width = self._width_of(character)
            if width == 0 or (character > "\x7f" and self._last.endswith("\u200d")):
                self._combine(character)
            elif width > 0:
                self._draw_one(character, width)

    def _draw_one(self, character: str, width: int) -> None:
        if self._x + width > self.columns:
            if not self._wraps:
                self._x = self.columns - 1
            if width > self.columns or (width == 2 and not self._wraps):
                return
            if self._wraps:
                self._index()
                self._x = 0
        x, end, line = self._x, self._x + width, self._lines[self._y]
        if self._inserts:
            line.insert(x, width, self._pen.blank)
        if line.wide:
            line.part(x)
            line.part(end)
        line.chars[x] = character
        line.styles[x] = self._pen.style
        line.plain = line.plain and self._pen.style is PLAIN
        if width == 2:
            line.chars[x + 1] = ""
            line.styles[x + 1] = self._pen.style
            line.wide = True
        self._dirty.add(self._y)
        self._last = character
        self._x = end

    def _combine(self, mark: str) -> None:
        x, line = min(self._x, self.columns) - 1, self._lines[self._y]
        if x > 0 and line.chars[x] == "":
            x -= 1
        if x < 0 or len(line.chars[x]) >= MAX_CELL:
            return
        line.chars[x] = self._last = unicodedata.normalize("NFC", line.chars[x] + mark)
        self._dirty.add(self._y)

    def _repeat(self, count: int) -> None:
        # Only what is right before it, and to the end of the line at most, as tmux has it: seven bytes must
        # not draw ten thousand cells.
        room = self.columns - self._x
        if self._last and room > 0:
            self._draw_any(self._last * min(count, room))

    # --- controls and sequences ---

    def execute(self, control: str) -> None:
        """A C0 or C1 control character."""
        self._last = ""
        if control in "\n\v\f\x84\x85":
            if control == "\x85" or self._line_mode:
                self._x = 0
            self._index()
        elif control == "\r":
            self._x = 0
        elif control == "\b":
            self._left(1)
        elif control == "\t":
            self._tab(1)
        elif control in "\x0e\x0f":
            self._shifted = control == "\x0e"
            self._note_charset()
        elif control == "\x88":
            self._tabs.add(min(self._x, self.columns - 1))
        elif control == "\x8d":
            self._reverse_index()

    def escape(self, sequence: str) -> None:
        """What follows an ESC that is not a CSI or a string."""
        self._last = ""
        match sequence:
            case "7":
                self._save()
            case "8":
                self._restore()
            case "D" | "E" | "H" | "M":
                self.execute(chr(ord(sequence) + 0x40))
            case "c":
                self._reset()
            case "#8":
                self._align()
            case "(0" | "(B" | "(A" | "(1" | "(2":
                self._g0_draws = sequence == "(0"
                self._note_charset()
            case ")0" | ")B" | ")A" | ")1" | ")2":
                self._g1_draws = sequence == ")0"
                self._note_charset()

    def csi(self, sequence: str) -> None:
        """A whole control sequence."""
        if sequence[-1] == "b":
            # REP stays out of what is remembered: it alone needs what stood before
            self._bind(sequence)()
            self._last = ""
            return
        self._last = ""
        if sequence[-1] == "m":
            if sequence[2] not in "<=>?":
                self._pen = self._rack.after(self._pen, sequence)
            return
        act = self._acts.get(sequence)
        if act is None:
            act = self._bind(sequence)
            if len(self._acts) >= _MAX_REMEMBERED:
                self._acts.clear()
            self._acts[sequence] = act
        act()

    def _bind(self, sequence: str) -> Act:
        found = _CSI.fullmatch(sequence) if len(sequence) < MAX_SEQUENCE else None
        if found is None:
            return _nothing
        prefix, words, intermediates, final = found.groups()
        binder = self._binders.get(prefix + intermediates + final)
        if binder is None:
            return _nothing
        return binder([min(int(word or 0), _MAX_PARAMETER) for word in words.split(";")])

    def _sequences(self) -> dict[str, Binder]:
        """What each sequence does, by private prefix, intermediates and final. The rest is ignored."""

        def counting(act: Callable[[int], None]) -> Binder:
            return lambda p: partial(act, _count(p))

        def placing(p: list[int]) -> Act:
            return partial(self._place, _count(p, 1) - 1, _count(p) - 1)

        return {
            "@": counting(self._insert_characters),
            "A": counting(self._up),
            "B": counting(self._down),
            "C": counting(self._right),
            "D": counting(self._left),
            "E": counting(self._next_lines),
            "F": counting(self._previous_lines),
            "G": lambda p: partial(self._place_column, _count(p) - 1),
            "H": placing,
            "I": counting(self._tab),
            "J": lambda p: partial(self._erase_in_display, p[0]),
            "K": lambda p: partial(self._erase_in_line, p[0]),
            "L": counting(self._insert_lines),
            "M": counting(self._delete_lines),
            "P": counting(self._delete_characters),
            "S": counting(self._scroll_up),
            "T": lambda p: partial(self._scroll_down, _count(p) if len(p) == 1 else 0),
            "X": counting(self._erase_characters),
            "Z": counting(self._back_tab),
            "`": lambda p: partial(self._place_column, _count(p) - 1),
            "a": counting(self._right),
            "b": counting(self._repeat),
            "d": lambda p: partial(self._place_row, _count(p) - 1),
            "e": counting(self._down),
            "f": placing,
            "g": lambda p: partial(self._clear_tabs, p[0]),
            "h": lambda p: partial(self._set_modes, p, on=True),
            "l": lambda p: partial(self._set_modes, p, on=False),
            "r": lambda p: partial(self._set_margins, _count(p) - 1, _count(p, 1, _MAX_PARAMETER) - 1),
            "s": lambda p: self._save if p == [0] else _nothing,
            "u": lambda p: self._restore if p == [0] else _nothing,
            "!p": lambda _: self._soft_reset,
            "?J": lambda p: partial(self._erase_in_display, p[0]),
            "?K": lambda p: partial(self._erase_in_line, p[0]),
            "?h": lambda p: partial(self._set_private_modes, p, on=True),
            "?l": lambda p: partial(self._set_private_modes, p, on=False),
        }

    def _clear_tabs(self, how: int) -> None:
        if how == 0:
            self._tabs.discard(self._x)
        elif how == 3:
            self._tabs.clear()

    def _set_modes(self, modes: list[int], *, on: bool) -> None:
        for mode in modes:
            if mode == 4:
                self._inserts = on
            elif mode == 20:
                self._line_mode = on

    def _set_private_modes(self, modes: list[int], *, on: bool) -> None:
        for mode in modes:
            match mode:
                case 3:
                    self._place(0, 0)
                    self._erase_in_display(2)
                case 5:
                    self._reversed = on
                    self._touch(0, self.rows)
                case 6:
                    self._origin = on
                    self._place(0, 0)
                case 7:
                    self._wraps = on
                case 25:
                    self._visible = on
                case 47 | 1047 | 1049 if on:
                    self._enter_alternate(saving=mode == 1049)
                case 47 | 1047 | 1049:
                    self._leave_alternate(restoring=mode == 1049)
                case 1048 if on:
                    self._save()
                case 1048:
                    self._restore()


def _nothing() -> None:
    return None


def _count(parameters: list[int], which: int = 0, default: int = 1) -> int:
    """A parameter that counts: missing or 0 means its default."""
    return (parameters[which] if which < len(parameters) else 0) or default
