"""Terminal output as programs write it, with a fixed seed: always the same bytes for the same arguments."""

from __future__ import annotations

import random
from collections.abc import Callable

_VOCABULARY = """
error warn info debug connect accept session node proxy agent certificate role request approve deny lock token
audit chain record replay frame cursor buffer window resize signal shell user group policy static lease expire
"""
WORDS = _VOCABULARY.split()
HEADS = ("", "", "", "→ ✓ ", "naïve café ", "日本語 ログ ", "🔒 ")


def counting(noise: random.Random, lines: int = 2000) -> str:
    """Short lines, as `seq` writes them."""
    return "".join(f"{noise.randint(0, 10**6)}\r\n" for _ in range(lines))


def listing(noise: random.Random, lines: int = 400) -> str:
    """A coloured directory listing."""
    rows = []
    for _ in range(lines):
        mode, colour = noise.choice((("drwxr-xr-x", "01;34"), ("-rw-r--r--", "0"), ("-rwxr-xr-x", "01;32")))
        name = f"{noise.choice(WORDS)}-{noise.randint(0, 9999)}.{noise.choice(('py', 'c', 'log'))}"
        size, day = noise.randint(0, 1 << 24), noise.randint(1, 30)
        rows.append(f"{mode} 1 root root {size:9d} Nov {day:2d} 12:00 \x1b[0m\x1b[{colour}m{name}\x1b[0m\r\n")
    return "".join(rows)


def log(noise: random.Random, lines: int = 300) -> str:
    """Log lines with levels in colour and now and then a wide character."""
    rows = []
    for _ in range(lines):
        level, colour = noise.choice((("INFO", 32), ("WARN", 33), ("ERROR", 31)))
        text = " ".join(noise.choice(WORDS) for _ in range(noise.randint(4, 14)))
        source = f"\x1b[38;5;{noise.randint(16, 231)}m{noise.choice(WORDS)}\x1b[0m"
        # wide characters stand where no screen of ten columns or more is at its edge
        head = noise.choice(HEADS)
        rows.append(
            f"{head}\x1b[2m2026-11-20T12:00:00Z\x1b[0m \x1b[1;{colour}m{level:5s}\x1b[0m {source} {text}\r\n"
        )
    return "".join(rows)


def editor(noise: random.Random, *, rows: int = 40, columns: int = 120, frames: int = 40) -> str:
    """An editor: redraws with syntax colours, cursor moves, scroll regions, insertions and deletions."""

    def line(number: int) -> str:
        words = []
        for _ in range(noise.randint(2, 9)):
            word = noise.choice(WORDS)
            red, green = noise.randint(60, 255), noise.randint(60, 255)
            words.append(f"\x1b[38;2;{red};{green};120m{word}\x1b[m" if noise.random() < 0.4 else word)
        return f"\x1b[33m{number:4d} \x1b[m{' '.join(words)}\x1b[K"

    out, top = ["\x1b[?25l\x1b[H\x1b[2J"], 0
    for _ in range(frames):
        kind = noise.random()
        if kind < 0.25:
            top += noise.randint(-40, 60)
            out += [f"\x1b[{y + 1};1H{line(top + y)}" for y in range(rows - 2)]
        elif kind < 0.6:
            moved = noise.randint(1, 4)
            top += moved
            out.append(f"\x1b[1;{rows - 2}r\x1b[{rows - 2};1H" + "\n" * moved + f"\x1b[1;{rows}r")
            out += [f"\x1b[{rows - 1 - moved + y};1H{line(top + rows + y)}" for y in range(moved)]
        elif kind < 0.9:
            y, x = noise.randint(1, rows - 2), noise.randint(1, columns - 30)
            for step, character in enumerate(noise.choice(WORDS)):
                out.append(f"\x1b[{y};{x + step}H{character}\x1b[{rows};{columns - 18}H{y},{x + step}\x1b[K")
        else:
            y = noise.randint(1, rows - 4)
            out.append(f"\x1b[{y};1H\x1b[L{line(y)}\x1b[{y + 1};5H\x1b[3P\x1b[2@ab\x1b[{y + 2};1H\x1b[M")
        out.append(
            f"\x1b[{rows - 1};1H\x1b[7m file.py [+]{' ' * 40}{top}%\x1b[0m\x1b[{rows};1H\x1b[K-- INSERT --"
        )
    return "".join([*out, "\x1b[?25h\x1b[m"])


KINDS: dict[str, Callable[[random.Random], str]] = {
    "counting": counting,
    "listing": listing,
    "log": log,
    "editor": editor,
}


def corpus(kind: str, size: int, seed: int = 20261120) -> str:
    """Whole blocks of one kind, until `size` characters are reached; `mixed` takes all kinds in turn."""
    noise = random.Random(seed)
    kinds = [*KINDS.values()] if kind == "mixed" else [KINDS[kind]]
    blocks: list[str] = []
    written = 0
    while written < size:
        blocks.append(kinds[len(blocks) % len(kinds)](noise))
        written += len(blocks[-1])
    return "".join(blocks)
