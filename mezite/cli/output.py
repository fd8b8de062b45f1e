"""How answers are printed: a text table for people, json or yaml for programs.

A record is a dict of plain values with snake_case keys, the same for all three. Text is made plain (see
`plain`); json and yaml keep every character, escaped. Tables are cut to the terminal's width on a terminal,
never elsewhere.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import click

from mezite.plain import cut, plain, width

Record = Mapping[str, object]
Columns = Sequence[tuple[str, str]]
"""(heading, key of the record) from left to right."""

GAP: Final = "  "


class Form(StrEnum):
    TEXT = "text"
    JSON = "json"
    YAML = "yaml"


def show_list(records: Iterable[Record], columns: Columns, form: Form) -> None:
    """A list: a table, or an array of objects."""
    if form is Form.TEXT:
        show_table(records, columns)
    else:
        show_data(list(records), form)


def show_one(record: Record, lines: Columns, form: Form) -> None:
    """One thing: a line to each fact, or an object. Facts that are absent (None) have no line."""
    if form is not Form.TEXT:
        show_data(record, form)
        return
    for heading, key in lines:
        if record.get(key) is not None:
            click.echo(f"{heading}: {cell(record[key])}")


def show_data(value: object, form: Form) -> None:
    """Any value as json or yaml. ASCII only: what a terminal would obey leaves as an escape."""
    if form is Form.YAML:
        import yaml

        text = yaml.safe_dump(_data(value), sort_keys=False, allow_unicode=False, width=100_000)
        click.echo(text, nl=False)
    else:
        import json

        click.echo(json.dumps(_data(value), indent=2))


def show_table(records: Iterable[Record], columns: Columns) -> None:
    rows = [[cell(record.get(key)) for _, key in columns] for record in records]
    headings = [heading for heading, _ in columns]
    widths = [max(width(row[at]) for row in [headings, *rows]) for at in range(len(columns))]
    room = terminal_width()
    for row in [headings, *rows]:
        padded = [text + " " * (widths[at] - width(text)) for at, text in enumerate(row)]
        line = GAP.join(padded).rstrip()
        click.echo(cut(line, room) if room else line)


def terminal_width() -> int | None:
    """Columns to keep to; None when nobody's terminal shows this."""
    if not sys.stdout.isatty():
        return None
    from shutil import get_terminal_size

    return get_terminal_size().columns


def cell(value: object) -> str:
    """A value as text, on one line and plain."""
    match value:
        case None | "" | [] | ():
            return "-"
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return plain(",".join(f"{key}={_inner(value[key])}" for key in sorted(value))) or "-"
        case list() | tuple():
            return plain(",".join(_inner(item) for item in value))
        case datetime():
            return moment(value)
        case _:
            return plain(str(value))


def moment(value: datetime) -> str:
    from mezite.clock import rfc3339

    return rfc3339(value)


def time_or_none(microseconds: int) -> datetime | None:
    """A time of the API, where 0 means none."""
    from mezite.clock import from_us

    return from_us(microseconds) if microseconds else None


def _inner(value: object) -> str:
    return "|".join(str(item) for item in value) if isinstance(value, (list, tuple)) else str(value)


def _data(value: object) -> Any:
    match value:
        case Mapping():
            return {str(key): _data(item) for key, item in value.items()}
        case list() | tuple():
            return [_data(item) for item in value]
        case datetime():
            return moment(value)
        case _:
            return value
