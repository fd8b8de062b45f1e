from __future__ import annotations

import asyncio
import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from daemons import logs
from mezite.config import LogFormat, LogLevel, Secret

log = logging.getLogger("daemons.test")


@pytest.fixture
def written() -> Iterator[Callable[[LogFormat], io.StringIO]]:
    root = logging.getLogger()
    kept = root.handlers[:], root.level

    def set_up(format: LogFormat) -> io.StringIO:
        stream = io.StringIO()
        logs.set_up(LogLevel.INFO, format, stream=stream)
        return stream

    yield set_up
    root.handlers[:], level = kept
    root.setLevel(level)


Written = Callable[[LogFormat], io.StringIO]


def parsed(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_of_text(written: Written) -> None:
    stream = written(LogFormat.TEXT)
    with logs.context(session="s1", node="web-1"):
        log.warning("cut: %s", "certificate expired")
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning  daemons\.test"
        r"  cut: certificate expired  session=s1  node=web-1\n",
        stream.getvalue(),
    )


def test_a_line_of_json(written: Written) -> None:
    stream = written(LogFormat.JSON)
    with logs.context(session="s1", bytes=5, ok=True, other=None):
        log.info("ended")
    (line,) = parsed(stream)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "daemons.test",
        "message": "ended",
        "session": "s1",
        "bytes": 5,
        "ok": True,
        "other": "None",
    }


@pytest.mark.parametrize("text", ["a\nb", "\x1b[31mred", "a\u202eb", "\u2028", "\x00", "\x9b31m", "\ud800"])
def test_text_from_outside_neither_breaks_a_line_nor_acts_on_a_terminal(written: Written, text: str) -> None:
    stream = written(LogFormat.TEXT)
    with logs.context(user=text):
        log.info("said %s", text)
    (line,) = stream.getvalue().splitlines()
    assert line.isprintable()
    stream = written(LogFormat.JSON)
    with logs.context(user=text):
        log.info("said %s", text)
    (found,) = parsed(stream)
    assert found["user"] == text
    assert stream.getvalue().rstrip("\n").isprintable()


@pytest.mark.parametrize("format", list(LogFormat))
def test_a_traceback_stays_on_the_line(written: Written, format: LogFormat) -> None:
    stream = written(format)
    try:
        raise LookupError("gone")
    except LookupError:
        log.exception("failed")
    (line,) = stream.getvalue().splitlines()
    assert "LookupError: gone" in line


@pytest.mark.parametrize("format", list(LogFormat))
def test_secrets_and_endless_texts_are_not_written(written: Written, format: LogFormat) -> None:
    stream = written(format)
    with logs.context(token=Secret("hunter2"), long="x" * 1_000_000):
        log.info("joined with %s %r", Secret("hunter2"), Secret("hunter2"))
        log.info("y" * 1_000_000)
    assert "hunter2" not in stream.getvalue()
    assert len(stream.getvalue()) < 5 * logs.MAX_VALUE


def test_a_field_cannot_pretend_to_be_the_line_itself(written: Written) -> None:
    stream = written(LogFormat.JSON)
    with logs.context(level="critical", message="forged"):
        log.info("true")
    (line,) = parsed(stream)
    assert (line["level"], line["message"]) == ("info", "true")


async def test_fields_stay_with_the_task_that_bound_them(written: Written) -> None:
    stream = written(LogFormat.JSON)

    async def work(name: str, turn: asyncio.Event, other: asyncio.Event) -> None:
        with logs.context(session=name):
            other.set()
            await turn.wait()
            log.info("at work")

    first, second = asyncio.Event(), asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(work("s1", first, second), name="s1")
        group.create_task(work("s2", second, first), name="s2")
    log.info("over")
    assert sorted(line.get("session", "") for line in parsed(stream)) == ["", "s1", "s2"]


def test_contexts_nest_and_end(written: Written) -> None:
    stream = written(LogFormat.JSON)
    with logs.context(a="1"):
        with logs.context(a="2", b="3"):
            log.info("inner")
        log.info("outer")
    assert [(line.get("a"), line.get("b")) for line in parsed(stream)] == [("2", "3"), ("1", None)]


def test_chatty_libraries_are_heard_from_warnings_up(written: Written) -> None:
    stream = written(LogFormat.JSON)
    logging.getLogger("asyncssh").info("chatter")
    logging.getLogger("asyncssh").warning("trouble")
    log.debug("too fine")
    assert [line["message"] for line in parsed(stream)] == ["trouble"]


def test_a_flood_of_failed_accepts_is_a_line_now_and_then(written: Written) -> None:
    stream = written(LogFormat.TEXT)
    clock = [0.0]
    asyncio_log = logging.getLogger("asyncio")
    asyncio_log.filters[:] = [logs.SeldomAccepting(lambda: clock[0])]
    for clock[0] in (0.0, 0.1, 9.9, 10.0, 10.1):
        for _ in range(100):
            fault = OSError(24, "Too many open files")
            asyncio_log.error("socket.accept() out of system resource\nsocket: <x>", exc_info=fault)
    asyncio_log.error("another fault")
    told = stream.getvalue().splitlines()
    assert [line.partition("asyncio  ")[2] for line in told] == [
        "connections cannot be accepted: [Errno 24] Too many open files; raise LimitNOFILE",
        "connections cannot be accepted: [Errno 24] Too many open files; raise LimitNOFILE",
        "another fault",
    ]
