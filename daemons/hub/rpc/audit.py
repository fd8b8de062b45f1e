"""The audit log over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from daemons.hub.desk import trail
from daemons.hub.desk.who import Caller
from daemons.hub.feed import Feed
from daemons.hub.rpc import convert
from daemons.hub.rpc.door import Door, stream, unary
from mezite.api.generated import audit_pb2, audit_pb2_grpc, common_pb2
from mezite.audit.chain import Head, Record
from mezite.audit.events import is_known_type
from mezite.audit.heads import format_head
from mezite.audit.verify import warnings
from mezite.errors import Invalid
from mezite.storage.ports import AuditFilter

PAGE = 100


@dataclass(slots=True)
class Audit(audit_pb2_grpc.AuditServicer):
    door: Door
    feed: Feed
    heads: trail.Heads

    @unary
    async def List(self, caller: Caller, request: audit_pb2.ListEventsRequest) -> audit_pb2.EventList:
        limit = min(request.limit or PAGE, trail.MOST_LISTED)
        which = _filter(request.filter)
        before = convert.place(request.before)
        rows = await trail.listed(self.door.desk, caller, which, before=before, limit=limit + 1)
        return audit_pb2.EventList(events=[_event(row) for row in rows[:limit]], more=len(rows) > limit)

    @stream
    async def Tail(
        self, caller: Caller, request: audit_pb2.TailEventsRequest
    ) -> AsyncGenerator[audit_pb2.Event, None]:
        after = convert.place(request.after) if request.after or request.from_start else None
        which = _filter(request.filter)
        async with aclosing(trail.followed(self.door.desk, self.feed, caller, which, after=after)) as rows:
            async for row in rows:
                yield _event(row)

    @stream
    async def Export(
        self, caller: Caller, request: audit_pb2.ExportEventsRequest
    ) -> AsyncGenerator[audit_pb2.Link, None]:
        after = convert.place(request.after)
        async with aclosing(trail.exported(self.door.desk, caller, after=after)) as lines:
            async for line in lines:
                match line:
                    case Record():
                        chained = audit_pb2.ChainedEvent(seq=line.seq, body=line.body, hash=line.hash)
                        yield audit_pb2.Link(event=chained)
                    case Head():
                        yield audit_pb2.Link(head=_head(line))

    @unary
    async def Verify(self, caller: Caller, request: audit_pb2.VerifyRequest) -> audit_pb2.Verdict:
        report = await trail.verified(self.door.desk, self.heads, caller, request.heads)
        return audit_pb2.Verdict(
            sound=report.sound,
            events=report.events,
            findings=[
                audit_pb2.Finding(kind=finding.kind.value, seq=finding.seq, what=finding.what)
                for finding in report.findings
            ],
            # A head over a log that is not sound would vouch for whoever changed it.
            head=_head(await self.heads.sign() if report.sound else None),
            warnings=warnings(report),
        )

    @unary
    async def Head(self, caller: Caller, request: common_pb2.Empty) -> audit_pb2.HeadText:
        return _head(await trail.current_head(self.door.desk, self.heads, caller))


def _filter(message: audit_pb2.EventFilter) -> AuditFilter:
    if len(message.types) > 100:
        raise Invalid("name at most 100 types of events")
    if unknown := [pattern for pattern in message.types if not is_known_type(pattern)]:
        # An empty table would say that nothing of the kind happened.
        raise Invalid(
            f"no type of event is {unknown[0][:80]!a}; write one as `mezctl audit ls` shows it, "
            "or its beginning and a *"
        )
    return AuditFilter(
        types=tuple(message.types),
        user=message.user,
        node=message.node,
        request_id=message.request_id,
        session_id=message.session_id,
        since=convert.moment(message.since_us),
        until=convert.moment(message.until_us),
    )


def _event(record: Record) -> audit_pb2.Event:
    return audit_pb2.Event(seq=record.seq, body=record.body)


def _head(head: Head | None) -> audit_pb2.HeadText:
    return audit_pb2.HeadText(text=format_head(head) if head else "")
