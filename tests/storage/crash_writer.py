"""A hub reduced to its store: eight callers write units until killed, and say on stdout which were kept.

Run as `python -X mezite-failpoint=… -m tests.storage.crash_writer DIRECTORY FIRST`. A unit leaves five traces
(two users, two events, a line in the feed), of which after a crash there must be all or none.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sys

from mezite.clock import SystemClock
from mezite.model.change import ChangeKind
from mezite.storage.ports import Writing
from mezite.storage.sqlite import open_sqlite
from tests.support.stores import event, user

CALLERS = 8


def unit_of(number: int) -> object:
    def unit(writing: Writing) -> None:
        for half in (number * 2, number * 2 + 1):
            writing.users.insert(user(half, id=f"user_{half}", name=f"name{half}"))
            writing.record(event(half, details={"unit": number}))
        writing.changed(ChangeKind.USER, str(number))

    return unit


async def main(directory: str, first: int) -> None:
    numbers = itertools.count(first)
    async with open_sqlite(directory, SystemClock()) as store:
        os.write(1, b"ready\n")

        async def caller() -> None:
            for number in numbers:
                await store.write(unit_of(number))  # type: ignore[arg-type]
                os.write(1, b"%d\n" % number)

        async with asyncio.TaskGroup() as tasks:
            for _ in range(CALLERS):
                tasks.create_task(caller())


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
