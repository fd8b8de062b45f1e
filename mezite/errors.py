"""The one exception tree, and its one mapping to the four worlds outside.

Whoever refuses something raises one of these; whoever owns a wire turns it into that wire's answer by
`error.wire`. Nobody else knows a status number. `code` is a stable word for programs, the message one
line for people: what is wrong, then what to do. A message never holds a secret and never tells a caller
more than the caller may know; the audit log is where the whole truth goes.

    MeziteError
    ├── CallerError             the request itself is at fault; sending it again changes nothing
    │   ├── Invalid             a value that cannot be accepted
    │   │   └── TooLarge        a value over its bound
    │   ├── NotLoggedIn         no identity, or one that has run out
    │   │   └── OtpRequired     the first factor held, the second is missing
    │   ├── Denied              a known identity that may not
    │   ├── NotFound            nothing there that this caller may see
    │   └── Conflict            the present state does not allow it
    │       ├── Exists          the name is taken
    │       ├── IllegalStep     no such transition from this state
    │       ├── Stale           somebody else changed it first
    │       └── Gone            it was there, once, and can be had no more
    ├── Throttled               too often; wait
    ├── Unavailable             a part of us cannot be reached; trying again may help
    ├── SettingsError           the configuration is at fault; lists all faults at once
    └── OurFault                a bug or damaged data; never shown in detail to a caller
        └── Damaged             stored data that does not add up
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Wire:
    """How one kind of error looks in each world: gRPC status, HTTP status, SSH reason, exit code."""

    grpc: str
    http: int
    ssh: int
    exit: int


SSH_PROHIBITED = 1
"""RFC 4254 5.1: SSH_OPEN_ADMINISTRATIVELY_PROHIBITED."""
SSH_CONNECT_FAILED = 2
SSH_RESOURCE_SHORTAGE = 4

EXIT_OK = 0
EXIT_FAILURE = 1
EXIT_USAGE = 2
EXIT_NOT_LOGGED_IN = 3
EXIT_DENIED = 4
EXIT_NOT_FOUND = 5
EXIT_UNAVAILABLE = 6


class MeziteError(Exception):
    """Root of the tree; `code` refines the class for programs and defaults to the class's own word."""

    wire: ClassVar[Wire] = Wire("INTERNAL", 500, SSH_CONNECT_FAILED, EXIT_FAILURE)
    default_code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, code: str | None = None, evidence: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.code = code or self.default_code
        self.evidence = evidence
        """What the audit log may know and the caller may not: why a denial was one."""

    def __str__(self) -> str:
        return self.message


class CallerError(MeziteError):
    wire = Wire("FAILED_PRECONDITION", 400, SSH_PROHIBITED, EXIT_FAILURE)
    default_code = "refused"


class Invalid(CallerError):
    wire = Wire("INVALID_ARGUMENT", 422, SSH_PROHIBITED, EXIT_USAGE)
    default_code = "invalid"


class TooLarge(Invalid):
    wire = Wire("OUT_OF_RANGE", 413, SSH_PROHIBITED, EXIT_USAGE)
    default_code = "too_large"


class NotLoggedIn(CallerError):
    wire = Wire("UNAUTHENTICATED", 401, SSH_PROHIBITED, EXIT_NOT_LOGGED_IN)
    default_code = "not_logged_in"


class OtpRequired(NotLoggedIn):
    default_code = "otp_required"


class Denied(CallerError):
    wire = Wire("PERMISSION_DENIED", 403, SSH_PROHIBITED, EXIT_DENIED)
    default_code = "denied"


class NotFound(CallerError):
    wire = Wire("NOT_FOUND", 404, SSH_CONNECT_FAILED, EXIT_NOT_FOUND)
    default_code = "not_found"


class Conflict(CallerError):
    wire = Wire("FAILED_PRECONDITION", 409, SSH_PROHIBITED, EXIT_FAILURE)
    default_code = "conflict"


class Exists(Conflict):
    wire = Wire("ALREADY_EXISTS", 409, SSH_PROHIBITED, EXIT_FAILURE)
    default_code = "exists"


class IllegalStep(Conflict):
    default_code = "illegal_step"


class Stale(Conflict):
    wire = Wire("ABORTED", 409, SSH_PROHIBITED, EXIT_FAILURE)
    default_code = "stale"


class Gone(Conflict):
    wire = Wire("FAILED_PRECONDITION", 410, SSH_PROHIBITED, EXIT_FAILURE)
    default_code = "gone"


class Throttled(MeziteError):
    wire = Wire("RESOURCE_EXHAUSTED", 429, SSH_RESOURCE_SHORTAGE, EXIT_UNAVAILABLE)
    default_code = "throttled"


class Unavailable(MeziteError):
    wire = Wire("UNAVAILABLE", 503, SSH_CONNECT_FAILED, EXIT_UNAVAILABLE)
    default_code = "unavailable"


class SettingsError(MeziteError):
    """Carries every fault found, one line each, so that a person mends them in one go."""

    wire = Wire("FAILED_PRECONDITION", 500, SSH_CONNECT_FAILED, EXIT_USAGE)
    default_code = "settings"

    def __init__(self, faults: Iterable[str]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n".join(self.faults))


class OurFault(MeziteError):
    default_code = "internal"


class Damaged(OurFault):
    default_code = "damaged"


def family(root: type[MeziteError] = MeziteError) -> tuple[type[MeziteError], ...]:
    """Every class of the tree below and including `root`, parents first."""
    return (root, *(kind for child in root.__subclasses__() for kind in family(child)))
