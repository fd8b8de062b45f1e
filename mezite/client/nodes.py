"""Nodes as this user sees them, asked of the hub; and which login is meant where none is named."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from mezite.api.generated.common_pb2 import Page
from mezite.api.generated.nodes_pb2 import ListNodesRequest, Node, NodeName
from mezite.client.hub import PAGE, Hub
from mezite.client.methods import NODES_GET, NODES_LIST
from mezite.client.profile import Pass
from mezite.errors import Denied, Invalid

ONLINE = "online"


def visible(who: Pass, labels: Mapping[str, str]) -> list[Node]:
    """Every node this user may reach that has all these labels, by name."""
    found: list[Node] = []
    with Hub(who) as hub:
        more = True
        while more:
            page = Page(after=found[-1].id if found else "", limit=PAGE)
            answer = hub.call(NODES_LIST, ListNodesRequest(filter=labels, page=page))
            found += answer.nodes
            more = answer.more and bool(answer.nodes)
    return sorted(found, key=lambda node: node.name)


def one(who: Pass, name: str) -> Node:
    """By name or id; raises what the hub says of it otherwise."""
    with Hub(who) as hub:
        return hub.call(NODES_GET, NodeName(name=name))


def usual_login(allowed: Collection[str], os_user: str, user: str) -> str | None:
    """The only login there is, else that of the OS user here, else the user's own name; None when unclear."""
    if len(allowed) == 1:
        return next(iter(allowed))
    return next((login for login in (os_user, user) if login in allowed), None)


def login_at(node: Node, os_user: str, user: str) -> str:
    """The usual login at `node`; raises and lists them when it is unclear."""
    login = usual_login(node.logins, os_user, user)
    if login is not None:
        return login
    if not node.logins:
        raise Denied(f"your roles allow no login at {node.name}; `msh status` shows them")
    raise Invalid(
        f"which login? at {node.name} you may be {', '.join(sorted(node.logins))}; "
        f"say LOGIN@{node.name} or --login=LOGIN"
    )
