"""Named places where a test may kill the process, to prove that a crash there loses and doubles nothing.

A point is armed by an option of the interpreter, `-X mezite-failpoint=NAME[:N]` (die at the Nth time), which
only whoever writes the command line can give: no environment that a service inherits can trip one.
Unarmed, `reach` is an empty function.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Callable
from typing import Final, Literal

Point = Literal["store.unit-done", "store.before-commit", "store.after-commit", "store.after-told"]

POINTS: Final[tuple[Point, ...]] = (
    "store.unit-done",
    "store.before-commit",
    "store.after-commit",
    "store.after-told",
)


def _pass(point: Point) -> None:
    """Nothing is armed."""


def armed(option: str | bool | None) -> Callable[[Point], None]:
    """What `reach` does under this value of the option."""
    if not isinstance(option, str):
        return _pass
    name, _, nth = option.partition(":")
    times, deadly = itertools.count(1), int(nth or 1)

    def die_here(point: Point) -> None:
        if point == name and next(times) == deadly:
            os.kill(os.getpid(), signal.SIGKILL)

    return die_here


reach: Final = armed(sys._xoptions.get("mezite-failpoint"))
