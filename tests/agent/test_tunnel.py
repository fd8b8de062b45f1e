"""What an agent does next: the table, the decision, and the words it finds for what went wrong."""

from __future__ import annotations

from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest

from daemons.agent import tunnel as tunnel_
from daemons.agent.identity import Membership, NodeKeys
from daemons.agent.store import NodeStore, open_store
from daemons.agent.tunnel import TURNS, Phase, Turn, after, explained, next_move
from mezite.api.tunnel.proof import TokenText, mint_token
from mezite.config import Address
from mezite.errors import Denied, IllegalStep, NotLoggedIn, Unavailable
from tests.support.clock import FakeClock
from tests.support.nodes import membership_of, running_agent, tunnel_hub, until

CLOCK = FakeClock()
NOW = CLOCK.now()
LATER = NOW + timedelta(hours=25)
REFUSALS = [
    None,
    *(NotLoggedIn("no", code=code) for code in (None, "expired", "certificate_refused")),
    Unavailable("gone"),
]


@pytest.fixture
async def member() -> Membership:
    return await membership_of(NodeKeys.generate())


def test_every_turn_in_every_phase_is_either_in_the_table_or_illegal() -> None:
    for phase, turn in product(Phase, Turn):
        if (phase, turn) in TURNS:
            assert after(phase, turn) is TURNS[phase, turn]
        else:
            with pytest.raises(IllegalStep):
                after(phase, turn)


def test_every_phase_can_be_reached_and_left_by_failure() -> None:
    assert set(TURNS.values()) == set(Phase)
    assert all(TURNS[phase, Turn.FAILED] is Phase.RESTING for phase in Phase if phase is not Phase.RESTING)


def test_who_has_nothing_to_call_with_joins() -> None:
    for refusal in REFUSALS:
        assert next_move(None, mint_token(), refusal, NOW) is Turn.JOIN_DUE


async def test_who_is_a_node_calls_whatever_token_lies_about(member: Membership) -> None:
    for token in (None, mint_token()):
        assert next_move(member, token, None, NOW) is Turn.CALL_DUE
        assert next_move(member, token, None, LATER) is Turn.CALL_DUE, "a clock may be wrong: the hub decides"
        assert next_move(member, token, Unavailable("gone"), LATER) is Turn.CALL_DUE
        assert next_move(member, token, Denied("join refused", code="join_refused"), LATER) is Turn.CALL_DUE
        assert next_move(member, token, NotLoggedIn("locked", code="locked"), NOW) is Turn.CALL_DUE


async def test_a_node_that_is_none_any_more_joins_by_another_token_only(member: Membership) -> None:
    refusal = NotLoggedIn("this node was removed")
    own = TokenText(member.token_id, "0" * 48)
    assert next_move(member, mint_token(), refusal, NOW) is Turn.JOIN_DUE
    assert next_move(member, own, refusal, NOW) is Turn.CALL_DUE
    assert next_move(member, None, refusal, NOW) is Turn.CALL_DUE


async def test_a_node_that_ran_out_joins_by_whatever_token_there_is(member: Membership) -> None:
    refusal = NotLoggedIn("refused", code="certificate_refused")
    own = TokenText(member.token_id, "0" * 48)
    assert next_move(member, own, refusal, LATER) is Turn.JOIN_DUE
    assert next_move(member, None, refusal, LATER) is Turn.CALL_DUE


async def test_the_words_say_what_to_do_and_hold_no_secret(member: Membership) -> None:
    refusal = NotLoggedIn("the other end does not accept this certificate", code="certificate_refused")
    own = TokenText(member.token_id, "5ec4e7" * 8)
    ran_out = explained(refusal, member, own, LATER)
    assert ran_out.startswith("this node's certificate ran out at 2026-03-25T10:00:00Z")
    assert "mezctl tokens create --roles=node" in ran_out
    used = explained(refusal, member, own, NOW)
    assert "not used again" in used
    assert explained(Unavailable("cannot reach the hub"), member, None, NOW) == "cannot reach the hub"
    for line in (ran_out, used):
        assert own.secret not in line
        assert "\n" not in line


async def test_a_hub_that_cannot_be_reached_is_tried_for_ever(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_store(tmp_path) as store:
        store.save(await membership_of(store.keys()))
    async with running_agent(tmp_path, Address("127.0.0.1", 1)) as agent:
        turn = 0
        for _ in range(5):
            turn = await agent.reached(Phase.RESTING, after=turn)
    assert caplog.text.count("cannot reach the hub at 127.0.0.1:1") == 1


async def test_a_silent_hub_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = FakeClock()
    monkeypatch.setattr(tunnel_, "LONGEST_WAIT_S", 0.05)
    async with tunnel_hub() as hub:
        async with running_agent(tmp_path, hub.address, token=await hub.token(), clock=clock) as agent:
            turn = await agent.reached(Phase.ONLINE)
            clock.advance(timedelta(seconds=29))
            assert Phase.RESTING not in agent.phases
            clock.advance(timedelta(seconds=1))
            await agent.reached(Phase.RESTING, after=turn)


async def test_what_cannot_be_saved_is_kept_and_saved_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(_store: NodeStore, _member: Membership) -> None:
        raise Unavailable("cannot write identity.json: No space left on device")

    async with tunnel_hub() as hub:
        token = await hub.token()
        with monkeypatch.context() as patch:
            patch.setattr(NodeStore, "save", full)
            async with running_agent(tmp_path, hub.address, token=token) as agent:
                turn = await agent.reached(Phase.ONLINE)
                assert agent.store.membership() is None
                assert "a restart would lose" in caplog.text
                patch.undo()
                for line in hub.tunnels.lines:
                    line.leave("so that the agent looks up")
                await agent.reached(Phase.ONLINE, after=turn)
                await until(lambda: agent.store.membership() is not None)
                assert agent.phases.count(Phase.JOINING) == 1
