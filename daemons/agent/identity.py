"""Who this node is: its keys, and what the cluster issued for them. Pure; where they lie is `store`.

The keys are made once and stay: the host key so that nothing else about the host changes when a certificate
does, the TLS key so that the node can show that it is the one it was, also after its certificate ran out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mezite.api.tunnel.messages import Issued
from mezite.ca import keys, ssh_keys, tls_certs
from mezite.clock import from_us
from mezite.errors import Damaged, Invalid, MeziteError


@dataclass(frozen=True, slots=True)
class NodeKeys:
    host: Ed25519PrivateKey = field(repr=False)
    tls: ec.EllipticCurvePrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> NodeKeys:
        return cls(Ed25519PrivateKey.generate(), keys.new_leaf_key())

    @property
    def host_line(self) -> str:
        return ssh_keys.public_line(self.host.public_key())

    @property
    def tls_spki(self) -> bytes:
        return self.tls.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def tls_pem(self) -> bytes:
        """In the clear: for a TLS context or a file of mode 0600."""
        return keys.private_pem(self.tls)

    @property
    def host_pem(self) -> bytes:
        """As OpenSSH keeps a host key."""
        return self.host.private_bytes(
            Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )

    def sign(self, message: bytes) -> bytes:
        """By the TLS key."""
        return self.tls.sign(message, ec.ECDSA(hashes.SHA256()))


class Membership(msgspec.Struct, frozen=True):
    """What the cluster gave to this node, kept and replaced as one."""

    issued: Issued
    token_id: str
    """The token it joined with, which is not used again while it holds."""
    auth_addr: str = ""
    version: int = 1

    @property
    def expires_at(self) -> datetime:
        return from_us(self.issued.expires_us)

    @property
    def certificate(self) -> x509.Certificate:
        return tls_certs.parse(self.issued.tls_certificate.encode())

    @property
    def hub_name(self) -> str:
        return tls_certs.hub_name(self.issued.cluster)

    def renewal_at(self, jitter: float) -> datetime:
        """Two thirds through its life, `jitter` of it (-0.05 to 0.05) sooner or later."""
        issued_at = from_us(self.issued.issued_us)
        life: timedelta = self.expires_at - issued_at
        return issued_at + life * (2 / 3 + jitter)


def encode(membership: Membership) -> bytes:
    return msgspec.json.format(msgspec.json.encode(membership), indent=1)


def decode(text: bytes) -> Membership:
    """Raises `Damaged`; says nothing of the contents."""
    try:
        membership = msgspec.json.decode(text, type=Membership)
        _ = membership.certificate, membership.expires_at
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError, MeziteError):
        raise Damaged("it is not what this agent wrote there") from None
    return membership


def check_issued(issued: Issued, node_keys: NodeKeys, *, name: str, cluster: str) -> None:
    """A hub that mixes nodes up must not get this one to hold another's certificates."""
    certificate = tls_certs.parse(issued.tls_certificate.encode())
    if (
        certificate.public_key() != node_keys.tls.public_key()
        or issued.name != name
        or issued.cluster != cluster
    ):
        raise Invalid("the hub sent certificates that are not for this node", code="wrong_certificates")
