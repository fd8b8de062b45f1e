"""A screen as compact bytes, and back: so that a seek, or a watcher who joins, starts from a picture.

    snapshot := "MZS" · version u8 · zlib( fields )

It holds everything the next byte's meaning can depend on, down to half a character. Snapshots are derived and
can be made again from the recording at any time; an unknown version is refused, never read by guessing. They
also come over the network: whatever is thawed is bounded and checked.
"""

from __future__ import annotations

import itertools
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from recordings.errors import BadSnapshot
from recordings.grid import Line
from recordings.styles import PLAIN, Style

MAGIC: Final = b"MZS\x01"
MAX_PLAIN: Final = 16 * 1024 * 1024
MAX_SIDE: Final = 1000
MAX_CELL: Final = 8
"""Characters in one cell: one and its combining marks."""
_CELL_END: Final = "\x1f"
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True)
class SavedCursor:
    """What DECSC keeps."""

    x: int = 0
    y: int = 0
    style: Style = PLAIN
    origin: bool = False
    g0_draws: bool = False
    g1_draws: bool = False
    shifted: bool = False


@dataclass(slots=True)
class ScreenState:
    """All a screen is."""

    columns: int
    rows: int
    lines: list[Line]
    main: list[Line] | None = None
    x: int = 0
    y: int = 0
    style: Style = PLAIN
    top: int = 0
    bottom: int = 0
    flags: tuple[bool, ...] = ()
    saved: SavedCursor = field(default_factory=SavedCursor)
    saved_main: SavedCursor | None = None
    tabs: frozenset[int] = frozenset()
    last: str = ""
    machine_state: int = 0
    machine_held: str = ""
    undecoded: bytes = b""


FLAGS: Final = 9


# --- writing ---


class _Writer:
    __slots__ = ("_styles", "out")

    def __init__(self) -> None:
        self.out = bytearray()
        self._styles: dict[Style, int] = {}

    def number(self, value: int) -> None:
        while value > 0x7F:
            self.out.append(value & 0x7F | 0x80)
            value >>= 7
        self.out.append(value)

    def raw(self, value: bytes) -> None:
        self.number(len(value))
        self.out += value

    def text(self, value: str) -> None:
        self.raw(value.encode("utf-8", "surrogatepass"))

    def style(self, style: Style) -> None:
        """A style is written out once, and is a number afterwards."""
        known = self._styles.get(style)
        if known is not None:
            self.number(known + 1)
            return
        self._styles[style] = len(self._styles)
        self.number(0)
        self.text(style.fg)
        self.text(style.bg)
        self.number(sum(flag << bit for bit, flag in enumerate(style[2:])))

    def line(self, line: Line) -> None:
        chars = line.chars
        # wide or combined: cells must be told apart; else the text itself is the cells
        text = "".join(chars)
        plain = len(text) == len(chars) and not (line.wide and "" in chars)
        self.number(plain)
        self.text(text.rstrip(" ") if plain else _CELL_END.join(chars))
        start, current = 0, line.styles[0]
        for x, style in enumerate(line.styles):
            if style is not current and style != current:
                self.number(x - start)
                self.style(current)
                start, current = x, style
        self.number(len(chars) - start)
        self.style(current)

    def lines(self, lines: list[Line]) -> None:
        for line in lines:
            self.line(line)

    def saved(self, saved: SavedCursor) -> None:
        self.number(saved.x)
        self.number(saved.y)
        self.style(saved.style)
        self.flags((saved.origin, saved.g0_draws, saved.g1_draws, saved.shifted))

    def flags(self, flags: tuple[bool, ...]) -> None:
        self.number(sum(flag << bit for bit, flag in enumerate(flags)))


def freeze(state: ScreenState) -> bytes:
    """The snapshot of a screen."""
    write = _Writer()
    for value in (state.columns, state.rows, state.x, state.y, state.top, state.bottom, state.machine_state):
        write.number(value)
    write.flags(state.flags)
    write.style(state.style)
    write.saved(state.saved)
    write.number(state.saved_main is not None)
    if state.saved_main is not None:
        write.saved(state.saved_main)
    write.number(len(state.tabs))
    for tab in sorted(state.tabs):
        write.number(tab)
    write.text(state.last)
    write.text(state.machine_held)
    write.raw(state.undecoded)
    write.lines(state.lines)
    write.number(state.main is not None)
    if state.main is not None:
        write.lines(state.main)
    return MAGIC + zlib.compress(bytes(write.out), 1)


# --- reading ---


class _Reader:
    __slots__ = ("_at", "_raw", "_styles")

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0
        self._styles: list[Style] = []

    @property
    def is_done(self) -> bool:
        return self._at == len(self._raw)

    def number(self, limit: int) -> int:
        value = shift = 0
        while True:
            if self._at >= len(self._raw) or shift > 28:
                raise BadSnapshot("the snapshot ends too early, or a number in it does not end")
            byte = self._raw[self._at]
            self._at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        if value > limit:
            raise BadSnapshot(f"a number in the snapshot is over {limit}")
        return value

    def raw(self, limit: int) -> bytes:
        length = self.number(limit)
        if length > len(self._raw) - self._at:
            raise BadSnapshot("the snapshot ends too early")
        self._at += length
        return self._raw[self._at - length : self._at]

    def text(self, limit: int) -> str:
        try:
            return self.raw(limit).decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise BadSnapshot("text in the snapshot is no text") from None

    def style(self) -> Style:
        known = self.number(len(self._styles))
        if known:
            return self._styles[known - 1]
        fg, bg = self.text(16), self.text(16)
        bits = self.number((1 << len(Style._fields) - 2) - 1)
        if not (fg.isalnum() and bg.isalnum()):
            raise BadSnapshot("a colour in the snapshot is none")
        self._styles.append(Style(fg, bg, *(bool(bits >> bit & 1) for bit in range(len(Style._fields) - 2))))
        return self._styles[-1]

    def line(self, columns: int) -> Line:
        plain = self.number(1)
        text = self.text(columns * MAX_CELL * 4 + columns)
        chars = list(text.ljust(columns)) if plain else text.split(_CELL_END)
        if len(chars) != columns or max(map(len, chars)) > MAX_CELL or _CONTROLS.search("".join(chars)):
            raise BadSnapshot("a line in the snapshot does not fit its screen")
        styles: list[Style] = []
        while len(styles) < columns:
            length = self.number(columns - len(styles))
            if length == 0:
                raise BadSnapshot("an empty stretch in the snapshot")
            styles += [self.style()] * length
        wide = "" in chars
        if wide and (chars[0] == "" or any(a == b == "" for a, b in itertools.pairwise(chars))):
            raise BadSnapshot("half a wide character in the snapshot")
        return Line(chars, styles, wide=wide, plain=all(style == PLAIN for style in set(styles)))

    def saved(self) -> SavedCursor:
        x, y, style = self.number(MAX_SIDE), self.number(MAX_SIDE), self.style()
        return SavedCursor(x, y, style, *self.flags(4))

    def flags(self, count: int) -> Iterator[bool]:
        bits = self.number((1 << count) - 1)
        return (bool(bits >> bit & 1) for bit in range(count))


def thaw(raw: bytes) -> ScreenState:
    """A screen's state from its snapshot; anything else raises `BadSnapshot`."""
    if not raw.startswith(MAGIC):
        raise BadSnapshot("not a snapshot of a version this program knows")
    read = _Reader(_inflate(raw[len(MAGIC) :]))
    columns, rows = read.number(MAX_SIDE), read.number(MAX_SIDE)
    if not columns or not rows:
        raise BadSnapshot("a screen without cells")
    state = ScreenState(columns, rows, [])
    state.x, state.y = read.number(columns), read.number(rows - 1)
    state.top, state.bottom = read.number(rows - 1), read.number(rows - 1)
    state.machine_state = read.number(5)
    state.flags = tuple(read.flags(FLAGS))
    state.style = read.style()
    state.saved = read.saved()
    state.saved_main = read.saved() if read.number(1) else None
    state.tabs = frozenset(read.number(MAX_SIDE) for _ in range(read.number(MAX_SIDE)))
    state.last, state.machine_held = read.text(4 * MAX_CELL), read.text(1024)
    state.undecoded = read.raw(4)
    state.lines = [read.line(columns) for _ in range(rows)]
    if read.number(1):
        state.main = [read.line(columns) for _ in range(rows)]
    if not read.is_done or state.top > state.bottom:
        raise BadSnapshot("the snapshot does not add up")
    return state


def _inflate(packed: bytes) -> bytes:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(packed, MAX_PLAIN)
    except zlib.error:
        raise BadSnapshot("the snapshot does not decompress") from None
    if not inflater.eof or inflater.unused_data:
        raise BadSnapshot("the snapshot is cut, or has a tail")
    return plain
