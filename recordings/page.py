"""A recording as one HTML page that plays by itself: no network, no library, nothing fetched.

The page holds frames, each the rows that changed since the one before, drawn here; its script only puts rows
in their place at their time. All text is escaped, and a policy in the page lets nothing run but that script.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Iterable, Iterator
from typing import Final

from recordings.events import Event, Marker
from recordings.header import Header
from recordings.screen import Screen
from recordings.snapshots import show
from recordings.styles import Style

FRAME_US: Final = 100_000
"""Events closer together than this share a frame."""

_COLOURS: Final = {
    "black": "#1c1c1c", "red": "#d75f5f", "green": "#87af5f", "brown": "#d7af5f",
    "blue": "#5f87d7", "magenta": "#af87d7", "cyan": "#5fafaf", "white": "#d0d0d0",
    "brightblack": "#808080", "brightred": "#ff8787", "brightgreen": "#afd787", "brightbrown": "#ffd787",
    "brightblue": "#87afff", "brightmagenta": "#d7afff", "brightcyan": "#87d7d7", "brightwhite": "#ffffff",
}  # fmt: skip
_FG, _BG = "#d0d0d0", "#121212"

_STYLE: Final = f"""
body {{ background: #000; color: {_FG}; font: 14px/1.25 monospace; margin: 2em; }}
#screen {{ background: {_BG}; padding: .5em; display: inline-block; white-space: pre; }}
#screen div {{ height: 1.25em; }}
#bar {{ margin-top: 1em; }} #at {{ width: 40em; vertical-align: middle; }}
"""

_SCRIPT: Final = """
const frames = JSON.parse(document.getElementById("frames").textContent);
const end = frames.length ? frames[frames.length - 1][0] : 0;
const screen = document.getElementById("screen"), at = document.getElementById("at");
const button = document.getElementById("play"), time = document.getElementById("time");
const speed = document.getElementById("speed");
let shown = 0, position = 0, last = null;
at.max = end;
function draw() {
  let from = shown;
  if (from > 0 && frames[from - 1][0] > position) { from = 0; screen.replaceChildren(); }
  const rows = new Map();
  let count = null;
  while (from < frames.length && frames[from][0] <= position) {
    if (frames[from][1] !== count) count = frames[from][1];
    for (const [y, markup] of frames[from][2]) rows.set(y, markup);
    from += 1;
  }
  shown = from;
  while (count !== null && screen.children.length < count) screen.append(document.createElement("div"));
  while (count !== null && screen.children.length > count) screen.lastChild.remove();
  for (const [y, markup] of rows) if (screen.children[y]) screen.children[y].innerHTML = markup;
  at.value = position;
  time.textContent = (position / 1000).toFixed(1) + " s";
}
function tick(now) {
  if (last === null) return;
  position = Math.min(position + (now - last) * Number(speed.value), end);
  last = now;
  draw();
  if (position >= end) stop(); else requestAnimationFrame(tick);
}
function stop() { last = null; button.textContent = "play"; }
button.onclick = () => {
  if (last !== null) { stop(); return; }
  if (position >= end) position = 0;
  last = performance.now();
  button.textContent = "pause";
  requestAnimationFrame(tick);
};
at.oninput = () => { position = Number(at.value); draw(); };
draw();
"""


def page(header: Header, events: Iterable[Event]) -> Iterator[str]:
    """The page, piece by piece."""
    title = html.escape(f"{header.login}@{header.node} {header.session}")
    policy = f"default-src 'none'; script-src '{_hash(_SCRIPT)}'; style-src 'unsafe-inline'"
    yield (
        "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'>"
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{title}</title><style>{_STYLE}</style></head><body><h1>{title}</h1><div id='screen'></div>"
        "<div id='bar'><button id='play'>play</button> <input id='at' type='range' min='0' value='0'> "
        "<select id='speed'><option>0.5<option selected>1<option>2<option>8<option>32</select> "
        "<span id='time'></span></div><script id='frames' type='application/json'>["
    )
    comma = ""
    for frame in _frames(header, events):
        # "<" would end the script element it stands in
        yield comma + json.dumps(frame, separators=(",", ":")).replace("<", "\\u003c")
        comma = ","
    yield f"]</script><script>{_SCRIPT}</script></body></html>\n"


def _hash(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


Frame = tuple[int, int, list[tuple[int, str]]]


def _frames(header: Header, events: Iterable[Event]) -> Iterator[Frame]:
    screen = Screen(header.columns, header.rows)
    frame_us = at_us = 0
    for event in events:
        if isinstance(event, Marker):
            continue
        if event.at_us - frame_us >= FRAME_US:
            yield _frame(screen, at_us)
            frame_us = event.at_us
        show(screen, event)
        at_us = event.at_us
    yield _frame(screen, at_us)


def _frame(screen: Screen, at_us: int) -> Frame:
    dirty = sorted(screen.take_dirty())
    return at_us // 1000, screen.rows, [(y, row(screen, y)) for y in dirty if y < screen.rows]


def row(screen: Screen, y: int) -> str:
    """One row as markup."""
    return "".join(_span(text, style, reversed_screen=screen.is_reversed) for text, style in screen.runs(y))


def _span(text: str, style: Style, *, reversed_screen: bool) -> str:
    css = ";".join(_css(style, reversed_screen=reversed_screen))
    escaped = html.escape(text)
    return f'<span style="{css}">{escaped}</span>' if css else escaped


def _css(style: Style, *, reversed_screen: bool) -> Iterator[str]:
    foreground, background = _colour(style.fg, _FG), _colour(style.bg, _BG)
    if style.reverse ^ reversed_screen:
        foreground, background = background, foreground
    if style.conceal:
        foreground = background
    if foreground != _FG:
        yield f"color:{foreground}"
    if background != _BG:
        yield f"background:{background}"
    if style.bold:
        yield "font-weight:bold"
    if style.dim:
        yield "opacity:.6"
    if style.italics:
        yield "font-style:italic"
    lines = [
        name for name, on in zip(("underline", "line-through", "overline"), _lined(style), strict=True) if on
    ]
    if lines:
        yield f"text-decoration:{' '.join(lines)}"


def _lined(style: Style) -> tuple[bool, bool, bool]:
    return style.underscore, style.strikethrough, style.overline


def _colour(name: str, default: str) -> str:
    return default if name == "default" else _COLOURS.get(name, f"#{name}")
