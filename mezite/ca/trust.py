"""When a certificate is believed. The rules, and the words for each way to break one; no I/O, no clock.

A certificate, SSH or X.509, is believed at one moment `now` when all of this holds, judged in this order:

1. It is of bounded size and parses whole, with nothing left over, in the one canonical encoding.
2. It is of the kind that is wanted: a user's where a user is wanted, a host's where a host is.
3. The key that signed it is one of the cluster's present authorities of that kind.
4. The signature holds.
5. `now` is inside its validity; the end itself is outside. Clocks get no allowance here: issuing backdates.
6. It carries no critical option and no critical extension that is not understood and enforced.
7. It names this cluster and one holder in full. A user certificate names at least one principal, since one
   without would be good for every login.

What its holder may do is another question, asked of the present state.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Final

from mezite.errors import Invalid, NotLoggedIn
from mezite.model.identity import Identity

BACKDATED: Final = timedelta(seconds=60)
"""How far behind the hub's clock a machine may be and still take a certificate that was just issued."""
MAX_LIFETIME: Final = timedelta(hours=24)
"""Of everything that stands for a person or a node."""


class Flaw(Enum):
    """(code for programs, words for people)."""

    MALFORMED = ("cert_malformed", "the certificate cannot be read")
    WRONG_KIND = ("cert_wrong_kind", "the certificate is of another kind than is wanted here")
    UNTRUSTED = ("cert_untrusted", "the certificate is not from this cluster's authority")
    FORGED = ("cert_forged", "the certificate's signature does not hold")
    NOT_YET = ("cert_not_yet", "the certificate is not valid yet; set the clocks right")
    EXPIRED = ("cert_expired", "the certificate has run out; get a fresh one with: msh login")
    CRITICAL = ("cert_critical", "the certificate demands something that is not known here")
    NAMELESS = ("cert_nameless", "the certificate does not say in full whose it is")
    FOREIGN = ("cert_foreign", "the certificate is for another cluster")
    OTHER_NAME = ("cert_other_name", "the certificate is for another host")

    def __init__(self, code: str, words: str) -> None:
        self.code = code
        self.words = words


def flawed(flaw: Flaw) -> NotLoggedIn:
    """The refusal to raise; its `code` is the flaw's."""
    return NotLoggedIn(flaw.words, code=flaw.code)


def check_validity(begins: datetime, ends: datetime, now: datetime) -> None:
    if now < begins:
        raise flawed(Flaw.NOT_YET)
    if now >= ends:
        raise flawed(Flaw.EXPIRED)


def lifetime(identity: Identity, *, longest: timedelta = MAX_LIFETIME) -> tuple[datetime, datetime]:
    """First and last moment of a certificate, in whole seconds; it never outlasts its identity."""
    begins = identity.issued_at.astimezone(UTC).replace(microsecond=0) - BACKDATED
    ends = identity.expires_at.astimezone(UTC).replace(microsecond=0)
    if ends <= identity.issued_at:
        raise Invalid("a certificate must last a second or more")
    if identity.expires_at - identity.issued_at > longest:
        raise Invalid(f"a certificate may last {longest} at most; ask for less")
    return begins, ends


def check_serial(serial: int) -> int:
    """The same serial stands in both kinds of certificate, so it must fit both: 63 bits, above zero."""
    if not 0 < serial < 2**63:
        raise Invalid("a serial number is a positive integer of at most 63 bits")
    return serial
