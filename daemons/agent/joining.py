"""The agent's side of a join. A hub that cannot prove that it knows the token is told nothing more.

1. The hub's proof comes first, over the very certificate it showed.
2. That certificate must come from one of the authorities which the proof covers.
3. If pins were given, that authority must be one of them.
4. Only then does the agent prove anything, and sign.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from daemons.agent.identity import Membership, NodeKeys, check_issued
from daemons.tunnel_line import TunnelLine
from mezite.api.tunnel.messages import Bye, Challenge, Join, Joined, Proof, Refused, check_version
from mezite.api.tunnel.proof import NONCE_BYTES, Prover, TokenText, binding, holds, prove, to_sign
from mezite.ca import tls_authority
from mezite.errors import Denied, Invalid, MeziteError, NotLoggedIn, Unavailable


@dataclass(frozen=True, slots=True)
class Wish:
    """As what this machine wants to join, and whom it will believe."""

    name: str
    labels: Mapping[str, str]
    version: str
    token: TokenText
    pins: tuple[str, ...] = ()


async def join(line: TunnelLine, wish: Wish, node_keys: NodeKeys, former: Membership | None) -> Membership:
    """Takes the talk to its end; raises, having said goodbye, when the hub or its answer is not to be had."""
    offer = Join(
        token_id=wish.token.id,
        nonce=secrets.token_bytes(NONCE_BYTES),
        name=wish.name,
        labels=dict(wish.labels),
        agent_version=wish.version,
        ssh_public_key=node_keys.host_line,
        tls_public_key=node_keys.tls_spki,
        former_certificate=former.certificate.public_bytes(Encoding.DER) if former is not None else b"",
    )
    payload = line.send(offer)
    challenge = await line.receive()
    if not isinstance(challenge, Challenge):
        raise ended(challenge)
    shown = line.tls.peer_certificate or b""
    bound = binding(
        offer=payload,
        hub_nonce=challenge.nonce,
        cluster=challenge.cluster,
        authorities=challenge.authorities,
        server_certificate=shown,
    )
    try:
        check_hub(challenge, wish, bound, shown)
    except MeziteError:
        line.close(Bye(reason="this hub did not prove itself"))
        raise
    line.send(
        Proof(proof=prove(Prover.AGENT, wish.token.key, bound), signature=node_keys.sign(to_sign(bound)))
    )
    answer = await line.receive()
    if not isinstance(answer, Joined):
        raise ended(answer)
    check_issued(answer.issued, node_keys, name=wish.name, cluster=challenge.cluster)
    return Membership(issued=answer.issued, token_id=wish.token.id, auth_addr=answer.auth_addr)


def check_hub(challenge: Challenge, wish: Wish, bound: bytes, shown: bytes) -> None:
    """Rules 1 to 3."""
    check_version(challenge.version)
    if not holds(Prover.HUB, wish.token.key, bound, challenge.proof):
        raise Denied(
            "the hub does not know this join token, or somebody stands in between; "
            "check MEZITE_PROXY_ADDR and MEZITE_JOIN_TOKEN",
            code="hub_unproven",
        )
    issuers = issuers_of(shown, challenge.authorities)
    if not issuers:
        raise Denied("the hub's certificate is not from the authority it names", code="hub_unproven")
    pins = {tls_authority.pin(authority) for authority in issuers}
    if wish.pins and pins.isdisjoint(wish.pins):
        raise Denied(
            f"the hub's authority has the pin {', '.join(sorted(pins))}, which is not in MEZITE_CA_PIN",
            code="wrong_pin",
        )


def issuers_of(certificate: bytes, authorities: Sequence[bytes]) -> list[x509.Certificate]:
    """Those of the authorities that signed this certificate."""
    found: list[x509.Certificate] = []
    try:
        leaf = x509.load_der_x509_certificate(certificate)
        for der in authorities:
            authority = x509.load_der_x509_certificate(der)
            try:
                leaf.verify_directly_issued_by(authority)
            except (InvalidSignature, TypeError, ValueError):
                continue
            found.append(authority)
    except ValueError:
        raise Invalid("the hub sent a certificate that does not parse", code="bad_message") from None
    return found


def ended(message: object) -> MeziteError:
    """What it means that the hub said its last word where another was due."""
    match message:
        case Refused(code="locked" | "not_logged_in" | "not_a_node" | "expired" as code, message=why):
            return NotLoggedIn(why, code=code)
        case Refused(code=code, message=why):
            return Denied(why, code=code)
        case _:
            return Unavailable("the hub is stopping", code="hub_left")
