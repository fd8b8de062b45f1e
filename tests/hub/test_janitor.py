"""What a hub does by the clock: it forgets what has ended, and a chore that fails ends nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from daemons.hub import janitor
from daemons.hub.desk import access_tokens
from daemons.hub.desk.trail import Heads
from daemons.hub.feed import Feed
from daemons.hub.metrics import Metrics
from daemons.hub.server_tls import ServerTls
from daemons.lifecycle import crew
from mezite.audit.events import Kind
from mezite.audit.heads import parse_head
from mezite.errors import Unavailable
from tests.support.desk import Office


async def test_what_has_ended_is_swept_and_what_lives_stays(office: Office) -> None:
    alice = await office.person("alice")
    await access_tokens.create(office.desk, alice, timedelta(hours=1), "short")
    kept, _ = await access_tokens.create(office.desk, alice, timedelta(days=2), "long")
    await office.invited("bob")
    await office.logins.web_token(office.proof("alice"))
    office.pass_time(hours=24)
    await office.invited("carol")
    await janitor._sweep(office.desk)
    assert [token.id for token in await office.store.read(lambda tx: tx.access_tokens.all())] == [kept.id]
    carol = await office.named("carol")
    enrolments = await office.store.read(lambda tx: tx.enrolments.all())
    assert [enrolment.user_id for enrolment in enrolments] == [carol.id]


async def test_a_life_is_written_down_and_its_end_is_signed(office: Office, tmp_path: Path) -> None:
    heads = Heads(office.desk, tmp_path / "heads")
    tls = ServerTls(office.desk.keyring, "hub_test", office.clock, [])
    async with crew() as start:
        async with janitor.chores(office.desk, Feed(office.store), heads, tls, Metrics(), start):
            assert (await office.newest()).kind is Kind.HUB_STARTED
            await office.user("alice", password=None)
    events = await office.events()
    assert events[-1].kind is Kind.HUB_STOPPED
    last = parse_head(heads.path.read_text().splitlines()[-1])
    assert last.seq == len(events)
    assert last.signature


@pytest.mark.parametrize(
    "fault", [Unavailable("the database is away"), OSError(28, "No space left on device")], ids=str
)
async def test_a_chore_that_fails_is_said_and_tried_again(
    caplog: pytest.LogCaptureFixture, fault: Exception
) -> None:
    tries, enough = 0, asyncio.Event()

    async def chore() -> None:
        nonlocal tries
        tries += 1
        if tries == 3:
            enough.set()
        raise fault

    async with crew() as start:
        start(janitor._every(0, "count", chore), name="chore")
        await enough.wait()
    assert caplog.text.count(f"count: {fault}") >= 2


async def test_the_numbers_follow(office: Office) -> None:
    metrics = Metrics()
    await office.user("alice", password=None)
    await janitor._count(office.desk, metrics)
    text = metrics.render().decode()
    assert f"mezite_audit_events {len(await office.events())}.0" in text
    assert "mezite_nodes_online 0.0" in text
