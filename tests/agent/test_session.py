"""The life of a session: every step of the table, and no other."""

from __future__ import annotations

import itertools

import pytest

from daemons.agent.session import TURNS, Stage, Turn, after
from mezite.errors import IllegalStep


@pytest.mark.parametrize(("stage", "turn"), list(itertools.product(Stage, Turn)))
def test_a_step_is_in_the_table_or_raises(stage: Stage, turn: Turn) -> None:
    if (stage, turn) in TURNS:
        assert after(stage, turn) is TURNS[stage, turn]
    else:
        with pytest.raises(IllegalStep):
            after(stage, turn)


def test_every_stage_is_reached_and_every_one_but_the_last_can_be_closed() -> None:
    assert {Stage.OPEN, *TURNS.values()} == set(Stage)
    assert {stage for stage, turn in TURNS if turn is Turn.CLOSED} == set(Stage) - {Stage.ENDED}
    assert not [stage for stage, _ in TURNS if stage is Stage.ENDED]
