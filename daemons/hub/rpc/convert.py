"""From the desk's values to messages, and the few conversions back that need care."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk.certs import Issued
from daemons.hub.keyring import Keyring
from mezite.api.generated import common_pb2, identity_pb2
from mezite.clock import from_us, to_us
from mezite.errors import Invalid

MOST_PER_PAGE: Final = 1_000
PAGE: Final = 200
FARTHEST: Final = 2**63 - 1


def us(moment: datetime | None) -> int:
    return to_us(moment) if moment else 0


def moment(microseconds: int) -> datetime | None:
    """None for 0; `Invalid` for what no calendar holds."""
    if microseconds == 0:
        return None
    try:
        return from_us(microseconds)
    except OverflowError:
        raise Invalid("a time is out of range") from None


def seconds(count: int) -> timedelta | None:
    """None for 0, which in messages means "not given"."""
    if count == 0:
        return None
    if not 0 < count <= 10**9:
        raise Invalid("a duration is out of range")
    return timedelta(seconds=count)


def place(number: int) -> int:
    """A place in the log, of a size that every database can compare; nothing stands beyond it."""
    return min(number, FARTHEST)


def limit(page: common_pb2.Page) -> int:
    return min(page.limit or PAGE, MOST_PER_PAGE)


def strings(values: Mapping[str, tuple[str, ...]]) -> dict[str, common_pb2.Strings]:
    return {key: common_pb2.Strings(values=list(texts)) for key, texts in values.items()}


def tuples(values: Mapping[str, common_pb2.Strings]) -> dict[str, tuple[str, ...]]:
    return {key: tuple(texts.values) for key, texts in values.items()}


def certificates(issued: Issued, keyring: Keyring) -> identity_pb2.Certificates:
    return identity_pb2.Certificates(
        ssh_certificate=issued.ssh_line,
        tls_certificate=issued.tls_pem,
        host_authorities=keyring.host_authorities,
        tls_authorities=keyring.tls_authorities_pem,
        expires_us=to_us(issued.identity.expires_at),
        user=issued.user.name,
        roles=[identity_pb2.RoleHeld(name=name) for name in issued.identity.roles],
        logins=issued.logins,
        cluster=keyring.cluster,
    )
