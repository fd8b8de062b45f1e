"""What both kinds of certificate say of their holder, as named values, and back. Parses no certificate.

Claims are read only after the signature over them held. A claim this version does not know is passed over
(rights come from the present state, so nothing hangs on it); a known one that does not read is no identity.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from mezite.errors import TooLarge
from mezite.model.identity import Identity, IdentityKind, Origin

MAX_CLAIM_BYTES: Final = 16 * 1024
"""Of each single claim. All together stay far below the 256 KiB that an SSH packet can hold."""


_encoded: Final = json.JSONEncoder(ensure_ascii=True, sort_keys=True, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Claims:
    """An identity, and the cluster that vouches for it."""

    identity: Identity
    cluster: str


def to_values(claims: Claims) -> dict[str, object]:
    """Every claim by its name, fit for JSON. Serial and end are the certificate's own fields, not claims."""
    who = claims.identity
    values: dict[str, object] = {
        "kind": who.kind.value,
        "id": who.id,
        "name": who.name,
        "cluster": claims.cluster,
        "issued": who.issued_at.isoformat(),
        "roles": list(who.roles),
        "traits": {name: list(texts) for name, texts in who.traits.items()},
        "requests": list(who.request_ids),
        "mfa": who.mfa,
        "origin": who.origin.value,
    }
    for name, value in values.items():
        if _size(value) > MAX_CLAIM_BYTES:
            raise TooLarge(
                f"the {name} of {who.name} do not fit in a certificate; give fewer or shorter ones"
            )
    return values


def from_values(values: Mapping[str, Any], *, serial: int, expires_at: datetime) -> Claims:
    """The claims behind `values`; `ValueError` when they are not what `to_values` gives."""
    try:
        identity = Identity(
            kind=IdentityKind(values["kind"]),
            id=_text(values["id"]),
            name=_text(values["name"]),
            serial=serial,
            issued_at=_moment(values["issued"]),
            expires_at=expires_at,
            roles=_texts(values["roles"]),
            traits={name: _texts(texts) for name, texts in _object(values["traits"]).items()},
            request_ids=_texts(values["requests"]),
            mfa=_flag(values["mfa"]),
            # The one claim that certificates of an earlier version may lack.
            origin=Origin(_text(values.get("origin", Origin.LOGIN))),
        )
        return Claims(identity, _text(values["cluster"]))
    except KeyError as missing:
        raise ValueError(f"no claim {missing.args[0]!a}") from None


def to_json(value: object) -> bytes:
    return _encoded(value).encode()


def from_json(text: bytes) -> Any:
    """The value in `text`; `ValueError` for anything too deep, too long or not JSON."""
    if len(text) > 8 * MAX_CLAIM_BYTES:
        raise ValueError("a claim beyond its bound")
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("a claim nested too deep") from None


def _size(value: object) -> int:
    return len(value.encode()) if isinstance(value, str) else len(to_json(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a claim that is not text")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError("a claim that is not a list")
    return tuple(_text(item) for item in value)


def _object(value: object) -> dict[str, object]:
    if not isinstance(value, dict):
        raise ValueError("a claim that is not an object")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("a claim that is neither true nor false")
    return value


def _moment(value: object) -> datetime:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is None:
        raise ValueError("a time without its zone")
    return moment
