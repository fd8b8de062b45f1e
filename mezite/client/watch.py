"""The feed of changes, for programs that stay: it resumes by itself where it broke off.

1. What is said here says only that something changed; the watcher reads the thing itself.
2. After a break the feed goes on after the last revision seen: nothing is missed, nothing comes twice. When
   the hub no longer keeps that place it says `Reset`, and the watcher reads everything again.
3. `Lost` and `Resumed` are told, so that a screen can say that it is stale. A hub that is away is waited for,
   with growing pauses, for ever; a refusal (logged out, locked) ends the watch with that error.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Final

from mezite.api.generated import feed_pb2
from mezite.client.methods import FEED_WATCH
from mezite.client.profile import Pass
from mezite.client.streams import streamed
from mezite.errors import Throttled, Unavailable

FIRST_PAUSE_S: Final = 0.2
LONGEST_PAUSE_S: Final = 15.0


@dataclass(frozen=True, slots=True)
class Changed:
    revision: int
    kind: str
    key: str
    op: str


@dataclass(frozen=True, slots=True)
class Reset:
    """Read everything again, then go on from `revision`."""

    revision: int


@dataclass(frozen=True, slots=True)
class UpToDate:
    """There is nothing more at this moment."""

    revision: int


@dataclass(frozen=True, slots=True)
class Lost:
    """The hub is away; what is on the screen may be old."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """The hub is back."""


News = Changed | Reset | UpToDate | Lost | Resumed
Lines = Callable[[int], AsyncIterator[feed_pb2.FeedLine]]
"""Opens the feed after a revision; raises errors of ours."""


def pause_s(failures: int, chance: float) -> float:
    """The wait after so many failures in a row; `chance`, in [0, 1), spreads callers over half of it."""
    longest: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(failures - 1, 16))
    return longest * (0.5 + chance / 2)


async def watch(
    lines: Lines,
    *,
    after: int = 0,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    chance: Callable[[], float] = random.random,
) -> AsyncGenerator[News, None]:
    """What changes, until the hub refuses. `after` is the last revision seen; 0: only what is to come."""
    seen, failures = after, 0
    while True:
        try:
            async for line in lines(seen):
                news = _news(line)
                if failures:
                    yield Resumed()
                    if seen == 0 and isinstance(news, UpToDate):
                        # Place 0 cannot be asked for: what came during the break may have been passed over.
                        news = Reset(news.revision)
                    failures = 0
                if news is None or (isinstance(news, Changed) and news.revision <= seen):
                    continue
                seen = news.revision
                yield news
            reason = "the hub ended the feed"
        except (Unavailable, Throttled) as error:
            reason = error.message
        failures += 1
        if failures == 1:
            yield Lost(reason)
        await sleep(pause_s(failures, chance()))


def lines_of(who: Callable[[], Pass], kinds: Sequence[str] = ()) -> Lines:
    """Opens the feed at the hub. `who` is asked at every opening, since a login is renewed meanwhile."""

    async def opened(after: int) -> AsyncIterator[feed_pb2.FeedLine]:
        question = feed_pb2.WatchRequest(kinds=kinds, after=after)
        async with aclosing(streamed(who(), FEED_WATCH, question)) as answers:
            async for line in answers:
                yield line

    return opened


def _news(line: feed_pb2.FeedLine) -> Changed | Reset | UpToDate | None:
    match line.WhichOneof("line"):
        case "change":
            change = line.change
            return Changed(change.revision, change.kind, change.key, change.op)
        case "reset":
            return Reset(line.reset.revision)
        case "here":
            return UpToDate(line.here.revision)
        case _:
            return None  # of a later version
