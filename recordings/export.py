"""Recordings in other forms: text, JSON lines, asciicast 2 and 3. `page` makes HTML.

Each exporter takes a header and events, and gives pieces of text: a long recording is never held whole.
Whatever an asciicast holds ends up on somebody's terminal: it is sanitized like output that is watched live.
JSON holds output as it was, where it is data.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterable, Iterator
from typing import Any

from recordings.events import Event, Exit, Marker, Output, Resize
from recordings.grid import Line
from recordings.header import Header
from recordings.sanitize import Sanitizer
from recordings.screen import Screen
from recordings.snapshots import show


def text(header: Header, events: Iterable[Event]) -> Iterator[str]:
    """What stood on the main screen, line by line: what scrolled away, and at the end the screen itself."""
    screen = Screen(header.columns, header.rows)
    gone: list[str] = []
    screen.on_gone = lambda lines: gone.extend(_trimmed(lines))
    for event in events:
        show(screen, event)
        if gone:
            yield from gone
            gone.clear()
    screen.feed(b"\x18\x1b[?1049l")
    last = [row.rstrip() + "\n" for row in screen.display]
    while last and last[-1] == "\n":
        last.pop()
    yield from last


def _trimmed(lines: list[Line]) -> list[str]:
    rows = ["".join(line.chars).rstrip() + "\n" for line in lines]
    # a cleared screen is told with all its blank rows, and those below the last text were never anything
    while len(rows) > 1 and rows[-1] == "\n":
        rows.pop()
    return rows


def json_lines(header: Header, events: Iterable[Event]) -> Iterator[str]:
    """One JSON object a line: first the header's facts, then each event; no UTF-8 shows as U+FFFD."""
    yield _line(
        {
            "type": "header",
            "recording": header.id.hex(),
            "session": header.session,
            "started_at_us": header.started_at_us,
            "columns": header.columns,
            "rows": header.rows,
            "cluster": header.cluster,
            "node": header.node,
            "user": header.user,
            "login": header.login,
        }
    )
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    for event in events:
        match event:
            case Output(at_us, data):
                yield _line({"type": "output", "at_us": at_us, "data": decoder.decode(data)})
            case Resize(at_us, columns, rows):
                yield _line({"type": "resize", "at_us": at_us, "columns": columns, "rows": rows})
            case Marker(at_us, label, words):
                yield _line({"type": "marker", "at_us": at_us, "label": label, "text": words})
            case Exit(at_us, status):
                yield _line({"type": "exit", "at_us": at_us, "status": status})


def asciicast2(header: Header, events: Iterable[Event]) -> Iterator[str]:
    """asciicast version 2, as asciinema 2 and 3 play it."""
    yield _line(
        {
            "version": 2,
            "width": header.columns,
            "height": header.rows,
            "timestamp": header.started_at_us // 1_000_000,
            "title": f"{header.login}@{header.node}",
            "env": {"TERM": header.term or "xterm-256color"},
        }
    )
    for at_us, code, data in _cast_events(events):
        if code != "x":  # version 2 knows no exit
            yield _line([round(at_us / 1_000_000, 6), code, data])


def asciicast3(header: Header, events: Iterable[Event]) -> Iterator[str]:
    """asciicast version 3: times count from the event before, and the exit status is there."""
    yield _line(
        {
            "version": 3,
            "term": {"cols": header.columns, "rows": header.rows, "type": header.term or "xterm-256color"},
            "timestamp": header.started_at_us // 1_000_000,
            "title": f"{header.login}@{header.node}",
        }
    )
    before_us = 0
    for at_us, code, data in _cast_events(events):
        yield _line([round((at_us - before_us) / 1_000_000, 6), code, data])
        before_us = at_us


def _cast_events(events: Iterable[Event]) -> Iterator[tuple[int, str, str]]:
    sanitizer = Sanitizer()
    for event in events:
        match event:
            case Output(at_us, data):
                passed = sanitizer.feed(data).decode()
                if passed:
                    yield at_us, "o", passed
            case Resize(at_us, columns, rows):
                yield at_us, "r", f"{columns}x{rows}"
            case Marker(at_us, label, words):
                yield at_us, "m", f"{label}: {words}" if words else label
            case Exit(at_us, status):
                yield at_us, "x", str(status)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, separators=(",", ":")) + "\n"
