"""Values of options as people write them, and the options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import click

from mezite.cli.output import Form

F = TypeVar("F", bound=Callable[..., Any])


class Duration(click.ParamType[timedelta]):
    """`30m`, `4h`, `1h30m`, `2d`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        from mezite import durations
        from mezite.errors import Invalid

        if isinstance(value, timedelta):
            return value
        try:
            return durations.parse(value)
        except Invalid as error:
            self.fail(error.message, param, ctx)


class Moment(click.ParamType[datetime]):
    """`2026-03-24T10:00:00Z`, or with an offset; a date alone is its first moment, UTC."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        from datetime import UTC

        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!a} is not a time; write 2026-03-24T10:00:00Z", param, ctx)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


class Names(click.ParamType[tuple[str, ...]]):
    """`a,b,c`."""

    name = "a,b"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        if isinstance(value, tuple):
            return value
        return tuple(part for part in (item.strip() for item in value.split(",")) if part)


class Pair(click.ParamType[tuple[str, str]]):
    """`key=value`; the value may hold further `=`."""

    name = "key=value"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        key, equals, rest = value.partition("=")
        if not equals or not key.strip():
            self.fail(f"{value!a} is not KEY=VALUE", param, ctx)
        return key.strip(), rest.strip()


DURATION: Final = Duration()
MOMENT: Final = Moment()
NAMES: Final = Names()
PAIR: Final = Pair()


def formatted(command: F) -> F:
    """Adds `--format`; the command gets `form`."""
    return click.option(
        "--format",
        "form",
        type=click.Choice([form.value for form in Form]),
        default=Form.TEXT.value,
        callback=lambda ctx, param, value: Form(value),
        help="How to print the answer.",
        show_default=True,
    )(command)


def example(*lines: str) -> str:
    """The end of a command's help: what one would type."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def grouped(pairs: tuple[tuple[str, str], ...]) -> dict[str, tuple[str, ...]]:
    """Traits: a key given twice has two values, and an empty value is none."""
    found: dict[str, tuple[str, ...]] = {}
    for key, value in pairs:
        values = tuple(part for part in value.split(",") if part)
        found[key] = (*found.get(key, ()), *values)
    return found
