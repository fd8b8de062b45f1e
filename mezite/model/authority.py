"""The keys the cluster signs with, as stored: public openly, private sealed."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class AuthorityKind(StrEnum):
    USER = "user"
    """Signs SSH certificates of people."""
    HOST = "host"
    """Signs SSH certificates of nodes."""
    TLS = "tls"
    """Signs X.509: the hub's own, nodes' and clients'. Its public key is what a CA pin names."""
    AUDIT = "audit"
    """Signs heads of the audit chain."""


@dataclass(frozen=True, slots=True)
class Authority:
    id: str
    kind: AuthorityKind
    public: bytes
    """User, host, audit: raw Ed25519. TLS: the self-signed certificate, DER."""
    sealed_private: bytes = field(repr=False)
    created_at: datetime
    revision: int = 0
