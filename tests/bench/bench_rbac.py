"""What decisions cost: one user with ten roles against a thousand nodes."""

from __future__ import annotations

import time
from collections.abc import Callable

from mezite.model.role import AdminRule, Conditions, Role, Verb
from mezite.rbac.decide import admin, ssh
from mezite.rbac.document import parse_roles, to_yaml
from mezite.rbac.roleset import RoleSet
from mezite.rbac.subject import Subject

ROLES = 10
NODES = 1000
ROUNDS = 20

ALICE = Subject(
    "u1",
    "alice",
    logins=("alice", "ubuntu"),
    traits={"team": ("platform", "data")},
    roles=("role-0", "role-1"),
)


def a_role(index: int) -> Role:
    """Every kind of matching: plain, several values, glob, regular expression, templates, denials."""
    where = 'contains(user.traits.team, "platform") && !has_prefix(resource.name, "svc-")'
    return Role(
        f"role-{index}",
        allow=Conditions(
            node_labels={"env": (f"env-{index}", "^shared-[0-9]+$"), "team": ("platform", "dat*")},
            logins=("{{user.name}}", "{{user.logins}}", f"svc-{index}"),
            rules=(AdminRule(("users",), (Verb.LIST, Verb.READ), where),),
        ),
        deny=Conditions(node_labels={"sensitivity": ("high",)} if index == 0 else {}, logins=("root",)),
    )


def rate(what: str, decisions: int, run: Callable[[], object]) -> None:
    run()
    best = min(timed(run) for _ in range(ROUNDS))
    print(f"{what:<46} {decisions / best:>12,.0f} /s {best / decisions * 1e6:>9.2f} µs each")


def timed(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    roles = [a_role(index) for index in range(ROLES)]
    nodes = [
        {
            "env": f"env-{n % 20}" if n % 3 else f"shared-{n}",
            "team": ("platform", "data", "web")[n % 3],
            "os": "debian",
        }
        for n in range(NODES)
    ]
    compiled = RoleSet(ALICE, roles)
    seen = sum(map(compiled.sees, nodes))
    print(f"1 user, {ROLES} roles, {NODES} nodes of which {seen} are seen; best of {ROUNDS}")
    rate("compile the role set", 1, lambda: RoleSet(ALICE, roles))
    rate("is a node seen", NODES, lambda: [compiled.sees(labels) for labels in nodes])
    rate("logins for a node", NODES, lambda: [compiled.logins_for(labels) for labels in nodes])
    rate(
        "ssh, with every clause", NODES, lambda: [ssh(compiled, labels, "alice") for labels in nodes] and None
    )
    facts = {"resource.name": "bob"}
    rate(
        "admin, ten rules with predicates", 1, lambda: admin(ALICE, roles, "users", Verb.READ, facts) and None
    )
    text = to_yaml(roles)
    rate("read a role from YAML", ROLES, lambda: parse_roles(text))


if __name__ == "__main__":
    main()
