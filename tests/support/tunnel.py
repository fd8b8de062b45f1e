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
from mezite.api.tunnel.orders import (
    Answer,
    Ask,
    Asked,
    Cut,
    Data,
    Declined,
    Dial,
    Go,
    Granted,
    GrantInForce,
    Heard,
    Holding,
    Open,
    OtpWanted,
    Report,
    Rights,
    Told,
    Update,
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
CONNECTION = "5d8e0000-4b5a-4000-8000-00000000c0de"
RIGHTS = Rights(
    revision=3,
    user_id="8e0d0000-0000-4000-8000-000000000001",
    user="ana",
    serial=77,
    certificate_expires_us=2,
    client_ip="192.0.2.7",
    mfa=True,
    roles=('{"kind":"role"}',),
    logins=("ana", "root"),
    traits={"team": ("core",)},
    locked_logins=("oracle",),
    grants=(GrantInForce(request_id="req_1", roles=("dba",), seconds_left=59.5, nodes=("db-1",)),),
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
    Dial(connection_id=CONNECTION, token=bytes(range(32)), rights=RIGHTS),
    Data(connection_id=CONNECTION, token=bytes(range(32))),
    Go(),
    Declined(connection_id=CONNECTION, message="this node is full"),
    Update(connection_id=CONNECTION, rights=RIGHTS),
    Cut(connection_id=CONNECTION, message="the user was locked"),
    Holding(connection_ids=(CONNECTION,)),
    Ask(
        number=1,
        connection_id=CONNECTION,
        kind=Asked.FORWARD,
        what="direct",
        login="ana",
        host="db",
        address="10.0.0.7",
        port=5432,
    ),
    Answer(number=1, allowed=False, message="no role of yours forwards ports"),
    Report(
        number=4,
        time_us=5,
        connection_id=CONNECTION,
        kind=Told.FILE,
        session_id="5d8e0000-4b5a-4000-8000-00000000beef",
        login="ana",
        facts={"path": "/etc/motd", "bytes": 12, "whole": True},
    ),
    Heard(number=4),
    Open(node="web-1", login="ana", otp="123456"),
    OtpWanted(message="enter the code of your authenticator"),
    Granted(connection_id=CONNECTION, node="web-1", cluster="production", node_id="n", logins=("ana",)),
]

KEY = hashlib.sha256(b"the secret of a token").digest()
FACTS = {
    "offer": b'{"type":"join"}',
    "hub_nonce": bytes(32),
    "cluster": "production",
    "authorities": (b"authority one", b"authority two"),
    "server_certificate": b"certificate",
}
