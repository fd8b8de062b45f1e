"""Who and what the demo cluster is filled with: people, roles and nodes that make every feature reachable."""

from __future__ import annotations

import getpass
import secrets
from dataclasses import dataclass, field
from typing import Final

ROLES: Final = """
kind: role
metadata: {name: ssh-staging, description: Standing access to staging}
spec:
  allow:
    node_labels: {env: staging}
    logins: [ubuntu, "{{user.name}}", "@OSUSER@"]
  deny: {}
---
kind: role
metadata: {name: ssh-production, description: Production SSH access}
spec:
  allow:
    node_labels: {env: production}
    logins: [ubuntu, deploy, "@OSUSER@"]
  deny:
    node_labels: {sensitivity: high}
---
kind: role
metadata: {name: can-request-production, description: Can request temporary production SSH access}
spec:
  allow:
    request:
      roles: [ssh-production]
      max_duration: 4h
      reason_required: true
  deny: {}
---
kind: role
metadata: {name: can-approve-production, description: Can approve production SSH access requests}
spec:
  allow:
    review_requests:
      roles: [ssh-production]
  deny: {}
---
kind: role
version: v1
metadata: {name: ssh-sensitive, description: "Sensitive production nodes, watched live"}
spec:
  options:
    require_session_join:
      - name: require-auditor-observer
        filter: 'contains(user.roles, "auditor")'
        modes: [observer]
        count: 1
        on_leave: terminate
  allow:
    node_labels: {env: production, sensitivity: high}
    logins: [root, "@OSUSER@"]
"""


@dataclass(frozen=True, slots=True)
class Person:
    name: str
    roles: tuple[str, ...]
    logins: tuple[str, ...] = ()
    password: str = field(default_factory=lambda: secrets.token_hex(8))


@dataclass(frozen=True, slots=True)
class DemoNode:
    name: str
    labels: dict[str, str]


def roles() -> str:
    """The role documents, with logins for the OS user the demo's agents can serve."""
    return ROLES.replace("@OSUSER@", getpass.getuser())


def people() -> list[Person]:
    """A fresh password for each at every start: a demo on a shared machine is nobody else's."""
    return [
        Person("admin", ("admin",)),
        Person("alice", ("ssh-staging", "can-request-production"), ("ubuntu",)),
        Person("bob", ("ssh-staging", "can-request-production"), ("ubuntu",)),
        Person("charlie", ("ssh-staging", "ssh-production", "can-approve-production"), ("ubuntu",)),
        Person("olivia", ("auditor",)),
    ]


def nodes() -> list[DemoNode]:
    common = {"team": "platform", "os": "ubuntu"}
    return [
        DemoNode("web-server-01", {"env": "production", **common}),
        DemoNode("web-server-02", {"env": "production", **common}),
        DemoNode("staging-01", {"env": "staging", **common}),
        DemoNode("db-1", {"env": "production", "sensitivity": "high", "team": "data", "os": "ubuntu"}),
    ]
