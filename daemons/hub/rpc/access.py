"""Explanations over gRPC."""

from __future__ import annotations

from dataclasses import dataclass

from daemons.hub.desk import access
from daemons.hub.desk.who import Caller
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import access_pb2, access_pb2_grpc
from mezite.errors import Invalid


@dataclass(slots=True)
class Access(access_pb2_grpc.AccessServicer):
    door: Door

    @unary
    async def Explain(self, caller: Caller, request: access_pb2.ExplainRequest) -> access_pb2.Explanation:
        if request.action != "ssh":
            raise Invalid(f"{request.action[:40]!a} cannot be explained; ask about ssh")
        decision = await access.explain_ssh(
            self.door.desk,
            caller,
            user_name=request.user,
            login=request.login,
            node_name=request.node,
            as_if_roles=request.as_if_roles,
        )
        return access_pb2.Explanation(
            allowed=bool(decision),
            clauses=[
                access_pb2.Clause(
                    role=clause.role, rule=clause.rule, verdict=clause.verdict.value, reason=clause.reason
                )
                for clause in decision.clauses
            ],
            decided_by=decision.summary,
        )
