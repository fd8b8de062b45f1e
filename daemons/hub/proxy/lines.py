"""The control lines that nodes hold at this hub, and which of them leads to a node.

1. A line is held from before the node's standing is judged, so that a lock created meanwhile finds it.
2. Of two lines of one node the later one leads there; the earlier is told so and closed.
3. Silence for `silence_s`, a certificate that ran out, a lock and a removal each end a line.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from daemons.hub.desk.who import Caller
from daemons.tunnel_line import TunnelLine
from mezite.api import status
from mezite.api.tunnel.messages import Bye, Ping, Refused, sentence
from mezite.errors import Conflict, MeziteError, NotLoggedIn, Unavailable

KEEPALIVE_S: Final = 10.0
SILENCE_S: Final = 25.0
"""Less than the 30 s within which a dead node must be seen to be offline."""


@dataclass(slots=True, eq=False)
class ControlLine:
    id: str
    caller: Caller
    """Whose certificate is in force on the line: renewing replaces it."""
    line: TunnelLine
    since: datetime
    heard_at: float
    pinged_at: float
    pings: int = 0
    is_open: bool = False

    @property
    def node_id(self) -> str:
        return self.caller.identity.id

    def refuse(self, refusal: MeziteError) -> None:
        """Says why, and ends the line."""
        self.line.close(refused(refusal))

    def leave(self, reason: str) -> None:
        self.line.close(Bye(reason=reason))

    def beat(self, now: datetime, at: float, *, keepalive_s: float, silence_s: float) -> None:
        """What is due at this moment: the end of a line that is dead or has no right left, or a ping."""
        if at - self.heard_at >= silence_s:
            self.refuse(Unavailable("nothing was heard from the node", code="silent"))
        elif now >= self.caller.identity.expires_at:
            self.refuse(
                NotLoggedIn("the node's certificate has run out; join again with a token", code="expired")
            )
        elif at - self.pinged_at >= keepalive_s:
            self.pinged_at = at
            self.pings += 1
            self.line.send(Ping(number=self.pings))


class Lines:
    def __init__(self) -> None:
        self._held: dict[str, ControlLine] = {}
        self._leading: dict[str, ControlLine] = {}

    def __len__(self) -> int:
        return len(self._leading)

    def __iter__(self) -> Iterator[ControlLine]:
        return iter(tuple(self._held.values()))

    def hold(self, line: ControlLine) -> None:
        self._held[line.id] = line

    def open(self, line: ControlLine) -> None:
        """From here on the line leads to its node."""
        line.is_open = True
        earlier = self._leading.get(line.node_id)
        self._leading[line.node_id] = line
        if earlier is not None:
            earlier.refuse(
                Conflict("this node came on another line, which counts from here on", code="superseded")
            )

    def drop(self, line: ControlLine) -> None:
        """The line is over. Dropping twice is dropping once."""
        self._held.pop(line.id, None)
        if self._leading.get(line.node_id) is line:
            del self._leading[line.node_id]

    def to(self, node_id: str) -> ControlLine | None:
        """The line that leads to this node."""
        return self._leading.get(node_id)

    @property
    def leading(self) -> Iterator[ControlLine]:
        return iter(tuple(self._leading.values()))

    def beat(self, now: datetime, at: float, *, keepalive_s: float, silence_s: float) -> None:
        for line in self._leading.copy().values():
            line.beat(now, at, keepalive_s=keepalive_s, silence_s=silence_s)


def refused(refusal: MeziteError) -> Refused:
    """A refusal as it goes over the wire: what went wrong inside the hub stays inside."""
    answer = status.answer(refusal)
    return Refused(code=answer.code, message=sentence(answer.message))
