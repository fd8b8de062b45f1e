"""The hub's side of a join: its proof first, then the agent's, then the desk decides."""

from __future__ import annotations

import secrets

from cryptography.hazmat.primitives.serialization import Encoding

from daemons.hub.desk import joins
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.joins import Bid
from daemons.hub.desk.node_certs import NodeCertificates
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.messages import Challenge, Issued, Join, Joined, Proof, check_version
from mezite.api.tunnel.proof import NONCE_BYTES, Prover, binding, prove
from mezite.clock import to_us
from mezite.errors import Unavailable
from mezite.model.authority import AuthorityKind


async def join(
    desk: Desk, line: TunnelLine, offer: Join, payload: bytes, *, server_certificate: bytes, auth_addr: str
) -> NodeCertificates:
    """Takes the talk from the offer to its end. What is raised is for whoever holds the line to say."""
    check_version(offer.version)
    key = await joins.key_of(desk, offer.token_id)
    nonce = secrets.token_bytes(NONCE_BYTES)
    authorities = tuple(authority.public_bytes(Encoding.DER) for authority in desk.keyring.tls_authorities)
    bound = binding(
        offer=payload,
        hub_nonce=nonce,
        cluster=desk.cluster,
        authorities=authorities,
        server_certificate=server_certificate,
    )
    line.send(
        Challenge(
            nonce=nonce, cluster=desk.cluster, authorities=authorities, proof=prove(Prover.HUB, key, bound)
        )
    )
    proof = await line.receive()
    if not isinstance(proof, Proof):
        raise Unavailable("the agent left", code="line_lost")
    issued = await joins.admit(desk, Bid(offer, bound, key, line.tls.peer_host), proof)
    line.send(Joined(issued=told(desk, issued), auth_addr=auth_addr))
    return issued


def told(desk: Desk, issued: NodeCertificates) -> Issued:
    """Certificates and trust, as a node is given them."""
    identity, keyring = issued.identity, desk.keyring
    return Issued(
        node_id=identity.id,
        name=identity.name,
        cluster=desk.cluster,
        ssh_certificate=issued.ssh_line,
        tls_certificate=issued.tls_pem,
        issued_us=to_us(identity.issued_at),
        expires_us=to_us(identity.expires_at),
        tls_authorities=keyring.tls_authorities_pem,
        user_authorities=(keyring.public_line(AuthorityKind.USER),),
        host_authorities=keyring.host_authorities,
    )
