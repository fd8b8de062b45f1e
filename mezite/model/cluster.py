"""The cluster itself: what its data says of it, so that settings cannot quietly make it another."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Cluster:
    name: str
    created_at: datetime
    seal_salt: bytes
    """Of the passphrase that seals the authorities' keys. Not a secret."""
    revision: int = 0
