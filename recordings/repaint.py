"""A screen as the bytes that draw it on a real terminal: what a watcher who joins is sent first.

Only what the sanitizer passes is used. Afterwards the terminal is where the session's is: cells, cursor,
margins, modes, saved cursor, tab stops, the screen behind the alternate one. It must be as large as the
screen, or the picture is cut. Between two sequences only: half of one cannot be sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from recordings.grid import Line, runs
from recordings.sanitize import RESTORE
from recordings.screen import Screen
from recordings.screenstate import SavedCursor, ScreenState
from recordings.styles import PLAIN, Style

_NAMES: Final = ("black", "red", "green", "brown", "blue", "magenta", "cyan", "white")
_FLAGS: Final = (
    ("1", "bold"),
    ("2", "dim"),
    ("3", "italics"),
    ("4", "underscore"),
    ("5", "blink"),
    ("7", "reverse"),
    ("8", "conceal"),
    ("9", "strikethrough"),
    ("53", "overline"),
)


def sgr(style: Style) -> str:
    """The sequence after which text has this style, whatever it had before."""
    codes = ["0", *(code for code, name in _FLAGS if getattr(style, name))]
    codes += [*_colour(style.fg, 30), *_colour(style.bg, 40)]
    return f"\x1b[{';'.join(codes)}m"


def _colour(name: str, base: int) -> Iterator[str]:
    if name == "default":
        return
    if name in _NAMES:
        yield str(base + _NAMES.index(name))
    elif name.removeprefix("bright") in _NAMES:
        yield str(base + 60 + _NAMES.index(name.removeprefix("bright")))
    else:
        yield f"{base + 8};2;" + ";".join(str(value) for value in bytes.fromhex(name))


def repaint(screen: Screen) -> bytes:
    """Everything that draws `screen`, beginning with clearing what was there."""
    return "".join(_parts(screen.state())).encode("utf-8", "replace")


def _parts(state: ScreenState) -> Iterator[str]:
    visible, reverse, wraps, inserts, origin, line_mode, g0_draws, g1_draws, shifted = state.flags
    yield RESTORE.decode() + "\x1b[H\x1b[2J"
    if state.main is not None:
        yield from _lines(state.main)
    if state.saved_main is not None:
        yield _place(state.saved_main) + "\x1b[?1049h"
    if state.main is None and state.saved_main is not None:
        yield "\x1b[?1049l"
    elif state.main is not None:
        yield "\x1b[?1047h"
    yield "\x1b[m\x1b[H\x1b[2J"
    yield from _lines(state.lines)
    yield from _tabs(state)
    yield _save(state.saved)
    if (state.top, state.bottom) != (0, state.rows - 1):
        yield f"\x1b[{state.top + 1};{state.bottom + 1}r"
    if origin:
        yield "\x1b[?6h"
    yield from _cursor(state, state.y - state.top if origin else state.y)
    yield sgr(state.style) + _charsets(g0_draws, g1_draws, shifted)
    changed = (
        ("?5h", reverse),
        ("?7l", not wraps),
        ("4h", inserts),
        ("20h", line_mode),
        ("?25l", not visible),
    )
    yield from (f"\x1b[{code}" for code, on in changed if on)


def _lines(lines: list[Line]) -> Iterator[str]:
    for y, line in enumerate(lines):
        stretches = runs(line)
        if stretches[-1][1] == PLAIN:
            stretches[-1] = (stretches[-1][0].rstrip(" "), PLAIN)
        if any(text for text, _ in stretches):
            yield f"\x1b[{y + 1};1H" + "".join(sgr(style) + text for text, style in stretches)


def _tabs(state: ScreenState) -> Iterator[str]:
    if state.tabs != frozenset(range(8, state.columns, 8)):
        yield "\x1b[3g" + "".join(f"\x1b[1;{tab + 1}H\x1bH" for tab in sorted(state.tabs))


def _cursor(state: ScreenState, row: int) -> Iterator[str]:
    x, line = state.x, state.lines[state.y]
    if x < state.columns:
        yield f"\x1b[{row + 1};{x + 1}H"
        return
    # The last column is full and the next character wraps: only writing that column brings a terminal there.
    x -= 2 if line.chars[-1] == "" else 1
    yield f"\x1b[{row + 1};{x + 1}H{sgr(line.styles[x])}{line.chars[x]}"


def _save(saved: SavedCursor) -> str:
    mode = ("\x1b[?6h", "\x1b[?6l") if saved.origin else ("", "")
    charsets = _charsets(saved.g0_draws, saved.g1_draws, saved.shifted)
    plain = _charsets(g0_draws=False, g1_draws=False, shifted=False)
    return f"{mode[0]}{_place(saved)}{charsets}\x1b7{mode[1]}{plain}"


def _place(saved: SavedCursor) -> str:
    return f"\x1b[{saved.y + 1};{saved.x + 1}H{sgr(saved.style)}"


def _charsets(g0_draws: bool, g1_draws: bool, shifted: bool) -> str:
    return f"\x1b({'0' if g0_draws else 'B'}\x1b){'0' if g1_draws else 'B'}" + ("\x0e" if shifted else "\x0f")
