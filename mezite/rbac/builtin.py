"""The roles every cluster has from its first start. The desk lets nobody change or delete them.

None of them opens more than its word says: `admin` administers and reviews but reaches no node, `access`
reaches every node but only as oneself.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from mezite.model.role import AdminRule, Conditions, JoinMode, JoinRule, ReviewRule, Role, Verb

_EVERY: Final = ("*",)

_ADMIN: Final = Role(
    name="admin",
    description="Administers the cluster, sees all sessions, reviews every request; reaches no node",
    allow=Conditions(
        rules=(AdminRule(resources=_EVERY, verbs=tuple(Verb)),),
        review_requests=ReviewRule(roles=_EVERY),
    ),
    builtin=True,
)

_AUDITOR: Final = Role(
    name="auditor",
    description="Reads everything, plays recordings and watches sessions; changes nothing",
    allow=Conditions(
        rules=(AdminRule(resources=_EVERY, verbs=(Verb.LIST, Verb.READ)),),
        join_sessions=(JoinRule(roles=_EVERY, modes=(JoinMode.OBSERVER, JoinMode.WATCH)),),
    ),
    builtin=True,
)

_ACCESS: Final = Role(
    name="access",
    description="Reaches every node, logged in under one's own user name",
    allow=Conditions(node_labels={"*": _EVERY}, logins=("{{user.name}}",)),
    builtin=True,
)

_REVIEWER: Final = Role(
    name="reviewer",
    description="Reviews requests for any role",
    allow=Conditions(
        rules=(AdminRule(resources=("access_requests",), verbs=(Verb.LIST, Verb.READ)),),
        review_requests=ReviewRule(roles=_EVERY),
    ),
    builtin=True,
)

BUILTIN: Final[Mapping[str, Role]] = MappingProxyType(
    {role.name: role for role in (_ACCESS, _ADMIN, _AUDITOR, _REVIEWER)}
)
