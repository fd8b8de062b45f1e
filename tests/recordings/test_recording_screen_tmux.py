"""The screen against tmux 3.3a, where pyte has nothing to say or is wrong; and the list of what differs."""

from __future__ import annotations

import random
import shutil
import unicodedata
from collections.abc import Iterator

import pytest

from recordings.screen import Screen
from tests.support.tmux import Picture, Tmux

COLUMNS, ROWS = 30, 8


@pytest.fixture(scope="module")
def tmux(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tmux]:
    if shutil.which("tmux") is None:
        pytest.skip("tmux is not installed")
    oracle = Tmux(tmp_path_factory.mktemp("tmux"), COLUMNS, ROWS)
    yield oracle
    oracle.close()


def ours(text: str) -> Picture:
    screen = Screen(COLUMNS, ROWS)
    screen.feed(text.encode())
    cursor = screen.cursor
    return Picture([line.rstrip() for line in screen.display], (cursor.x, cursor.y))


def theirs(tmux: Tmux, text: str) -> Picture:
    picture = tmux.picture(text.encode())
    # tmux keeps a letter and its accent apart where pyte, and so we, compose them: the same to see
    return Picture([unicodedata.normalize("NFC", line) for line in picture.lines], picture.cursor)


FILL = "".join(f"line {n} {'abcdefghij' * 2}\r\n" for n in range(7)) + "last"


@pytest.mark.parametrize(
    "text",
    [
        "main\x1b[?1049h\x1b[Halternate",
        "main\x1b[?1049h\x1b[Halternate\x1b[?1049lback",
        "main\x1b[3;4H\x1b[?1049h\x1b[5;5Halt\x1b[?1049l!",
        "main\x1b[?1047hx\x1b[5;5Hy\x1b[?1047l!",
        "main\x1b[?47hx\x1b[5;5Hy\x1b[?47l!",
        "main\x1b[?1049hx\x1b[?1049hy\x1b[?1049lz\x1b[?1049lw",
        FILL + "\x1b[2S",
        FILL + "\x1b[3T",
        FILL + "\x1b[2;5r\x1b[2S\x1b[99T",
        FILL + "\x1b[3;6r\x1b[6;1H\n\nx",
        FILL + "\x1b[3;6r\x1b[8;1H\n\nx",
        FILL + "\x1b[3;6r\x1b[3;1H\x1bM\x1bMx",
        FILL + "\x1b[3;6r\x1b[1;1H\x1bM\x1bMx",
        FILL + "\x1b[3;6r\x1b[?6h\x1b[9;9Hx\x1b[1;1Hy\x1b[?6lz",
        FILL + "\x1b[3;6r\x1b[4;5H\x1b[9Ax\x1b[9By",
        FILL + "\x1b[3;6r\x1b[8;5H\x1b[2Ax\x1b[r\x1b[7;1Hy",
        "ab\x1b[5bc\x1b[99b",
        "ab\x1b[31m\x1b[3bc\r\x1b[3b",
        "ab\x1b]0;x\x07\x1b[3bc\x1b[2b\x1b[3b",
        "\x1bP1$r0m\x1b\\a\x1bPq#0;2;0;0;0\x1b\\b",
        "\x1b_Ga=T,f=100;AAAA\x1b\\a\x1b^private\x1b\\b\x1bXsos\x1b\\c",
        "\x1b]0;title\x07a\x1b]8;;http://x\x1b\\b\x1b]8;;\x1b\\c\x1b]52;c;aGk=\x07d",
        "\x1bktitle\x1b\\a",
        "\x1b]0;cut\x18a\x1b]1337;x\x1b[31mb",
        "\x1b[38:2::10:20:30ma\x1b[4:3mb\x1b[58:2::1:2:3mc\x1b[>4;1md\x1b[?4me",
        "\x1b[!pa\x1b[2 qb\x1b[?1$pc\x1b[>cd\x1b[=ce",
        "日本語" * 7,
        "x" * 29 + "日y",
        "x" * 28 + "日y",
        "日本\x1b[1;3Hx",
        "日本\x1b[1;1Hx",
        "日本\x1b[1;4H語",
        "e\u0301o\u0308 a\u0300\u0301",
        "\u0301x",
        "🔒 ok 🚀",
        "some text here\x1b[?1049l!",
        "\x1b[?1049h\x1b[?6h\x1b[?1049l\x1b[4;7r\x1b[3;27Hx",
        "x" * 30 + "\x1b[6Py\x1b[3;30Hx\x1b[6@z",
        "\x1b[4habc\x1b[1;1HX\x1b[4lY",
        "a\tb\tc\x1b[1;9H\x1b[g\rd\te",
        "a\tb\tc\x1b[Zd\x1b[2Ze",
        "\x1b[3g\ra\tb",
        "\x1b[1;5H\x1bH\ra\tb",
        "ab\x1b7\x1b[5;5Hcd\x1b8ef",
        "ab\x1b[s\x1b[5;5Hcd\x1b[uef",
        "\x1b8x",
        FILL + "\x1b[2J\x1b[Hx",
        FILL + "\x1b[3;3H\x1b[1Jx",
        FILL + "\x1b[3;3H\x1b[Jx",
        FILL + "\x1b[3J",
        FILL + "\x1b[3;3H\x1b[1K\x1b[4;4H\x1b[K\x1b[5;5H\x1b[2K",
        FILL + "\x1b[3;3H\x1b[4P\x1b[4;4H\x1b[4@\x1b[5;5H\x1b[4X",
        FILL + "\x1b[?7l\x1b[1;28Habcdef",
        "\x1b#8\x1b[2;2Hx",
        "a\x1bcb",
        "x" * 30 + "y",
        "x" * 30 + "\ry",
        "x" * 30 + "\x1b[Ky",
        "x" * 30 + "\x1b[1;1Hy",
        "a\x1b[\x18b\x1b[1\x1ac",
        "a\x1b[2\nCb\x1b[1\rCc",
        "a\x1b[1;2;3;4;5;6;7;8;9;10;11Hb",
        "a\x1b[\x1b[5Cb\x1b\x1b[2Cc",
        "\x1b[5;5H\x1b[Ea\x1b[Fb\x1b[3`c\x1b[4Gd\x1b[2de",
    ],
)
def test_it_shows_what_tmux_shows(tmux: Tmux, text: str) -> None:
    assert ours(text) == theirs(tmux, text)


def random_stream(seed: int) -> str:
    noise = random.Random(seed)

    def sequence() -> str:
        n, m = noise.randint(0, 12), noise.randint(0, 34)
        return noise.choice(
            (
                f"\x1b[{n};{m}H",
                f"\x1b[{n}{noise.choice('ABCEFGSTXP@d')}",
                f"\x1b[{noise.randint(0, 2)}{noise.choice('JK')}",
                f"\x1b[{noise.randint(1, 4)};{noise.randint(5, 8)}r",
                noise.choice(("\r\n", "\n", "\r", "\x1bM", "\x1bD", "\x1bE", "\x1b7", "\x1b8")),
                noise.choice(("\x1b[?1049h", "\x1b[?1049l", "\x1b[31;44m", "\x1b[m")),
                noise.choice(("\x1b]0;title\x07", "\x1bPdata\x1b\\", "\x1b[?25l", "\x1b[>c", "\x1b(B")),
            )
        )

    pieces = []
    for _ in range(60):
        pieces.append(
            noise.choice(
                ("word", "some text here ", "é→✓ok\x1b[2b", "longer text that may well wrap at the edge ")
            )
        )
        pieces += [sequence() for _ in range(noise.randint(0, 3))]
    return "".join(pieces)


@pytest.mark.parametrize("seed", range(40))
def test_it_shows_what_tmux_shows_for_anything(tmux: Tmux, seed: int) -> None:
    text = random_stream(seed)
    assert ours(text) == theirs(tmux, text)


# What is known to differ from tmux, what we show instead, and why. A line that stops differing fails, so that
# the list stays true.
KNOWN = [
    (
        "ab\x1b[?6h\x1b[4;7rx",
        ["ab", "", "", "x"],
        "DECSTBM homes to the top margin in origin mode, as in pyte, xterm",
    ),
    (
        "\x1b[4h\x1b[2;5Hend\x1b[1;29Habcd",
        [" " * 28 + "ab", "cd    end"],
        "wraps before it inserts, as in pyte, xterm",
    ),
    ("日\x1b[3b|", ["日日日日|"], "REP repeats any character, as in xterm"),
    ("日本\x1b[1;2Hx", [" x本"], "overwriting half of a wide character blanks the other half, as in xterm"),
    ("a\x1b[2Ib", ["a" + " " * 15 + "b"], "CHT moves by tabs, as in xterm"),
    ("a\x1b[2ab\x1b[2ec", ["a  b", "", "    c"], "HPR and VPR move, as in pyte, xterm"),
    (
        "x" * 30 + "\by",
        ["x" * 28 + "yx"],
        "BS from a full line goes to the last column but one, as in pyte, xterm",
    ),
    ("1\r\n2 \x1b[LX", ["1", "X", "2"], "IL and DL move to the first column, as in pyte, xterm"),
    ("word\x1b[1;2H\x1b[30@", ["w"], "ICH up to the edge blanks what it moved over it, as in pyte, xterm"),
    ("\x9b3Ca\x85b", ["   a", "b"], "C1 controls are obeyed, as in pyte, xterm"),
    ("\x1b(0q", ["─"], "tmux keeps line drawing as letters with an attribute"),
]


@pytest.mark.parametrize(("text", "expected", "why"), KNOWN)
def test_what_is_known_to_differ_from_tmux(tmux: Tmux, text: str, expected: list[str], why: str) -> None:
    picture = ours(text)
    assert picture.lines == expected + [""] * (ROWS - len(expected)), why
    assert picture != theirs(tmux, text), f"no longer differs: {why}"
