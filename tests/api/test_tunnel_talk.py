"""The conversation as screenplays: each line says who speaks, what, and where that leads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.api.tunnel.messages import (
    AnyMessage,
    Bye,
    Challenge,
    Hello,
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
    Heard,
    Holding,
    Open,
    OtpWanted,
    Report,
    Told,
    Update,
)
from mezite.api.tunnel.talk import STEPS, End, State, Talk
from mezite.errors import IllegalStep
from tests.support.tunnel import CONNECTION, EVERY, ISSUED, JOIN, RIGHTS

CHALLENGE = Challenge(nonce=bytes(32), cluster="c", authorities=(b"der",), proof=bytes(32))
PROOF = Proof(proof=bytes(32), signature=b"s")
JOINED = Joined(issued=ISSUED)
HELLO = Hello(agent_version="1", labels={})
WELCOME = Welcome(hub_id="h", hub_version="1", line_id="l", keepalive_s=10)
RENEW = Renew(ssh_public_key="k")
NO = Refused(code="no", message="no")
DATA = Data(connection_id=CONNECTION, token=bytes(32))
OPEN = Open(node="web-1")
GRANTED = Granted(connection_id=CONNECTION, node="web-1", cluster="c", node_id="n")
A, C, H = End.AGENT, End.CLIENT, End.HUB

ORDERS: list[tuple[End, AnyMessage]] = [
    (A, Holding(connection_ids=())),
    (H, Dial(connection_id=CONNECTION, token=bytes(32), rights=RIGHTS)),
    (A, Declined(connection_id=CONNECTION, message="no")),
    (H, Update(connection_id=CONNECTION, rights=RIGHTS)),
    (A, Ask(number=1, connection_id=CONNECTION, kind=Asked.SESSION, what="shell", login="root")),
    (H, Answer(number=1, allowed=True)),
    (A, Report(number=1, time_us=1, connection_id=CONNECTION, kind=Told.SESSION_END)),
    (H, Heard(number=1)),
    (H, Cut(connection_id=CONNECTION, message="locked")),
]

Line = tuple[End, AnyMessage, State]


class Play:
    """Both ends at once: what one says the other hears."""

    def __init__(self, caller: End) -> None:
        self.caller, self.hub = Talk(caller, H), Talk(H, caller)

    def speak(self, end: End, message: AnyMessage) -> State:
        speaker, listener = (self.hub, self.caller) if end is H else (self.caller, self.hub)
        speaker.say(message)
        listener.hear(message)
        assert self.caller.state is self.hub.state
        return self.hub.state


SCREENPLAYS: dict[str, list[Line]] = {
    "a node joins": [
        (A, JOIN, State.OFFERED),
        (H, CHALLENGE, State.CHALLENGED),
        (A, PROOF, State.PROVEN),
        (H, JOINED, State.ENDED),
    ],
    "a join is refused at the end": [
        (A, JOIN, State.OFFERED),
        (H, CHALLENGE, State.CHALLENGED),
        (A, PROOF, State.PROVEN),
        (H, NO, State.ENDED),
    ],
    "an agent meets a hub that cannot prove itself": [
        (A, JOIN, State.OFFERED),
        (H, CHALLENGE, State.CHALLENGED),
        (A, Bye(reason="no proof"), State.ENDED),
    ],
    "a line lives, renews and is left": [
        (A, HELLO, State.GREETED),
        (H, WELCOME, State.OPEN),
        (H, Ping(number=1), State.OPEN),
        (A, Pong(number=1), State.OPEN),
        (A, RENEW, State.RENEWING),
        (H, Ping(number=2), State.RENEWING),
        (A, Pong(number=2), State.RENEWING),
        (H, Renewed(issued=ISSUED), State.OPEN),
        (A, Bye(), State.ENDED),
    ],
    "a locked node says hello": [(A, HELLO, State.GREETED), (H, NO, State.ENDED)],
    "a hub stops": [(A, HELLO, State.GREETED), (H, WELCOME, State.OPEN), (H, Bye(), State.ENDED)],
    "users come and go over a line": [
        (A, HELLO, State.GREETED),
        (H, WELCOME, State.OPEN),
        *((end, message, State.OPEN) for end, message in ORDERS),
        (A, RENEW, State.RENEWING),
        *((end, message, State.RENEWING) for end, message in ORDERS),
        (H, Renewed(issued=ISSUED), State.OPEN),
    ],
    "a node opens the connection it was asked for": [(A, DATA, State.CALLED), (H, Go(), State.ENDED)],
    "a node says a token that is none": [(A, DATA, State.CALLED), (H, NO, State.ENDED)],
    "a user is let through": [(C, OPEN, State.ASKED), (H, GRANTED, State.ENDED)],
    "a user proves a second factor at the second try": [
        (C, OPEN, State.ASKED),
        (H, OtpWanted(message="code"), State.DEMANDED),
        (C, OPEN, State.ASKED),
        (H, OtpWanted(message="no, once more"), State.DEMANDED),
        (C, OPEN, State.ASKED),
        (H, GRANTED, State.ENDED),
    ],
    "a user gives up": [
        (C, OPEN, State.ASKED),
        (H, OtpWanted(message="code"), State.DEMANDED),
        (C, Bye(), State.ENDED),
    ],
}


@pytest.mark.parametrize("lines", SCREENPLAYS.values(), ids=SCREENPLAYS.keys())
def test_screenplay(lines: list[Line]) -> None:
    play = Play(lines[0][0])
    for end, message, then in lines:
        assert play.speak(end, message) is then


def test_the_screenplays_walk_every_line_of_the_table_but_early_endings() -> None:
    walked = set()
    for lines in SCREENPLAYS.values():
        state = State.FRESH
        for end, message, then in lines:
            walked.add((state, end, type(message)))
            state = then
    assert {step for step in STEPS if step[2] not in (Bye, Refused)} <= walked


@given(
    caller=st.sampled_from([A, C]),
    steps=st.lists(st.tuples(st.booleans(), st.sampled_from(EVERY)), max_size=12),
)
def test_a_step_outside_the_table_raises_and_changes_nothing(
    caller: End, steps: list[tuple[bool, AnyMessage]]
) -> None:
    hub = Talk(H, caller)
    for is_hub, message in steps:
        end = H if is_hub else caller
        before = hub.state
        act = hub.say if end is End.HUB else hub.hear
        if (before, end, type(message)) in STEPS:
            act(message)
            assert hub.state is STEPS[before, end, type(message)]
        else:
            with pytest.raises(IllegalStep):
                act(message)
            assert hub.state is before


def test_nothing_follows_the_end() -> None:
    assert not [step for step in STEPS if step[0] is State.ENDED]


def test_every_state_can_be_reached() -> None:
    assert {State.FRESH, *STEPS.values()} == set(State)


def test_a_node_without_certificates_cannot_slip_from_a_join_into_a_control_line() -> None:
    talk = Talk(H, A)
    talk.hear(JOIN)
    with pytest.raises(IllegalStep) as refusal:
        talk.hear(HELLO)
    assert refusal.value.code == "out_of_turn"


@pytest.mark.parametrize("message", [HELLO, JOIN, DATA], ids=lambda message: type(message).__name__)
def test_at_the_clients_door_nobody_is_a_node(message: AnyMessage) -> None:
    with pytest.raises(IllegalStep):
        Talk(H, C).hear(message)


def test_at_the_nodes_door_nobody_is_a_client() -> None:
    with pytest.raises(IllegalStep):
        Talk(H, A).hear(OPEN)
