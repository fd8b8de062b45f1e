"""What a daemon writes about itself: one line a record, to stderr, as text or as JSON.

A line never breaks and never acts on a terminal: control characters are shown as escapes, a traceback is
one field. What belongs to a piece of work (a connection, a session, a request) is bound once with
`context` and stands on every line written meanwhile, in that task and the tasks it starts. Secrets are
`mezite.config.Secret`, which no format shows.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, TextIO

from mezite.config import LogFormat, LogLevel

_FIELDS: ContextVar[Mapping[str, object]] = ContextVar("mezite.log.fields", default={})  # noqa: B039  # never written

MAX_VALUE: Final = 16_384
"""Longer texts are cut: a peer's message must not fill the disk in one line."""

_NOISY: Final = (
    "asyncio",
    "asyncssh",
    "uvicorn.error",
    "uvicorn.access",
    "aiosqlite",
    "alembic",
    "sqlalchemy",
)
"""Libraries that tell at info what an operator does not need; their warnings pass."""


ACCEPT_SAID_S: Final = 10.0


class SeldomAccepting(logging.Filter):
    """asyncio says for each try of its backlog, with a traceback, that a connection cannot be accepted.

    Out of descriptors, that is thousands of times a second, and the disk would go too. One line in a while
    says the same.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._now = now
        self._said_at = -ACCEPT_SAID_S

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.getMessage().startswith("socket.accept() out of system resource"):
            return True
        if self._now() - self._said_at < ACCEPT_SAID_S:
            return False
        self._said_at = self._now()
        error = record.exc_info[1] if record.exc_info else None
        record.msg, record.args = f"connections cannot be accepted: {error}; raise LimitNOFILE", ()
        record.exc_info = record.exc_text = None
        return True


@contextmanager
def context(**fields: object) -> Iterator[None]:
    """Binds fields to every line written inside the block."""
    token = _FIELDS.set({**_FIELDS.get(), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def set_up(level: LogLevel, format: LogFormat, *, stream: TextIO | None = None) -> None:
    """Makes this the one way out for every logger of the process; called once, by the composition root."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines() if format is LogFormat.JSON else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("asyncio").filters[:] = [SeldomAccepting()]
    for name in _NOISY:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))


class TextLines(logging.Formatter):
    """`2026-03-24T10:00:00.000Z info  daemons.hub  message  key=value`"""

    def format(self, record: logging.LogRecord) -> str:
        head = f"{_moment(record)} {record.levelname.lower():<8} {record.name}  {_shown(record.getMessage())}"
        fields = "".join(f"  {name}={_shown(str(value))}" for name, value in _fields(self, record).items())
        return head + fields


class JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage()[:MAX_VALUE],
        }
        for name, value in _fields(self, record).items():
            # A field never takes the place of what the line itself says.
            line.setdefault(name, value if isinstance(value, bool | int) else str(value)[:MAX_VALUE])
        return json.dumps(line)


def _fields(formatter: logging.Formatter, record: logging.LogRecord) -> Mapping[str, object]:
    fields = _FIELDS.get()
    if record.exc_info:
        return {**fields, "traceback": formatter.formatException(record.exc_info)}
    return fields


def _moment(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _shown(text: str) -> str:
    cut = text[:MAX_VALUE] + ("…" if len(text) > MAX_VALUE else "")
    return cut if cut.isprintable() else "".join(_escaped(char) for char in cut)


def _escaped(char: str) -> str:
    return char if char.isprintable() else char.encode("unicode_escape", "backslashreplace").decode()
