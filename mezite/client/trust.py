"""Which authority of a hub a client agrees to. Pure: PEM and pins in, PEM out.

1. A CA pin is the SHA-256 of the public key (SubjectPublicKeyInfo) of a TLS authority: `sha256:HEX`.
2. What a hub says of itself before it is trusted is only worth comparing. A hub is believed for the
   authorities whose pins were named or agreed to; others that it offers beside them are dropped, so that
   nobody can slip one in.
3. Several pins may be named, since an authority that is being replaced has two for a while. One must match.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

from mezite.errors import CallerError

MAX_AUTHORITIES: Final = 8


@dataclass(frozen=True, slots=True)
class Authority:
    """One TLS authority as offered."""

    pin: str
    pem: str = field(repr=False)


def authorities(pem: str) -> tuple[Authority, ...]:
    """The authorities in a PEM bundle; raises `untrusted` when there is none, or something else."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    from mezite.ca.tls_authority import pin

    try:
        certificates = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        raise untrusted("the hub names no authority that can be read") from None
    if len(certificates) > MAX_AUTHORITIES:
        raise untrusted(f"the hub names {len(certificates)} authorities; {MAX_AUTHORITIES} is the most")
    return tuple(
        Authority(pin(certificate), certificate.public_bytes(Encoding.PEM).decode())
        for certificate in certificates
    )


def agreed(offered: Collection[Authority], pins: Collection[str]) -> str:
    """PEM of those offered authorities whose pin is among `pins`; raises `untrusted` when none is."""
    kept = [authority.pem for authority in offered if authority.pin in pins]
    if not kept:
        shown = ", ".join(authority.pin for authority in offered)
        wanted = ", ".join(pins)
        raise untrusted(
            f"the hub's CA pin is {shown}, not {wanted}; either the pin given is old or this is not your hub"
        )
    return "".join(kept)


def untrusted(message: str) -> CallerError:
    """The refusal to go on with a hub that does not prove what it should."""
    return CallerError(message, code="untrusted_hub")
