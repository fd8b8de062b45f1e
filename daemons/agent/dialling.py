"""Connections to the hub's tunnel port, from this side only: an agent never listens."""

from __future__ import annotations

import asyncio
import ssl

from daemons.agent.identity import Membership, NodeKeys
from daemons.tls_lines import TlsLine, client_context, new_inbox
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.talk import End
from mezite.config import Address
from mezite.errors import MeziteError, Unavailable


async def to_join(address: Address) -> TunnelLine:
    """A private connection to somebody: who it is, the join proof finds out."""
    return await _dialled(address, client_context(None), None)


async def as_node(address: Address, membership: Membership, node_keys: NodeKeys) -> TunnelLine:
    """A connection to a hub of this cluster, as this node."""
    issued = membership.issued
    context = client_context(
        issued.tls_authorities.encode(), key=node_keys.tls_pem, chain=issued.tls_certificate.encode()
    )
    return await _dialled(address, context, membership.hub_name)


async def _dialled(address: Address, context: ssl.SSLContext, server_name: str | None) -> TunnelLine:
    loop = asyncio.get_running_loop()
    inbox = new_inbox()
    try:
        _, tls = await loop.create_connection(
            lambda: TlsLine(context, inbox, server_name=server_name), address.host, address.port
        )
    except OSError as error:
        why = error.strerror or str(error) or "no answer"
        raise Unavailable(f"cannot reach the hub at {address}: {why}", code="unreachable") from None
    try:
        await tls.handshake()
    except (MeziteError, asyncio.CancelledError):
        tls.abort()
        raise
    return TunnelLine(tls, End.AGENT, End.HUB)
