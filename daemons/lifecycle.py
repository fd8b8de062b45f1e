"""How a process that stays up is born, serves and dies: the one `run()`.

A service is an async context manager. Entering it binds whatever can be refused (ports, files, the
database) and then serves; leaving it drains and closes, in the reverse order. The story of a process:

    1. inherited signal dispositions are put right, stop signals become events, and as many files may be open
       as the administrator allows
    2. the service is entered; a stop asked for meanwhile abandons that
    3. the service manager hears READY
    4. the process serves until a stop is asked for, or something in it fails
    5. the service manager hears STOPPING, and the service is left; it has `grace` to drain
    6. when the grace is over, or a second signal hastens, the leaving is cancelled
    7. what does not heed even that is left behind: the stacks are printed and the process ends

What a service runs beside itself it starts in a `crew`, so that a failure in any task ends the process
with one line and a non-zero status, and no task outlives what it works on.
"""

from __future__ import annotations

import asyncio
import faulthandler
import logging
import os
import resource
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from typing import Any, Final, Protocol

from daemons.notify import Notifier
from mezite.errors import EXIT_FAILURE, EXIT_OK, MeziteError

log = logging.getLogger(__name__)

Service = AbstractAsyncContextManager[object]

GRACE: Final = timedelta(seconds=20)
LAST_WORD: Final = timedelta(seconds=5)
"""How long a cancelled service may take to close what it holds."""


class Start(Protocol):
    """Starts a task in a crew; the name is what a stack dump and a fault's line call it."""

    def __call__(self, work: Coroutine[Any, Any, object], /, *, name: str) -> asyncio.Task[object]: ...


@asynccontextmanager
async def crew() -> AsyncIterator[Start]:
    """Tasks that live as long as the block: leaving it cancels them, a failure of one leaves it."""
    async with asyncio.TaskGroup() as group:
        at_work: set[asyncio.Task[object]] = set()

        def start(work: Coroutine[Any, Any, object], /, *, name: str) -> asyncio.Task[object]:
            task = group.create_task(work, name=name)
            at_work.add(task)
            task.add_done_callback(at_work.discard)
            return task

        yield start
        for task in at_work:
            task.cancel()


def run(service: Callable[[], Service], *, grace: timedelta = GRACE, last_word: timedelta = LAST_WORD) -> int:
    """Lives the whole story above and returns the exit status. The service is built inside the loop."""
    _put_signals_right()
    _open_more_files()
    try:
        return asyncio.run(_live(service, grace, last_word))
    except BaseExceptionGroup as group:
        return _ended_by(*_leaves(group))
    except Exception as error:  # noqa: BLE001  # the outermost frame of a process: whatever came here ends it
        return _ended_by(error)
    finally:
        faulthandler.cancel_dump_traceback_later()


async def _live(service: Callable[[], Service], grace: timedelta, last_word: timedelta) -> int:
    stop, haste = asyncio.Event(), asyncio.Event()
    _hear_signals(stop, haste)
    notifier = Notifier.from_environment(os.environ)
    entered = asyncio.Event()

    async def keep() -> None:
        async with service():
            entered.set()
            notifier.ready()
            try:
                await stop.wait()
            finally:
                notifier.stopping()
                _watch_for_hang(grace + last_word)

    async with asyncio.TaskGroup() as life:
        keeper = life.create_task(keep(), name="service")
        await stop.wait()
        if entered.is_set() and await _left_in_time(keeper, haste, grace):
            return EXIT_OK
        _watch_for_hang(last_word)
        keeper.cancel()
        # Abandoning a start that was not yet complete is an orderly end; cutting a drain short is not.
        return EXIT_FAILURE if entered.is_set() else EXIT_OK


async def _left_in_time(keeper: asyncio.Task[None], haste: asyncio.Event, grace: timedelta) -> bool:
    """Whether the service was left by itself before the grace ended or somebody hastened."""
    async with crew() as start:
        hastened = start(haste.wait(), name="haste")
        await asyncio.wait(
            {keeper, hastened}, timeout=grace.total_seconds(), return_when=asyncio.FIRST_COMPLETED
        )
        if not keeper.done():
            reason = "asked again" if hastened.done() else f"not drained after {grace.total_seconds():g} s"
            log.warning("stopping at once: %s", reason)
    return keeper.done()


def _watch_for_hang(patience: timedelta) -> None:
    """Works also when the loop or a thread hangs, which is when it is needed. The last call counts."""
    faulthandler.dump_traceback_later(patience.total_seconds(), exit=True)


def _put_signals_right() -> None:
    """A shell's `&` leaves SIGINT and SIGQUIT ignored, and every child of ours would inherit that."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGCHLD):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _open_more_files() -> None:
    """The usual soft limit is 1024, for programs that select(); every connection here is a file, or two."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _hear_signals(stop: asyncio.Event, haste: asyncio.Event) -> None:
    def asked(number: signal.Signals) -> None:
        log.info("asked to stop by %s", number.name)
        (haste if stop.is_set() else stop).set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        # An ignored SIGHUP is nohup's: whoever set it wants the process to outlive the terminal.
        if signal.getsignal(number) is not signal.SIG_IGN:
            loop.add_signal_handler(number, asked, number)


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error


def _ended_by(*errors: BaseException) -> int:
    """One line for each cause; the status is that of the first which has one of its own."""
    status = EXIT_FAILURE
    for error in errors:
        if isinstance(error, MeziteError):
            status = error.wire.exit if status == EXIT_FAILURE else status
            for line in str(error).splitlines():
                log.critical("%s", line)
        elif isinstance(error, OSError):
            log.critical("%s", error)
        else:
            log.critical("ended by a fault of ours: %s", type(error).__name__, exc_info=error)
    return status
