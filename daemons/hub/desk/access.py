"""Who can reach what, and why. `mezite.rbac.decide` decides; here it is asked for one user and node."""

from __future__ import annotations

from collections.abc import Sequence

from daemons.hub.desk import roles, users
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.who import Caller, Standing, lock_on, roles_named, subject_of
from mezite import ids
from mezite.errors import NotFound
from mezite.model.lock import LockTarget
from mezite.model.role import Verb
from mezite.rbac.decide import SshDecision, ssh
from mezite.rbac.roleset import RoleSet
from mezite.storage.ports import Reading


async def explain_ssh(
    desk: Desk, caller: Caller, *, user_name: str, login: str, node_name: str, as_if_roles: Sequence[str]
) -> SshDecision:
    """The decision with every clause. About others only for who may read users, roles and nodes."""
    ids.login(login)

    def query(tx: Reading, who: Standing) -> SshDecision:
        oneself = who.user is not None and who.user.name == user_name
        if not oneself or as_if_roles:
            for resource in ("users", "roles", "nodes"):
                who.require(resource, Verb.READ)
        user = users.named(tx, user_name)
        node = tx.nodes.one(name=node_name) or tx.nodes.get(node_name)
        extra = [roles.named(tx, name).name for name in as_if_roles if name not in user.roles]
        held = roles_named(tx, (*user.roles, *extra))
        role_set = RoleSet(subject_of(user, held), held)
        if node is None or (oneself and not who.may("nodes", Verb.LIST) and not role_set.sees(node.labels)):
            raise NotFound(f"no node {node_name[:80]!a} that {user_name} may see; `msh ls` lists those")
        targets = [(LockTarget.USER, user.id), (LockTarget.NODE, node.id), (LockTarget.LOGIN, login)]
        targets += [(LockTarget.ROLE, role.name) for role in held]
        lock = lock_on(tx, who.now, targets)
        decision = ssh(role_set, node.labels, login)
        return decision.barred(f"lock on {lock.target} {lock.name}") if lock else decision

    return await desk.look(caller, query)
