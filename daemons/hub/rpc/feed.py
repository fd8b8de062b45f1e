"""The feed over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from daemons.hub.desk.watching import watched
from daemons.hub.desk.who import Caller
from daemons.hub.feed import Feed as Lines
from daemons.hub.feed import Here, Line, Reset
from daemons.hub.rpc.door import Door, stream
from mezite.api.generated import feed_pb2, feed_pb2_grpc
from mezite.clock import to_us
from mezite.errors import Invalid
from mezite.model.change import Change, ChangeKind


@dataclass(slots=True)
class Feed(feed_pb2_grpc.FeedServicer):
    door: Door
    feed: Lines

    @stream
    async def Watch(
        self, caller: Caller, request: feed_pb2.WatchRequest
    ) -> AsyncGenerator[feed_pb2.FeedLine, None]:
        kinds = [_kind(text) for text in request.kinds]
        async with aclosing(
            watched(self.door.desk, self.feed, caller, kinds, request.after or None)
        ) as lines:
            async for line in lines:
                yield _message(line)


def _kind(text: str) -> ChangeKind:
    try:
        return ChangeKind(text)
    except ValueError:
        raise Invalid(f"watch some of {', '.join(ChangeKind)}, not {text[:40]!a}") from None


def _message(line: Line) -> feed_pb2.FeedLine:
    match line:
        case Change():
            change = feed_pb2.Change(
                revision=line.revision,
                kind=line.kind.value,
                key=line.key,
                op=line.op.value,
                time_us=to_us(line.time),
            )
            return feed_pb2.FeedLine(change=change)
        case Reset():
            return feed_pb2.FeedLine(reset=feed_pb2.Reset(revision=line.revision))
        case Here():
            return feed_pb2.FeedLine(here=feed_pb2.Here(revision=line.revision))
