"""The cluster at a glance, over gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import mezite
from daemons.hub.desk import status
from daemons.hub.desk.who import Caller
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import common_pb2, status_pb2, status_pb2_grpc
from mezite.audit.heads import format_head
from mezite.clock import to_us


@dataclass(slots=True)
class Status(status_pb2_grpc.StatusServicer):
    door: Door
    started_at: datetime
    database: str

    @unary
    async def Get(self, caller: Caller, request: common_pb2.Empty) -> status_pb2.ClusterStatus:
        desk = self.door.desk
        seen = await status.get(desk, caller)
        return status_pb2.ClusterStatus(
            cluster=desk.cluster,
            version=mezite.__version__,
            hub_id=desk.hub_id,
            started_us=to_us(self.started_at),
            now_us=to_us(seen.now),
            users=seen.users,
            roles=seen.roles,
            nodes=seen.nodes,
            nodes_online=seen.nodes_online,
            locks=seen.locks,
            audit_events=seen.head.seq if seen.head else 0,
            audit_head=format_head(seen.head) if seen.head else "",
            ca_pin=desk.keyring.ca_pin,
            hubs=seen.hubs,
            database=self.database,
        )
