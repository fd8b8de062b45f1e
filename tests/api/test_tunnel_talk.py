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
from mezite.api.tunnel.talk import STEPS, End, State, Talk
from mezite.errors import IllegalStep
from tests.support.tunnel import EVERY, ISSUED, JOIN

CHALLENGE = Challenge(nonce=bytes(32), cluster="c", authorities=(b"der",), proof=bytes(32))
PROOF = Proof(proof=bytes(32), signature=b"s")
JOINED = Joined(issued=ISSUED)
HELLO = Hello(agent_version="1", labels={})
WELCOME = Welcome(hub_id="h", hub_version="1", line_id="l", keepalive_s=10)
RENEW = Renew(ssh_public_key="k")
NO = Refused(code="no", message="no")
A, H = End.AGENT, End.HUB

Line = tuple[End, AnyMessage, State]


class Play:
    """Both ends at once: what one says the other hears."""

    def __init__(self) -> None:
        self.ends = {End.AGENT: Talk(End.AGENT), End.HUB: Talk(End.HUB)}

    def speak(self, end: End, message: AnyMessage) -> State:
        self.ends[end].say(message)
        self.ends[end.other].hear(message)
        assert self.ends[A].state is self.ends[H].state
        return self.ends[end].state


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
}


@pytest.mark.parametrize("lines", SCREENPLAYS.values(), ids=SCREENPLAYS.keys())
def test_screenplay(lines: list[Line]) -> None:
    play = Play()
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


@given(steps=st.lists(st.tuples(st.sampled_from(End), st.sampled_from(EVERY)), max_size=12))
def test_a_step_outside_the_table_raises_and_changes_nothing(steps: list[tuple[End, AnyMessage]]) -> None:
    hub = Talk(End.HUB)
    for end, message in steps:
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
    talk = Talk(End.HUB)
    talk.hear(JOIN)
    with pytest.raises(IllegalStep) as refusal:
        talk.hear(HELLO)
    assert refusal.value.code == "out_of_turn"
