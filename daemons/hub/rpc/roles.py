"""Roles over gRPC: documents in, documents out."""

from __future__ import annotations

import json
from dataclasses import dataclass

from daemons.hub.desk import roles
from daemons.hub.desk.who import Caller
from daemons.hub.rpc import convert
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import common_pb2, roles_pb2, roles_pb2_grpc
from mezite.model.role import Role
from mezite.rbac.document import to_document


@dataclass(slots=True)
class Roles(roles_pb2_grpc.RolesServicer):
    door: Door

    @unary
    async def Put(self, caller: Caller, request: roles_pb2.PutRolesRequest) -> roles_pb2.RoleList:
        saved = await roles.put(self.door.desk, caller, request.text, replacing=request.replace)
        return roles_pb2.RoleList(roles=[_role(role) for role in saved])

    @unary
    async def Get(self, caller: Caller, request: roles_pb2.RoleName) -> roles_pb2.Role:
        return _role(await roles.get(self.door.desk, caller, request.name))

    @unary
    async def List(self, caller: Caller, request: common_pb2.Page) -> roles_pb2.RoleList:
        limit = convert.limit(request)
        rows = await roles.page(self.door.desk, caller, after=request.after, limit=limit + 1)
        return roles_pb2.RoleList(roles=[_role(role) for role in rows[:limit]], more=len(rows) > limit)

    @unary
    async def Delete(self, caller: Caller, request: roles_pb2.RoleName) -> common_pb2.Empty:
        await roles.delete(self.door.desk, caller, request.name)
        return common_pb2.Empty()


def _role(role: Role) -> roles_pb2.Role:
    return roles_pb2.Role(
        name=role.name,
        description=role.description,
        document=json.dumps(to_document(role)),
        builtin=role.builtin,
        revision=role.revision,
    )
