"""What the `where` of an administrative rule may know of the thing in question. docs/roles.md lists the same.

Of what is not there only the name that was asked for is known, so a `where` about names answers alike whether
the thing exists or not.
"""

from __future__ import annotations

from mezite.model.lock import Lock
from mezite.model.node import JoinToken, Node
from mezite.model.user import User
from mezite.predicate.kinds import Fact
from mezite.storage.ports import Reading


def of_name(name: str) -> dict[str, Fact]:
    """Of a role, and of anything that is not there."""
    return {"resource.name": name}


def of_user(tx: Reading, user: User) -> dict[str, Fact]:
    owner = tx.users.get(user.owner_id) if user.owner_id else None
    return {
        "resource.name": user.name,
        "resource.owner": owner.name if owner else "",
        "resource.roles": user.roles,
    }


def of_node(node: Node) -> dict[str, Fact]:
    labels = {f"resource.labels.{key}": value for key, value in node.labels.items()}
    return {"resource.name": node.name, "resource.node": node.name, **labels}


def of_lock(lock: Lock) -> dict[str, Fact]:
    """The name is that of who or what is locked, the owner whoever made the lock."""
    return {"resource.name": lock.name, "resource.owner": lock.created_by}


def of_token(token: JoinToken) -> dict[str, Fact]:
    labels = {f"resource.labels.{key}": value for key, value in token.labels.items()}
    return {
        "resource.name": token.id,
        "resource.owner": token.created_by,
        "resource.roles": token.roles,
        "resource.node": token.node_name or "",
        **labels,
    }
