"""Locks over gRPC."""

from __future__ import annotations

from dataclasses import dataclass

from daemons.hub.desk import locks
from daemons.hub.desk.who import Caller
from daemons.hub.rpc import convert
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import common_pb2, locks_pb2, locks_pb2_grpc
from mezite.clock import to_us
from mezite.errors import Invalid
from mezite.model.lock import Lock, LockTarget


@dataclass(slots=True)
class Locks(locks_pb2_grpc.LocksServicer):
    door: Door

    @unary
    async def Create(self, caller: Caller, request: locks_pb2.CreateLockRequest) -> locks_pb2.Lock:
        try:
            target = LockTarget(request.target)
        except ValueError:
            raise Invalid(f"lock one of {', '.join(LockTarget)}, not {request.target[:40]!a}") from None
        ttl = convert.seconds(request.ttl_s)
        desk = self.door.desk
        return _lock(
            await locks.create(desk, caller, target, request.name, message=request.message, ttl=ttl),
            in_force=True,
        )

    @unary
    async def List(self, caller: Caller, request: common_pb2.Page) -> locks_pb2.LockList:
        limit = convert.limit(request)
        rows = await locks.page(self.door.desk, caller, after=request.after, limit=limit + 1)
        return locks_pb2.LockList(
            locks=[_lock(lock, in_force=in_force) for lock, in_force in rows[:limit]], more=len(rows) > limit
        )

    @unary
    async def Delete(self, caller: Caller, request: locks_pb2.LockId) -> common_pb2.Empty:
        await locks.delete(self.door.desk, caller, request.id)
        return common_pb2.Empty()


def _lock(lock: Lock, *, in_force: bool) -> locks_pb2.Lock:
    return locks_pb2.Lock(
        id=lock.id,
        target=lock.target.value,
        name=lock.name,
        message=lock.message,
        created_by=lock.created_by,
        created_us=to_us(lock.created_at),
        expires_us=convert.us(lock.expires_at),
        in_force=in_force,
    )
