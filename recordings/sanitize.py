"""What of a session's output may reach the terminal of somebody who watches it: an allow-list.

The output of a node is hostile text to a watcher. Passed on is only what draws: text, cursor movement,
erasing, colours, margins, the alternate screen. Each sequence is taken apart and written anew from its
checked parts, so that none is read differently here and by the terminal behind. Stopped are

    strings          OSC (title, clipboard, links, palette), DCS, APC, PM, SOS, `ESC k`, terminated or not
    queries          DA, DSR, DECRQM, ENQ, window reports: whatever makes a terminal type an answer
    modes            mouse, focus, paste, keypad and keyboard modes: what changes what the watcher's keys send
    charsets         other than line drawing in and out; SO and SI only as those
    C1 controls      as characters U+0080 to U+009F and as bytes: bytes that are no UTF-8 become U+FFFD
    everything else  that is not listed below

Streaming: a sequence or character cut between two calls is held, never passed on in part. What is held is
bounded; a sequence that is too long is dropped whole.
"""

from __future__ import annotations

import codecs
import re
from typing import Final

from recordings.vt import Machine, State

_TEXT = re.compile("[^\x00-\x1f\x7f-\x9f]+")
_CSI = re.compile(r"\x1b\[(\??)([0-9;:]{0,128})([@-~])")
_WORD = re.compile(r"[0-9]{0,5}(:[0-9]{0,5}){0,6}")

PASSED_CONTROLS: Final = frozenset("\b\t\n\v\f\r\x0e\x0f")
PASSED_ESCAPES: Final = frozenset({"7", "8", "D", "E", "H", "M", "(0", "(B", ")0", ")B"})
PASSED_FINALS: Final = frozenset("@ABCDEFGHIJKLMPSTXZ`abdefgmrsu")
PASSED_MODES: Final = frozenset({"4", "20"})
PASSED_PRIVATE_MODES: Final = frozenset({"5", "6", "7", "25", "47", "1047", "1048", "1049"})
PASSED_REPEATS: Final = 1000
"""REP draws as often as it is told; a terminal told a billion times stands still."""
_BIDI_CONTROLS: Final = dict.fromkeys(
    [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029], "\ufffd"
)
"""What lets text appear in another order than it is in, or breaks a line where the screen has none."""


class Sanitizer:
    """One watcher's filter: bytes from a node in, bytes for a real terminal out."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._machine = Machine(self)
        self._out: list[str] = []

    def feed(self, data: bytes) -> bytes:
        """The part of `data`, and of what was held before it, that may be passed on."""
        return self.write(self._decoder.decode(data)).encode("utf-8", "replace")

    def write(self, text: str) -> str:
        """As `feed`, for text."""
        at, length = 0, len(text)
        while at < length:
            if self._machine.state is not State.GROUND:
                at = length - len(self._machine.take(text[at:]))
            elif found := _TEXT.match(text, at):
                self._out.append(found.group().translate(_BIDI_CONTROLS))
                at = found.end()
            else:
                self._machine.begin(text[at])
                at += 1
        passed = "".join(self._out)
        self._out.clear()
        return passed

    # --- what the machine understood ---

    def execute(self, control: str) -> None:
        if control in PASSED_CONTROLS:
            self._out.append(control)

    def escape(self, sequence: str) -> None:
        if sequence in PASSED_ESCAPES:
            self._out.append("\x1b" + sequence)
        elif sequence == "c":
            # A full reset also resets what belongs to the watcher; clearing is what it looks like.
            self._out.append("\x1b[m\x1b[r\x1b[?6l\x1b[?7h\x1b[?25h\x1b(B\x0f\x1b[H\x1b[2J")
        elif sequence == "#8":
            self._out.append("\x1b#8")

    def csi(self, sequence: str) -> None:
        found = _CSI.fullmatch(sequence)
        if found is None:
            return
        private, text, final = found.groups()
        words = text.split(";")
        if not all(map(_WORD.fullmatch, words)) or (":" in text and (final != "m" or private)):
            return
        if final in "hl":
            self._pass_modes(private, words, final)
        elif final in PASSED_FINALS and (not private or final in "JK"):
            self._pass(private, words, final)

    def _pass_modes(self, private: str, words: list[str], final: str) -> None:
        passed = PASSED_PRIVATE_MODES if private else PASSED_MODES
        for word in words:
            mode = word.lstrip("0")
            if mode in passed:
                self._out.append(f"\x1b[{private}{mode}{final}")

    def _pass(self, private: str, words: list[str], final: str) -> None:
        match final:
            # with parameters these two are margins and window requests elsewhere, not saved cursors
            case "s" | "u" if words != [""]:
                return
            case "T" if len(words) > 1:
                return
            # 3 empties the watcher's own scrollback
            case "J" if words[0].lstrip("0") not in ("", "1", "2"):
                return
            case "b" if int(words[0] or 0) > PASSED_REPEATS:
                return
        self._out.append(f"\x1b[{private}{';'.join(words)}{final}")


RESTORE: Final = b"\x1b[?1049l\x1b[m\x1b[r\x1b[?5l\x1b[?6l\x1b[?7h\x1b[4l\x1b[20l\x1b[?25h\x1b(B\x1b)B\x0f"
"""Brings a watcher's terminal back from anything that was let through. Written when the watching ends."""


def visible(text: str) -> str:
    """One line of outside text (a name, a marker) as it may be printed: controls are shown, not obeyed."""
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character < " ":
        return chr(0x2400 + ord(character))
    if character == "\x7f":
        return "\u2421"
    if "\x80" <= character <= "\x9f" or ord(character) in _BIDI_CONTROLS or "\ud800" <= character <= "\udfff":
        return "\ufffd"
    return character
