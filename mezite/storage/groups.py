"""Units that share a commit: how callers wait, and how a group of units runs inside one transaction.

Engines bring the transaction and the moment of the commit. Here is what holds on each of them: units run in
the order they came, each in its own savepoint; one that raises is undone alone.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mezite.errors import Unavailable
from mezite.model.change import Change
from mezite.storage.ends import Ends
from mezite.storage.executor import Executor, Lost
from mezite.storage.failpoints import reach
from mezite.storage.ports import Writing
from mezite.storage.sql_view import SqlWriting

MAX_GROUP: Final = 256
"""Units per commit: beyond this a commit costs little next to its units, and the first waits long enough."""
MAX_WAITING: Final = 1024
"""Units in the queue. When it is full, further callers wait to be let in; none is refused or dropped."""


class Order:
    """A unit and the caller who waits for it. Of the writer and a caller who gives up, the first has it."""

    __slots__ = ("_taken", "answer", "unit")

    def __init__(self, unit: Callable[[Writing], Any], answer: asyncio.Future[Any]) -> None:
        self.unit = unit
        self.answer = answer
        self._taken = threading.Lock()

    def take(self) -> bool:
        """True for one of the two, once: the unit is theirs, to run or to forget."""
        return self._taken.acquire(blocking=False)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one unit returned, or raised."""

    value: Any = None
    error: BaseException | None = None

    def give(self, answer: asyncio.Future[Any]) -> None:
        if answer.done():  # the caller gave up while the unit ran
            return
        if self.error is None:
            answer.set_result(self.value)
        else:
            answer.set_exception(self.error)


@dataclass(frozen=True, slots=True)
class Group:
    """All that a commit makes true."""

    outcomes: list[Outcome]
    changes: list[Change]
    ends: Ends


def run(
    writing: SqlWriting, executor: Executor, known: Ends, units: Sequence[Callable[[Writing], Any]]
) -> Group:
    """Runs the units from this end of the chain on; the engine's own failure leaves as `Lost`."""
    writing.begin(known)
    outcomes = [_attempt(writing, executor, unit) for unit in units]
    ends, changes = writing.finish()
    return Group(outcomes, changes, ends)


def closed() -> Unavailable:
    return Unavailable("the database is closed; try again when the hub is back")


def _attempt(writing: SqlWriting, executor: Executor, unit: Callable[[Writing], Any]) -> Outcome:
    mark = writing.mark()
    try:
        with executor.savepoint():
            value = unit(writing)
    except Lost:
        raise
    except BaseException as error:  # noqa: BLE001 - it is the caller's, who gets it; the others' units go on
        writing.rewind(mark)
        return Outcome(error=_bearable(error))
    reach("store.unit-done")
    return Outcome(value)


def _bearable(error: BaseException) -> BaseException:
    """A future refuses to carry StopIteration, which would end whoever awaits it without a word."""
    return RuntimeError("a unit raised StopIteration") if isinstance(error, StopIteration) else error
