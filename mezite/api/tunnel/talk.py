"""Who may say what, and when. Both ends keep a `Talk` and pass everything through it, sent and received.

    agent                          hub

    Join            ->                        the id of a token, a name, keys
                    <-  Challenge             the hub proves that it knows the token
    Proof           ->                        so does the agent
                    <-  Joined                certificates; the connection ends

    Hello           ->                        under a node's certificate
                    <-  Welcome               the control line stands
                    <-  Ping
    Pong            ->
    Renew           ->
                    <-  Renewed

While the control line stands:
                    <-  Dial, Update, Cut     a user's connection: open it, its rights, its end
    Declined        ->                        no, and why
    Holding         ->                        the connections that are open here
    Ask             ->
                    <-  Answer
    Report          ->
                    <-  Heard

    Data            ->                        first on a connection of its own
                    <-  Go                    TLS ends; the rest is the user's SSH

    client                         hub        the quick way, on 3023

    Open            ->                        under a user's certificate
                    <-  OtpWanted             a second factor first; `Open` again, with it
                    <-  Granted               TLS ends; the rest is the user's SSH

At any point the hub may refuse and either end may leave. An end that says what does not belong raises
`IllegalStep` at its own side before a byte leaves, and at the other side if it did anyway; a step that
raises changes nothing.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from mezite.api.tunnel.messages import (
    AnyMessage,
    Bye,
    Challenge,
    Hello,
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
    Cut,
    Data,
    Declined,
    Dial,
    Go,
    Granted,
    Heard,
    Holding,
    Open,
    OtpWanted,
    Report,
    Update,
)
from mezite.errors import IllegalStep


class End(Enum):
    AGENT = auto()
    CLIENT = auto()
    HUB = auto()


class State(Enum):
    FRESH = auto()
    OFFERED = auto()
    CHALLENGED = auto()
    PROVEN = auto()
    GREETED = auto()
    OPEN = auto()
    RENEWING = auto()
    CALLED = auto()
    ASKED = auto()
    DEMANDED = auto()
    ENDED = auto()


Step = tuple[State, End, type[AnyMessage]]

STEPS: Final[dict[Step, State]] = {
    (State.FRESH, End.AGENT, Join): State.OFFERED,
    (State.OFFERED, End.HUB, Challenge): State.CHALLENGED,
    (State.CHALLENGED, End.AGENT, Proof): State.PROVEN,
    (State.PROVEN, End.HUB, Joined): State.ENDED,
    #
    (State.FRESH, End.AGENT, Hello): State.GREETED,
    (State.GREETED, End.HUB, Welcome): State.OPEN,
    (State.OPEN, End.HUB, Ping): State.OPEN,
    (State.OPEN, End.AGENT, Pong): State.OPEN,
    (State.OPEN, End.AGENT, Renew): State.RENEWING,
    # The line stays alive while certificates are made; a second order before the first is done is too many.
    (State.RENEWING, End.HUB, Ping): State.RENEWING,
    (State.RENEWING, End.AGENT, Pong): State.RENEWING,
    (State.RENEWING, End.HUB, Renewed): State.OPEN,
    #
    **{
        (state, end, order): state
        for state in (State.OPEN, State.RENEWING)
        for end, orders in (
            (End.HUB, (Dial, Update, Cut, Answer, Heard)),
            (End.AGENT, (Declined, Holding, Ask, Report)),
        )
        for order in orders
    },
    #
    (State.FRESH, End.AGENT, Data): State.CALLED,
    (State.CALLED, End.HUB, Go): State.ENDED,
    #
    (State.FRESH, End.CLIENT, Open): State.ASKED,
    (State.ASKED, End.HUB, OtpWanted): State.DEMANDED,
    (State.DEMANDED, End.CLIENT, Open): State.ASKED,
    (State.ASKED, End.HUB, Granted): State.ENDED,
    #
    **{(state, End.HUB, Refused): State.ENDED for state in State if state is not State.ENDED},
    **{(state, end, Bye): State.ENDED for state in State if state is not State.ENDED for end in End},
}


class Talk:
    """The conversation on one connection, as one end follows it."""

    __slots__ = ("me", "peer", "state")

    def __init__(self, me: End, peer: End) -> None:
        self.me = me
        self.peer = peer
        self.state = State.FRESH

    def say(self, message: AnyMessage) -> None:
        """Before sending `message`."""
        self._step(self.me, message)

    def hear(self, message: AnyMessage) -> None:
        """After receiving `message`."""
        self._step(self.peer, message)

    @property
    def ended(self) -> bool:
        return self.state is State.ENDED

    def _step(self, end: End, message: AnyMessage) -> None:
        try:
            self.state = STEPS[self.state, end, type(message)]
        except KeyError:
            said = type(message).__name__.lower()
            raise IllegalStep(
                f"the {end.name.lower()} said {said!r} where the tunnel protocol does not allow it",
                code="out_of_turn",
            ) from None
