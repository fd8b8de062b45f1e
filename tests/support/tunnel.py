"""One of each message of the tunnel protocol, and the facts that its published vectors are about."""

from __future__ import annotations

import hashlib

from mezite.api.tunnel.messages import (
    AnyMessage,
    Bye,
    Challenge,
    Hello,
    Issued,
    Join,
    Joined,
    Ping,
    Pong,
    Proof,
    Refused,
    Renew,
    Renewed,
    Welcome,
)

ISSUED = Issued(
    node_id="4b5a6d8e-0000-4000-8000-000000000001",
    name="web-1",
    cluster="production",
    ssh_certificate="ssh-ed25519-cert-v01@openssh.com AAAA",
    tls_certificate="-----BEGIN CERTIFICATE-----\n",
    issued_us=1,
    expires_us=2,
    tls_authorities="-----BEGIN CERTIFICATE-----\n",
    user_authorities=("ssh-ed25519 AAAA",),
    host_authorities=("ssh-ed25519 AAAB",),
)
JOIN = Join(
    token_id="tok_a1b2c3d4e5f6",
    nonce=bytes(range(32)),
    name="web-1",
    labels={"env": "production"},
    agent_version="0.1.0",
    ssh_public_key="ssh-ed25519 AAAA",
    tls_public_key=b"spki",
)
EVERY: list[AnyMessage] = [
    JOIN,
    Challenge(nonce=bytes(32), cluster="production", authorities=(b"der",), proof=bytes(32)),
    Proof(proof=bytes(32), signature=b"sig"),
    Joined(issued=ISSUED, auth_addr=":3025"),
    Hello(agent_version="0.1.0", labels={}),
    Welcome(hub_id="hub_1", hub_version="0.1.0", line_id="line_1", keepalive_s=10),
    Ping(number=7),
    Pong(number=7),
    Renew(ssh_public_key="ssh-ed25519 AAAA"),
    Renewed(issued=ISSUED),
    Refused(code="locked", message="this node is locked; ask an administrator"),
    Bye(reason="the hub is stopping"),
]

KEY = hashlib.sha256(b"the secret of a token").digest()
FACTS = {
    "offer": b'{"type":"join"}',
    "hub_nonce": bytes(32),
    "cluster": "production",
    "authorities": (b"authority one", b"authority two"),
    "server_certificate": b"certificate",
}
