"""What a node prints cannot act on a watcher's terminal: a hostile corpus, and any bytes at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recordings.sanitize import RESTORE, Sanitizer, visible
from recordings.screen import Screen
from tests.support.terminal_corpus import corpus

# Everything that may come out, and nothing else, said a second time and otherwise than in the code.
ALLOWED = re.compile(
    r"[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]"
    r"|[\x08-\x0f]"
    r"|\x1b[78DEHM]|\x1b[()][0B]|\x1b#8"
    r"|\x1b\[[0-9;]*[@A-IKLMPSXZ`abdefgr]|\x1b\[[0-9]*T|\x1b\[\??0*[0-2]?(;[0-9;]*)?J|\x1b\[\?[0-9;]*K|\x1b\[[su]"
    r"|\x1b\[[0-9;:]*m|\x1b\[(4|20)[hl]|\x1b\[\?(5|6|7|25|47|1047|1048|1049)[hl]"
)


def check_allowed(passed: bytes) -> None:
    text, at = passed.decode(), 0
    while at < len(text):
        found = ALLOWED.match(text, at)
        assert found, text[at : at + 20]
        at = found.end()


def clean(text: str | bytes) -> str:
    return Sanitizer().feed(text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text).decode()


HOSTILE = {
    "window title": "\x1b]0;rm -rf /\x07",
    "title with ST": "\x1b]2;x\x1b\\",
    "title report": "\x1b[21t",
    "icon report": "\x1b[20t",
    "window moves": "\x1b[3;0;0t\x1b[8;1;1t\x1b[2t",
    "clipboard write": "\x1b]52;c;cm0gLXJmIC8K\x07",
    "clipboard read": "\x1b]52;c;?\x07",
    "hyperlink": "\x1b]8;;file:///etc/passwd\x1b\\\x1b]8;;\x1b\\",
    "palette": "\x1b]4;1;rgb:00/00/00\x07\x1b]10;#000\x07\x1b]11;#000\x07\x1b]104\x07",
    "colour query": "\x1b]11;?\x07\x1b]4;0;?\x1b\\",
    "working directory": "\x1b]7;file://host/tmp\x07",
    "iTerm file": "\x1b]1337;File=name=eA==:AAAA\x07",
    "notification": "\x1b]9;boo\x07\x1b]777;notify;a;b\x07\x1b]99;;c\x1b\\",
    "shell marks": "\x1b]133;A\x07\x1b]633;P;Cwd=/\x07",
    "screen title": "\x1bkls\x1b\\",
    "DECRQSS": "\x1bP$qm\x1b\\",
    "DECUDK": "\x1bP0;0|17/6c730d\x1b\\",
    "XTGETTCAP": "\x1bP+q544e\x1b\\",
    "sixel": "\x1bPq#0;2;0;0;0~\x1b\\",
    "tmux passthrough": "\x1bPtmux;\x1b\x1b]52;c;AAAA\x07\x1b\\",
    "kitty graphics": "\x1b_Ga=d\x1b\\",
    "PM and SOS": "\x1b^x\x1b\\\x1bXy\x1b\\",
    "DA 1, 2, 3": "\x1b[c\x1b[0c\x1b[>c\x1b[=c\x1bZ",
    "XTVERSION": "\x1b[>q\x1b[>0q",
    "DSR": "\x1b[5n\x1b[6n\x1b[?6n\x1b[?15n",
    "DECRQM": "\x1b[?2026$p\x1b[4$p",
    "DECREQTPARM": "\x1b[x\x1b[1x",
    "DECRQCRA": "\x1b[1;1;1;1;80;24*y",
    "ENQ answerback": "\x05\x05",
    "bell storm": "\x07\x07\x07",
    "mouse": "\x1b[?9h\x1b[?1000h\x1b[?1002h\x1b[?1003h\x1b[?1005h\x1b[?1006h\x1b[?1015h\x1b[?1016h",
    "focus and paste": "\x1b[?1004h\x1b[?2004h",
    "keypad, cursor keys": "\x1b=\x1b>\x1b[?1h\x1b[?66h",
    "keyboard protocols": "\x1b[>1u\x1b[=1;1u\x1b[?u\x1b[>4;2m\x1b[<u",
    "132 columns": "\x1b[?40h\x1b[?3h",
    "locked keyboard": "\x1b[2h\x1b[12h",
    "local echo": "\x1b[?12h\x1b[?45h\x1b[?69h\x1b[?8h\x1b[?95h\x1b[?1048;1000$p",
    "printer": "\x1b[4i\x1b[5i\x1b[?5i",
    "LEDs, cursor shape": "\x1b[1q\x1b[2 q",
    "8-bit and charsets": "\x1b G\x1b%@\x1b%G\x1b(A\x1b*0\x1b+0\x1b-A\x1bn\x1bo\x1b|\x1b}\x1b~\x1bN\x1bO",
    "scrollback": "\x1b[3J\x1b[?3J",
    "soft fonts, macros": "\x1b[1*z\x1b[2'z\x1b[3'{",
    "rectangles": "\x1b[1;1;9;9$z\x1b[65;1;1;9;9$x\x1b[1;1;9;9;1;1;1;1$v",
    "margins left and right": "\x1b[5;10s",
    "highlight tracking": "\x1b[1;2;3;4;5T",
    "C1 as characters": "\x9d0;title\x9c\x9b21t\x90$qm\x9c\x85\x84\x8d\x9a\x9f\x98x\x9c",
    "REP flood": "\x1b[999999b\x1b[99999b",
    "controls": "\x00\x01\x02\x03\x04\x06\x10\x11\x12\x13\x14\x15\x16\x17\x19\x1c\x1d\x1e\x1f\x7f",
    "media copy in csi": "\x1b[?\x18\x1b[\x1a",
    "malformed": "\x1b[1;2?h\x1b[?1;?2h\x1b[ 1m\x1b[>?25h\x1b[?>25h\x1b[25?h",
    "too long": "\x1b[" + "1;" * 4000 + "m",
    "unterminated title": "\x1b]0;" + "x" * 10_000,
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_sequence_leaves_nothing(name: str) -> None:
    assert clean(HOSTILE[name]) == ""


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_nor_does_it_in_pieces(name: str, size: int) -> None:
    raw, sanitizer = HOSTILE[name].encode(), Sanitizer()
    assert b"".join(sanitizer.feed(raw[at : at + size]) for at in range(0, len(raw), size)) == b""


@pytest.mark.parametrize("name", [name for name in HOSTILE if not name.startswith("unterminated")])
def test_what_stands_around_it_is_passed(name: str) -> None:
    assert clean(f"before {HOSTILE[name]}\x1b[31mafter\x1b[m") == "before \x1b[31mafter\x1b[m"


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        (b"\x9b21t\x9d0;x\x07\xff", "\ufffd21t\ufffd0;x\ufffd"),
        ("\x1b[?25;1000;1049h", "\x1b[?25h\x1b[?1049h"),
        ("\x1b[?0025l", "\x1b[?25l"),
        ("\x1b]0;a\x1b[31mred", "\x1b[31mred"),
        ("\x1b[1\n2H", "\n\x1b[12H"),
        ("a\u202eb\u2066c\u2028d", "a\ufffdb\ufffdc\ufffdd"),
        ("\x1b[38:2::1:2:3m\x1b[4:3m", "\x1b[38:2::1:2:3m\x1b[4:3m"),
        ("\x1b[s\x1b[u\x1b[2T\x1b[1000b", "\x1b[s\x1b[u\x1b[2T\x1b[1000b"),
        ("日本語 🔒 e\u0301", "日本語 🔒 e\u0301"),
        ("\ud800", "\ufffd\ufffd\ufffd"),
    ],
)
def test_it_passes_on_what_draws(text: str | bytes, passed: str) -> None:
    assert clean(text) == passed


def test_a_reset_clears_and_no_more() -> None:
    passed = clean("\x1bc")
    assert "\x1bc" not in passed
    assert "\x1b[2J" in passed
    check_allowed(passed.encode())


@pytest.mark.parametrize("kind", ["counting", "listing", "log", "editor"])
def test_ordinary_output_looks_the_same_behind_it(kind: str) -> None:
    raw = corpus(kind, 20_000).encode()
    plain, behind = Screen(100, 30), Screen(100, 30)
    plain.feed(raw)
    behind.feed(Sanitizer().feed(raw))
    assert behind.snapshot() == plain.snapshot()


_hostile = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(list(HOSTILE.values())).filter(lambda text: len(text) < 500).map(str.encode),
    st.sampled_from(
        [b"\x1b", b"\x1b[", b"\x1b]", b"\x1bP", b"\x07", b"\x1b\\", b"\xc2\x9b", b"\xc2", b"\x9b"]
    ),
    st.sampled_from([b"?", b"1", b";", b"h", b"m", b":"]),
    st.text(max_size=10).map(lambda text: text.encode("utf-8", "surrogatepass")),
)


@given(st.lists(_hostile, max_size=20))
@settings(max_examples=300)
def test_nothing_that_is_not_allowed_ever_comes_out(pieces: list[bytes]) -> None:
    sanitizer = Sanitizer()
    check_allowed(b"".join(map(sanitizer.feed, pieces)))


@given(st.lists(_hostile, max_size=12), st.data())
def test_cutting_changes_nothing(pieces: list[bytes], data: st.DataObject) -> None:
    raw = b"".join(pieces)
    cut = data.draw(st.integers(0, len(raw)))
    parts = Sanitizer()
    assert parts.feed(raw[:cut]) + parts.feed(raw[cut:]) == Sanitizer().feed(raw)


@given(st.lists(_hostile, max_size=12))
def test_cleaning_twice_changes_nothing(pieces: list[bytes]) -> None:
    once = Sanitizer().feed(b"".join(pieces))
    assert Sanitizer().feed(once) == once


def test_the_terminal_is_brought_back_by_what_is_itself_allowed() -> None:
    check_allowed(RESTORE)
    screen = Screen(10, 3)
    screen.feed(b"mine\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[4h\x1b[?5h\x1b(0\x1b[2;3r\x1b[7mx" + RESTORE)
    assert screen.display[0].rstrip() == "mine"
    assert screen.cursor.visible
    assert not screen.is_reversed


def test_names_are_shown_and_not_obeyed() -> None:
    assert visible("a\x1b]0;x\x07\r\n\x7f\x9b\u202e\ud800é") == "a␛]0;x␇␍␊␡\ufffd\ufffd\ufffdé"
