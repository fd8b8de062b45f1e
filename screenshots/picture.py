"""A console screen as an SVG on an exact grid of cells, and as a PNG when `resvg_py` is installed.

Each character stands at its own cell, so wide ones stay aligned and no ligature forms; rules and blocks are
drawn as shapes, so that they join without seams.
"""

from __future__ import annotations

from html import escape
from typing import Any

from rich.cells import cell_len
from rich.color import Color
from rich.style import Style

CELL_WIDTH, CELL_HEIGHT, FONT_SIZE, BASELINE, MARGIN = 10, 22, 16.7, 16, 8


def svg_of(app: Any) -> str:
    """The screen as it is. `app` is a running console."""
    width, height = app.size
    page, text = app.look.page, app.look.text
    right, bottom = width * CELL_WIDTH + 2 * MARGIN, height * CELL_HEIGHT + 2 * MARGIN
    grounds: list[str] = []
    glyphs: list[str] = []
    for row, segments in enumerate(_rows(app, height)):
        column = 0
        for words, style in segments:
            ink, ground = _colours(style, text, page)
            cells = cell_len(words)
            if ground != page:
                grounds.append(_block(column, row, cells, ground))
            glyphs += _run(words, column, row, ink, style)
            column += cells
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {right} {bottom}" width="{right}" '
        f'height="{bottom}">'
        f'<rect width="{right}" height="{bottom}" fill="{page}"/>'
        f'<g font-family="Fira Code, Noto Sans CJK JP, Symbola, monospace" font-size="{FONT_SIZE}">'
    )
    return "\n".join([head, *grounds, *glyphs, "</g></svg>\n"])


def png_of(svg: str) -> bytes:
    """The same picture in dots; nothing where `resvg_py`, which nothing else needs, is not installed."""
    try:
        import resvg_py
    except ImportError:
        return b""
    return bytes(resvg_py.svg_to_bytes(svg_string=svg))


def _rows(app: Any, height: int) -> list[list[tuple[str, Style]]]:
    compositor = app.screen._compositor
    update = compositor.render_update(full=True, screen_stack=app._background_screens, simplify=False)
    return [
        [(seg.text, seg.style or Style()) for part in strip for seg in part if not seg.control]
        for strip in update.strips[:height]
    ]


def _colours(style: Style, ink: str, ground: str) -> tuple[str, str]:
    pair = (_hex(style.color, ink), _hex(style.bgcolor, ground))
    return pair[::-1] if style.reverse else pair


def _hex(colour: Color | None, default: str) -> str:
    return default if colour is None or colour.is_default else colour.get_truecolor().hex


def _run(words: str, column: int, row: int, ink: str, style: Style) -> list[str]:
    shapes: list[str] = []
    bold = ' font-weight="bold"' if style.bold else ""
    top = MARGIN + row * CELL_HEIGHT
    places: list[str] = []
    plain = ""
    for letter in words:
        left, cells = MARGIN + column * CELL_WIDTH, cell_len(letter)
        if letter in "─│▌":
            shapes.append(_shape(letter, left, top, ink))
        elif letter == " " or not cells:
            pass
        elif ord(letter) < 0x2000:
            plain += letter
            places.append(str(left))
        else:
            middle = left + cells * CELL_WIDTH / 2
            place = f'x="{middle}" y="{top + BASELINE}" text-anchor="middle"'
            shapes.append(f'<text {place} fill="{ink}"{bold}>{letter}</text>')
        column += cells
    if plain:
        shapes.append(
            f'<text x="{" ".join(places)}" y="{top + BASELINE}" fill="{ink}"{bold}>{escape(plain)}</text>'
        )
    if style.underline and words.strip():
        cells = cell_len(words)
        left = MARGIN + (column - cells) * CELL_WIDTH
        place = f'x="{left}" y="{top + BASELINE + 3}" width="{cells * CELL_WIDTH}"'
        shapes.append(f'<rect {place} height="1.2" fill="{ink}"/>')
    return shapes


def _shape(letter: str, left: int, top: int, ink: str) -> str:
    x, y, width, height = {
        "─": (left, top + CELL_HEIGHT / 2, CELL_WIDTH, 1.2),
        "│": (left + CELL_WIDTH / 2, top, 1.2, CELL_HEIGHT),
        "▌": (left, top, CELL_WIDTH / 2, CELL_HEIGHT),
    }[letter]
    return f'<rect x="{x}" y="{y}" width="{width}" height="{height}" fill="{ink}"/>'


def _block(column: int, row: int, cells: int, ground: str) -> str:
    left, top = MARGIN + column * CELL_WIDTH, MARGIN + row * CELL_HEIGHT
    return f'<rect x="{left}" y="{top}" width="{cells * CELL_WIDTH}" height="{CELL_HEIGHT}" fill="{ground}"/>'
