"""Errors on the wire, both ways: what a refusal looks like in a gRPC status or HTTP answer, and back again.

The numbers themselves are in `mezite.errors`; here is only the shape they travel in. Status names are text
(`grpc.StatusCode[...]` is one look-up away), so that a client which speaks only HTTPS never loads gRPC.

1. `code` decides the class when it is one class's own word; a refined code falls back to its status.
2. What went wrong inside us is told to nobody: an `OurFault` leaves as one constant sentence.
3. A message is one line of bounded length; whoever prints it still treats it as text from outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from mezite.errors import (
    CallerError,
    Conflict,
    Denied,
    Exists,
    Gone,
    Invalid,
    MeziteError,
    NotFound,
    NotLoggedIn,
    OurFault,
    SettingsError,
    Stale,
    Throttled,
    TooLarge,
    Unavailable,
    family,
)

CODE_KEY: Final = "mezite-code"
"""Trailing metadata that carries `MeziteError.code`."""
MAX_MESSAGE_CHARS: Final = 2_000
MAX_CODE_CHARS: Final = 64

_INTERNAL: Final = "something went wrong inside the hub; its log says what"


@dataclass(frozen=True, slots=True)
class Answer:
    """A refusal, ready to be sent: `status` names a `grpc.StatusCode`."""

    status: str
    http: int
    code: str
    message: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        return ((CODE_KEY, self.code),)


def answer(error: MeziteError) -> Answer:
    """What a caller is told of `error`."""
    if isinstance(error, OurFault):
        return Answer(OurFault.wire.grpc, OurFault.wire.http, OurFault.default_code, _INTERNAL)
    wire = type(error).wire
    return Answer(wire.grpc, wire.http, error.code[:MAX_CODE_CHARS], one_line(error.message))


def one_line(text: str) -> str:
    """`text` as one bounded line; what cannot be encoded is replaced, so that a refusal always arrives."""
    line = "; ".join(part.strip() for part in text.splitlines() if part.strip())
    line = line.encode("utf-8", "replace").decode("utf-8")
    return line if len(line) <= MAX_MESSAGE_CHARS else line[: MAX_MESSAGE_CHARS - 1] + "…"


def from_grpc(status: str, message: str, code: str = "") -> MeziteError:
    """The error behind a gRPC status; `code` is empty when the answer did not come from a hub's own code."""
    kind = _BY_CODE.get(code)
    if kind is None or kind.wire.grpc != status:
        kind = _BY_STATUS.get(status, OurFault)
    return _rebuilt(kind, message, code)


def from_http(status: int, message: str, code: str = "") -> MeziteError:
    """The error behind an HTTP answer that was no success."""
    kind = _BY_CODE.get(code)
    if kind is None or kind.wire.http != status:
        kind = _BY_HTTP.get(status) or (Unavailable if status >= 500 else CallerError)
    return _rebuilt(kind, message, code)


def _rebuilt(kind: type[MeziteError], message: str, code: str) -> MeziteError:
    return kind(one_line(message) or "the hub gave no reason", code=code[:MAX_CODE_CHARS] or None)


_BY_CODE: Final = {
    kind.default_code: kind for kind in reversed(family()) if not issubclass(kind, SettingsError)
}
"""Reversed, so that of several classes with one word the one nearest the root wins."""

_BY_STATUS: Final[dict[str, type[MeziteError]]] = {
    "INVALID_ARGUMENT": Invalid,
    "OUT_OF_RANGE": TooLarge,
    "UNAUTHENTICATED": NotLoggedIn,
    "PERMISSION_DENIED": Denied,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": Exists,
    "FAILED_PRECONDITION": Conflict,
    "ABORTED": Stale,
    "RESOURCE_EXHAUSTED": Throttled,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": Unavailable,
    "CANCELLED": Unavailable,
    "UNIMPLEMENTED": CallerError,
}
"""The most general class of each status; what is missing (INTERNAL, UNKNOWN, ...) is a fault of ours."""

_BY_HTTP: Final[dict[int, type[MeziteError]]] = {
    400: CallerError,
    401: NotLoggedIn,
    403: Denied,
    404: NotFound,
    409: Conflict,
    410: Gone,
    413: TooLarge,
    422: Invalid,
    429: Throttled,
    500: OurFault,
    503: Unavailable,
}
