"""Roles from their documents and back. A text is accepted whole or refused with every fault it has.

Several documents may stand in one text (`---`, or a list). A document is `kind: role`, `version: v1` or none,
`metadata` with `name` and `description`, and `spec` with `options`, `allow` and `deny`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import yaml

from mezite import ids
from mezite.errors import Invalid
from mezite.model.role import Conditions, Options, Role
from mezite.rbac.fields import Spot, Text, mapping, shape
from mezite.rbac.loading import Plain, load_documents
from mezite.rbac.schema import ALLOW, DENY, OPTIONS
from mezite.rbac.values import DESCRIPTION

KIND: Final = "role"
VERSION: Final = "v1"
FAULTS_SHOWN: Final = 25

_DUMPER: Final = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
_NAME: Final = Text(ids.role_name)


def parse_roles(text: str) -> list[Role]:
    """The roles of a YAML or JSON text, in its order. `Invalid` carries one line for each fault."""
    documents = load_documents(text)
    if not documents:
        raise Invalid("there is no role in it; a document begins with kind: role", code="invalid_role")
    roles: list[Role] = []
    faults: list[str] = []
    for number, document in enumerate(documents, 1):
        spot = Spot()
        role = _read(document, spot)
        if role is not None and role.name in {other.name for other in roles}:
            spot.key("metadata").key("name").refuse(f"{role.name} is in this text twice; keep one")
        label = f"document {number}: " if len(documents) > 1 else ""
        faults.extend(label + fault for fault in spot.faults)
        if role is not None:
            roles.append(role)
    if faults:
        raise Invalid(_lines(faults), code="invalid_role")
    return roles


def to_document(role: Role) -> dict[str, Plain]:
    """What the role says, and no more, as the mapping that `parse_roles` reads back as the same role."""
    metadata: dict[str, Plain] = {"name": role.name}
    if role.description:
        metadata["description"] = role.description
    sides = {
        "options": OPTIONS.write(role.options),
        "allow": ALLOW.write(role.allow),
        "deny": DENY.write(role.deny),
    }
    spec: dict[str, Plain] = {key: side for key, side in sides.items() if side}
    return {"kind": KIND, "version": VERSION, "metadata": metadata, "spec": spec}


def to_yaml(roles: Iterable[Role]) -> str:
    """The roles as one YAML text."""
    text: str = yaml.dump_all(
        [to_document(role) for role in roles],
        Dumper=_DUMPER,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=False,
        explicit_start=True,
    )
    return text


def _read(document: Plain, spot: Spot) -> Role | None:
    top = mapping(document, ("kind", "version", "metadata", "spec"), spot)
    if not isinstance(document, dict):
        return None
    _require_word(top, "kind", KIND, spot)
    if "version" in top:
        _require_word(top, "version", VERSION, spot)
    metadata = mapping(top.get("metadata"), ("name", "description"), spot.key("metadata"))
    spec = mapping(top.get("spec"), ("options", "allow", "deny"), spot.key("spec"))
    if "name" not in metadata:
        spot.key("metadata").key("name").refuse("is required")
    if "spec" not in top:
        spot.key("spec").refuse("is required")
    name = _NAME.read(metadata["name"], spot.key("metadata").key("name")) if "name" in metadata else None
    role = Role(
        name=name or "",
        description=_description(metadata, spot.key("metadata")),
        options=OPTIONS.read(spec.get("options"), spot.key("spec").key("options")) or Options(),
        allow=ALLOW.read(spec.get("allow"), spot.key("spec").key("allow")) or Conditions(),
        deny=DENY.read(spec.get("deny"), spot.key("spec").key("deny")) or Conditions(),
    )
    # Placeholders above stand only where a fault is noted, and a faulty role leaves here as none.
    return None if spot.faults else role


def _description(metadata: dict[str, Plain], spot: Spot) -> str:
    if "description" not in metadata:
        return ""
    return DESCRIPTION.read(metadata["description"], spot.key("description")) or ""


def _require_word(top: dict[str, Plain], key: str, word: str, spot: Spot) -> None:
    if top.get(key) != word:
        spot.key(key).refuse(f"is {shape(top.get(key))}; write {key}: {word}")


def _lines(faults: list[str]) -> str:
    more = len(faults) - FAULTS_SHOWN
    return "\n".join(faults[:FAULTS_SHOWN] + ([f"and {more} more"] if more > 0 else []))
