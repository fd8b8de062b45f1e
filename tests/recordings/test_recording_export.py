"""Other forms of a recording, and the plain player: they tell what was shown, and do nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from html.parser import HTMLParser

import pytest

from recordings import export, page
from recordings.events import Event, Exit, Marker, Output, Resize
from recordings.player import play
from recordings.reader import Recording
from recordings.sanitize import RESTORE
from recordings.source import BytesSource
from tests.support.recordings import Chunks, Workshop

EVENTS: list[Event] = [
    Output(0, b"$ echo caf\xc3"),
    Output(500_000, b"\xa9\r\n"),
    Resize(1_000_000, 100, 30),
    Marker(1_500_000, "command", "echo café"),
    Output(2_000_000, b"\x1b]0;title\x07\x1b[31mred\x1b[m \x1b[6n<b>&\r\n"),
    Exit(3_250_000, 3),
]


def test_json_tells_every_event(shop: Workshop) -> None:
    header, *events = [json.loads(line) for line in export.json_lines(shop.header(), EVENTS)]
    assert (header["user"], header["columns"]) == ("alice", 80)
    assert [event["type"] for event in events] == ["output", "output", "resize", "marker", "output", "exit"]
    assert events[0]["data"] + events[1]["data"] == "$ echo café\r\n"
    assert "\x1b]0;title" in events[4]["data"]
    assert events[5] == {"type": "exit", "at_us": 3_250_000, "status": 3}


def test_asciicast_2_plays_what_was_shown_and_nothing_that_acts(shop: Workshop) -> None:
    header, *events = [json.loads(line) for line in export.asciicast2(shop.header(), EVENTS)]
    assert (header["version"], header["width"], header["height"]) == (2, 80, 24)
    assert events == [
        [0.0, "o", "$ echo caf"],
        [0.5, "o", "é\r\n"],
        [1.0, "r", "100x30"],
        [1.5, "m", "command: echo café"],
        [2.0, "o", "\x1b[31mred\x1b[m <b>&\r\n"],
    ]


def test_asciicast_3_counts_from_event_to_event(shop: Workshop) -> None:
    header, *events = [json.loads(line) for line in export.asciicast3(shop.header(), EVENTS)]
    assert header["term"] == {"cols": 80, "rows": 24, "type": "xterm-256color"}
    assert [event[0] for event in events] == [0.0, 0.5, 0.5, 0.5, 0.5, 1.25]
    assert events[-1] == [1.25, "x", "3"]


def test_text_is_what_stood_on_the_screen(shop: Workshop) -> None:
    assert "".join(export.text(shop.header(), EVENTS)) == "$ echo café\nred <b>&\n"


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        ("".join(f"{n}\r\n" for n in range(100)), "".join(f"{n}\n" for n in range(100))),
        ("one\r\ntwo\r\n\x1b[2J\x1b[Hthree", "one\ntwo\nthree\n"),
        ("wrong\rright", "right\n"),
        ("before\r\n\x1b[?1049heditor\x1b[2J\x1b[?1049lafter\r\n", "before\nafter\n"),
        ("before\r\n\x1b[?1049hstill editing", "before\n"),
        ("", ""),
    ],
)
def test_text_keeps_what_scrolled_away_and_leaves_editors_out(
    shop: Workshop, shown: str, expected: str
) -> None:
    assert "".join(export.text(shop.header(), [Output(0, shown.encode())])) == expected


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs


def test_a_page_holds_itself_and_escapes_everything(shop: Workshop) -> None:
    hostile: list[Event] = [
        Output(0, b"</script><script>alert(1)</script><img src=x onerror=alert(2)>"),
        Output(300_000, b"\x1b[1;31m<i>&amp;"),
    ]
    made = "".join(page.page(shop.header(), [*EVENTS[:0], *hostile]))
    elements = Elements()
    elements.feed(made)
    assert elements.tags.count("script") == 2
    assert "img" not in elements.tags
    assert not [name for name, _ in elements.attributes if name in ("src", "href", "onerror")]
    assert "default-src 'none'; script-src 'sha256-" in made
    found = re.search(r"<script id=\'frames\' type=\'application/json\'>(.*?)</script>", made)
    assert found is not None
    frames = json.loads(found.group(1))
    assert [frame[0] for frame in frames] == [0, 300]
    assert "&lt;/script&gt;" in frames[0][2][0][1]
    assert "font-weight:bold" in frames[1][2][0][1]


def test_a_page_draws_every_style(shop: Workshop) -> None:
    text = "\x1b[2;3;4;9;53;7;38;5;196;48;2;1;2;3mx\x1b[m\x1b[8my\x1b[m\x1b[?5hz"
    made = "".join(page.page(shop.header(), [Output(0, text.encode())]))
    for css in (
        "opacity",
        "italic",
        "underline line-through overline",
        "#ff0000",
        "#010203",
        "background:#d0d0d0",
    ):
        assert css in made


# --- the plain player ---


class FastClock:
    def __init__(self) -> None:
        self.now = 77
        self.slept: list[int] = []

    def now_us(self) -> int:
        return self.now

    def sleep_us(self, duration_us: int) -> None:
        self.slept.append(duration_us)
        self.now += duration_us


@pytest.mark.parametrize(("speed", "asked_s"), [(1.0, 100.0), (2.0, 50.0), (32.0, 3.125)])
def test_the_plain_player_asks_the_clock_for_its_share(
    shop: Workshop, story: Chunks, speed: float, asked_s: float
) -> None:
    clock, shown = FastClock(), bytearray()
    play(Recording(BytesSource(shop.write(story)), shop.ring), shown.extend, clock, speed=speed)
    assert sum(clock.slept) == pytest.approx(asked_s * 1_000_000, abs=100)
    assert shown.startswith(b"$ ls\r\n")
    assert shown.endswith(b"logout\r\n" + RESTORE)


def test_the_plain_player_skips_idle_and_starts_inside(shop: Workshop, story: Chunks) -> None:
    clock, shown = FastClock(), bytearray()
    recording = Recording(BytesSource(shop.write(story)), shop.ring)
    play(recording, shown.extend, clock, skip_idle=True)
    assert sum(clock.slept) < 15_000_000
    clock, late = FastClock(), bytearray()
    play(recording, late.extend, clock, from_us=95_000_000)
    assert sum(clock.slept) == pytest.approx(5_000_000, abs=10)
    assert late == shown


def test_the_terminal_is_brought_back_when_playing_stops_short(shop: Workshop, story: Chunks) -> None:
    class Interrupted(FastClock):
        def sleep_us(self, duration_us: int) -> None:
            raise KeyboardInterrupt

    shown = bytearray()
    with pytest.raises(KeyboardInterrupt):
        play(Recording(BytesSource(shop.write(story)), shop.ring), shown.extend, Interrupted())
    assert shown == b"$ " + RESTORE
