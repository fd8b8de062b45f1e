"""docs/formats/tunnel.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import msgspec

from daemons.agent.backoff import CEILING_S, FLOOR_S
from daemons.hub.proxy import dials, front, half_open, lines
from mezite.api.tunnel.frames import MAX_PAYLOAD
from mezite.api.tunnel.messages import (
    AnyMessage,
    Bye,
    Issued,
    Refused,
)
from mezite.api.tunnel.orders import GrantInForce, Rights
from mezite.api.tunnel.proof import Prover, binding, prove
from mezite.api.tunnel.shapes import MAX_LABELS, MAX_SENTENCE_CHARS, VERSION
from mezite.api.tunnel.talk import STEPS
from tests.support.tunnel import FACTS, KEY

PAGE = (Path(__file__).parents[2] / "docs/formats/tunnel.md").read_text()


def test_the_table_of_messages_names_every_message_and_every_field() -> None:
    rows = {row[1]: row[2] for row in re.finditer(r"^\| `(\w+)` \| \w+ \| (.*?) ?\|$", PAGE, re.M)}
    assert set(rows) == {kind.__name__.lower() for kind in get_args(AnyMessage)}
    for kind in get_args(AnyMessage):
        fields = {field.encode_name for field in msgspec.structs.fields(kind)}
        assert fields == set(re.findall(r"`(\w+)`", rows[kind.__name__.lower()]))
    for struct in (Issued, Rights, GrantInForce):
        for field in msgspec.structs.fields(struct):
            assert f"`{field.encode_name}`" in PAGE


def test_the_table_of_turns_is_the_table() -> None:
    rows = re.findall(r"^\| (\w+) \| (agent|client|hub) \| `(\w+)` \| (\w+) \|$", PAGE, re.M)
    steps = {
        (state.name.lower(), end.name.lower(), kind.__name__.lower(), then.name.lower())
        for (state, end, kind), then in STEPS.items()
        if kind not in (Bye, Refused)
    }
    assert set(rows) == steps
    assert len(rows) == len(steps)


def test_the_vectors_are_what_the_code_computes() -> None:
    bound = binding(**FACTS)  # type: ignore[arg-type]  # one literal for all the keyword arguments
    for value in (KEY, bound, prove(Prover.HUB, KEY, bound), prove(Prover.AGENT, KEY, bound)):
        assert f"`{value.hex()}`" in PAGE


def test_the_numbers_are_the_codes() -> None:
    def spaced(number: int) -> str:
        return f"{number:,}".replace(",", " ")

    for said in (
        f"Version {VERSION}.",
        f"1 to {spaced(MAX_PAYLOAD)}.",
        f"sentences {spaced(MAX_SENTENCE_CHARS)}",
        f"at most {MAX_LABELS} labels",
        f"`keepalive_s` ({lines.KEEPALIVE_S:g} s)",
        f"nothing for {lines.SILENCE_S:g} s",
        f"{spaced(half_open.OVERALL)} in all and {half_open.PER_ADDRESS} of one address",
        f"from {FLOOR_S:g} s to {CEILING_S:g} s",
        f"for {dials.PATIENCE_S:g} seconds",
        f"{front.SILENCE_S * 1000:g} ms of silence",
    ):
        assert said in PAGE, said
