"""Nodes and join tokens over gRPC."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from daemons.hub.desk import nodes, tokens
from daemons.hub.desk.who import Caller
from daemons.hub.rpc import convert
from daemons.hub.rpc.door import Door, unary
from mezite.api.generated import common_pb2, nodes_pb2, nodes_pb2_grpc
from mezite.clock import to_us
from mezite.model.node import JoinToken

DEFAULT_TTL: Final = timedelta(hours=1)


@dataclass(slots=True)
class Nodes(nodes_pb2_grpc.NodesServicer):
    door: Door

    @unary
    async def List(self, caller: Caller, request: nodes_pb2.ListNodesRequest) -> nodes_pb2.NodeList:
        limit = convert.limit(request.page)
        rows = await nodes.page(
            self.door.desk,
            caller,
            labels=dict(request.filter),
            after=request.page.after,
            limit=limit + 1,
            everything=request.all,
        )
        return nodes_pb2.NodeList(nodes=[_node(row) for row in rows[:limit]], more=len(rows) > limit)

    @unary
    async def Get(self, caller: Caller, request: nodes_pb2.NodeName) -> nodes_pb2.Node:
        return _node(await nodes.get(self.door.desk, caller, request.name))

    @unary
    async def Remove(self, caller: Caller, request: nodes_pb2.NodeName) -> common_pb2.Empty:
        await nodes.remove(self.door.desk, caller, request.name)
        return common_pb2.Empty()


@dataclass(slots=True)
class Tokens(nodes_pb2_grpc.TokensServicer):
    door: Door

    @unary
    async def Create(self, caller: Caller, request: nodes_pb2.CreateTokenRequest) -> nodes_pb2.TokenSecret:
        token, secret = await tokens.create(
            self.door.desk,
            caller,
            roles=tuple(request.roles),
            ttl=convert.seconds(request.ttl_s) or DEFAULT_TTL,
            uses=request.uses or 1,
            node=request.node or None,
            labels=dict(request.labels),
        )
        return nodes_pb2.TokenSecret(token=_token(token), secret=secret)

    @unary
    async def List(self, caller: Caller, request: common_pb2.Page) -> nodes_pb2.TokenList:
        limit = convert.limit(request)
        rows = await tokens.page(self.door.desk, caller, after=request.after, limit=limit + 1)
        return nodes_pb2.TokenList(tokens=[_token(row) for row in rows[:limit]], more=len(rows) > limit)

    @unary
    async def Delete(self, caller: Caller, request: nodes_pb2.TokenId) -> common_pb2.Empty:
        await tokens.delete(self.door.desk, caller, request.id)
        return common_pb2.Empty()


def _node(view: nodes.NodeView) -> nodes_pb2.Node:
    return nodes_pb2.Node(
        id=view.node.id,
        name=view.node.name,
        role=view.node.role,
        status=view.status.value,
        labels=view.node.labels,
        version=view.node.version,
        joined_us=to_us(view.node.joined_at),
        addr=view.address,
        logins=view.logins,
    )


def _token(token: JoinToken) -> nodes_pb2.Token:
    return nodes_pb2.Token(
        id=token.id,
        roles=token.roles,
        created_us=to_us(token.created_at),
        expires_us=to_us(token.expires_at),
        uses_left=token.uses_left or 0,
        created_by=token.created_by,
        node=token.node_name or "",
        labels=token.labels,
    )
