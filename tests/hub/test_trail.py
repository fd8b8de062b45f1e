"""The log over the desk, on the real SQLite file: an act behind the hub's back is found, with its place."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import aclosing, closing
from pathlib import Path

import pytest

from daemons.hub.desk import locks, trail
from daemons.hub.desk.trail import Heads
from daemons.hub.feed import Feed
from mezite.audit import body
from mezite.audit.chain import Head, Record
from mezite.audit.events import Kind
from mezite.audit.heads import format_head, is_genuine
from mezite.audit.verify import Report, warnings
from mezite.errors import Conflict, Denied, Invalid, NotLoggedIn, TooLarge
from mezite.model.lock import LockTarget
from mezite.storage.datadir import DATABASE
from mezite.storage.ports import AuditFilter
from mezite.storage.sqlite import open_sqlite
from tests.support.clock import FakeClock
from tests.support.desk import Office, open_office

EVERYTHING = AuditFilter()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    clock = FakeClock()
    async with open_sqlite(tmp_path, clock) as store, open_office(clock, store) as office:
        yield office


@pytest.fixture
def heads(office: Office, tmp_path: Path) -> Heads:
    return Heads(office.desk, tmp_path / "audit-heads.log")


async def history(office: Office, heads: Heads, *, head: bool = True) -> int:
    """A dozen events and, unless said otherwise, a head signed after them; the number of the last."""
    for number in range(12):
        await office.user(f"user-{number}", password=None)
        office.pass_time(seconds=1)
    if head:
        await heads.sign()
    return len(await office.events())


async def judge(office: Office, heads: Heads, *given: str) -> Report:
    return await trail.verified(office.desk, heads, office.local, given)


def tamper(path: Path, *statements: str) -> None:
    """As somebody with the file would, while the hub runs."""
    with closing(sqlite3.connect(path / DATABASE)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def found(report: Report) -> list[tuple[str, int, int]]:
    return [(finding.kind.value, finding.seq, finding.last) for finding in report.findings]


async def test_an_untouched_log_is_sound(office: Office, heads: Heads) -> None:
    last = await history(office, heads)
    report = await judge(office, heads)
    assert report.sound
    assert (report.events, report.vouched_to, report.sound_to) == (last, last, last)


SWAP = (
    "UPDATE audit SET seq = -1 WHERE seq = 7",
    "UPDATE audit SET seq = 7 WHERE seq = 8",
    "UPDATE audit SET seq = 8 WHERE seq = -1",
)
ACTS: dict[str, tuple[tuple[str, ...], str, int]] = {
    "edit": (("UPDATE audit SET body = replace(body, 'user-3', 'user-x') WHERE seq = 8",), "edited", 8),
    "edit with its hash": (("UPDATE audit SET hash = zeroblob(32) WHERE seq = 8",), "edited", 8),
    "delete": (("DELETE FROM audit WHERE seq = 8",), "deleted", 8),
    "delete the first": (("DELETE FROM audit WHERE seq = 1",), "deleted", 1),
    "delete some": (("DELETE FROM audit WHERE seq BETWEEN 6 AND 9",), "deleted", 6),
    "swap": (SWAP, "reordered", 7),
    "cut": (("DELETE FROM audit WHERE seq > 10",), "truncated", 11),
    "cut all": (("DELETE FROM audit",), "truncated", 1),
    "misfile": (("UPDATE audit SET user = 'somebody' WHERE seq = 8",), "misfiled", 8),
    "forge a head": (("UPDATE signed_heads SET signature = zeroblob(64)",), "forged_head", 16),
}


@pytest.mark.parametrize("act", ACTS)
async def test_each_act_is_found_with_its_place(
    office: Office, heads: Heads, tmp_path: Path, act: str
) -> None:
    statements, kind, seq = ACTS[act]
    assert await history(office, heads) == 16
    tamper(tmp_path, *statements)
    report = await judge(office, heads)
    assert not report.sound
    assert (kind, seq) in [(fault, place) for fault, place, _ in found(report)], found(report)
    assert report.sound_to < seq


async def test_a_cut_with_the_writers_own_note_is_found_by_the_heads(
    office: Office, heads: Heads, tmp_path: Path
) -> None:
    """Whoever cuts the end may mend every note of it inside the database; the file outside it remembers."""
    last = await history(office, heads)
    tamper(
        tmp_path,
        "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
        "DELETE FROM signed_heads",
        "UPDATE chain_head SET seq = seq - 1, hash = (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1)",
    )
    assert ("truncated", last) in [(kind, seq) for kind, seq, _ in found(await judge(office, heads))]
    heads.path.unlink()
    assert (await judge(office, heads)).sound, "without the file only a head kept elsewhere tells"


async def test_a_head_kept_elsewhere_finds_what_the_file_forgot(
    office: Office, heads: Heads, tmp_path: Path
) -> None:
    last = await history(office, heads)
    kept = await trail.current_head(office.desk, heads, office.local)
    assert kept is not None
    tamper(
        tmp_path,
        "DELETE FROM audit WHERE seq = (SELECT max(seq) FROM audit)",
        "DELETE FROM signed_heads",
        "UPDATE chain_head SET seq = seq - 1, hash = (SELECT hash FROM audit ORDER BY seq DESC LIMIT 1)",
    )
    heads.path.unlink()
    report = await judge(office, heads, format_head(kept))
    assert ("truncated", last) in [(kind, seq) for kind, seq, _ in found(report)]


async def test_the_head_file_only_grows_and_each_line_is_genuine(office: Office, heads: Heads) -> None:
    keys = office.desk.keyring.audit_keys()
    for _ in range(3):
        await history_of_one(office)
        assert await heads.sign() == await heads.sign(), "the same end is signed once"
    lines = heads.path.read_text().splitlines()
    assert len(lines) == 3
    assert heads.path.stat().st_mode & 0o777 == 0o600
    kept = (await heads.outside()).heads
    assert [format_head(head) for head in kept] == lines
    assert [head.seq for head in kept] == sorted({head.seq for head in kept})
    assert all(is_genuine(head, keys) for head in kept)


async def history_of_one(office: Office) -> None:
    await office.user(f"user-{len(await office.events())}", password=None)


async def test_lines_in_the_head_file_that_are_none_are_passed_over(office: Office, heads: Heads) -> None:
    await history(office, heads)
    with heads.path.open("ab") as file:
        file.write(b"\xff\xfe nonsense\n\n" + b"x" * 5_000 + b"\nmezite-head:1")
    assert (await judge(office, heads)).sound


async def test_a_head_file_that_cannot_be_written_ends_nothing(
    office: Office, heads: Heads, caplog: pytest.LogCaptureFixture
) -> None:
    heads.path.mkdir()
    await history(office, heads)
    assert (await office.store.read(lambda tx: tx.audit.signed_heads(limit=9)))[-1].signature
    assert "could not be kept" in caplog.text


@pytest.mark.parametrize("text", ["", "mezite-head:", "x" * 10_000, "mezite-head:1:00:x::\x1b[2J"])
async def test_heads_that_are_none(office: Office, heads: Heads, text: str) -> None:
    with pytest.raises(Invalid):
        await judge(office, heads, text)


async def test_only_so_many_heads_may_be_given(office: Office, heads: Heads) -> None:
    with pytest.raises(TooLarge):
        await judge(office, heads, *[""] * 1_001)


async def test_reading_the_log_takes_the_right(office: Office, heads: Heads) -> None:
    plain = await office.person("plain", "access")
    for attempt in (
        trail.listed(office.desk, plain, EVERYTHING, before=0, limit=1),
        trail.verified(office.desk, heads, plain, ()),
        trail.current_head(office.desk, heads, plain),
        anext(trail.followed(office.desk, Feed(office.store), plain, EVERYTHING, after=0)),
        anext(trail.exported(office.desk, plain, after=0)),
    ):
        with pytest.raises(Denied):
            await attempt


async def test_a_list_is_newest_first_and_knows_of_more(office: Office, heads: Heads) -> None:
    last = await history(office, heads)
    page = await trail.listed(office.desk, office.local, EVERYTHING, before=0, limit=3)
    assert [record.seq for record in page] == [last, last - 1, last - 2]
    page = await trail.listed(office.desk, office.local, EVERYTHING, before=page[-1].seq, limit=3)
    assert page[0].seq == last - 3
    huge = await trail.listed(office.desk, office.local, EVERYTHING, before=0, limit=10**9)
    assert len(huge) == last


async def test_an_export_is_the_chain_and_then_its_heads(
    office: Office, heads: Heads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "BATCH", 5)
    last = await history(office, heads)
    lines = [line async for line in trail.exported(office.desk, office.local, after=0)]
    assert [line.seq for line in lines if isinstance(line, Record)] == list(range(1, last + 1))
    assert [line.seq for line in lines if isinstance(line, Head)] == [last]
    tail = [line async for line in trail.exported(office.desk, office.local, after=last - 2)]
    assert [line.seq for line in tail if isinstance(line, Record)] == [last - 1, last]


@pytest.mark.parametrize("batch", [2, 5, 1_000])
@pytest.mark.parametrize("which", [EVERYTHING, AuditFilter(types=("user.*",))], ids=["all", "users"])
async def test_a_tail_from_the_start_is_the_whole_log_in_order(
    office: Office, heads: Heads, which: AuditFilter, batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "BATCH", batch)
    await history(office, heads, head=False)
    wanted = [
        seq
        for seq, event in enumerate(await office.events(), 1)
        if not which.types or event.type.startswith("user.")
    ]
    async with aclosing(
        trail.followed(office.desk, Feed(office.store), office.local, which, after=0)
    ) as lines:
        told = [(await anext(lines)).seq for _ in wanted]
        assert told == wanted
        await office.user("late", password=None)
        assert body.decode((await anext(lines)).body).resource == "late"


async def test_a_tail_hears_of_events_that_change_nothing_else(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failed login touches no row but the log's, so the feed has nothing to ring for."""
    monkeypatch.setattr(trail, "LOOK_S", 0.005)
    async with aclosing(
        trail.followed(office.desk, Feed(office.store), office.local, EVERYTHING, after=4)
    ) as lines:
        with pytest.raises(NotLoggedIn):
            await office.logins.web_token(office.proof("nobody"))
        record = await anext(lines)
        assert body.decode(record.body).kind is Kind.USER_LOGIN_FAILED


async def test_denials_are_written_with_their_reason_and_so_many_a_minute(office: Office) -> None:
    plain = await office.person("plain", "access")

    async def knock(times: int) -> None:
        for _ in range(times):
            with pytest.raises(Denied):
                await locks.create(office.desk, plain, LockTarget.LOGIN, "root")

    await knock(100)
    denials = await office.events(Kind.ACCESS_DENIED)
    assert len(denials) == 60
    assert (denials[0].user, denials[0].success) == ("plain", False)
    assert denials[0].reason.startswith("create locks: ")
    assert denials[0].client_ip == plain.client_ip
    office.pass_time(minutes=1)
    await knock(1)
    assert (await office.newest()).details["unwritten"] == 40


CUT = (
    "DELETE FROM audit WHERE seq > 10",
    "DELETE FROM signed_heads",
    "UPDATE chain_head SET seq = 10, hash = (SELECT hash FROM audit WHERE seq = 10)",
)


async def test_a_cut_is_found_however_many_heads_were_signed_since(
    office: Office, heads: Heads, tmp_path: Path
) -> None:
    """The one head that tells of it stands above more than a thousand that do not."""
    await history(office, heads)
    tamper(tmp_path, *CUT)
    end = await office.store.read(lambda tx: tx.audit.head())
    assert end is not None
    line = format_head(office.desk.keyring.sign_head(end, office.clock.now()))
    with heads.path.open("a") as file:
        file.writelines(f"{line}\n" for _ in range(1_100))
    kinds = [kind for kind, _, _ in found(await judge(office, heads))]
    assert {"truncated", "heads_fell"} <= set(kinds)


@pytest.mark.parametrize("grown", [0, 20], ids=["cut", "cut and grown again"])
async def test_a_log_that_lost_what_a_head_names_is_signed_no_more(
    office: Office, heads: Heads, tmp_path: Path, grown: int, caplog: pytest.LogCaptureFixture
) -> None:
    await history(office, heads)
    tamper(tmp_path, *CUT)
    lines = heads.path.read_text()
    for number in range(grown):
        await office.user(f"later-{number}", password=None)
    for signer in (heads, Heads(office.desk, heads.path)):
        assert await signer.sign() is None
        with pytest.raises(Conflict, match="audit verify"):
            await trail.current_head(office.desk, signer, office.local)
    assert "does not hold event 16" in caplog.text
    assert heads.path.read_text() == lines
    assert not (await judge(office, heads)).sound


async def test_heads_signed_at_once_stand_in_order(office: Office, heads: Heads) -> None:
    async def one(number: int) -> None:
        await office.user(f"user-{number}", password=None)
        await heads.sign()

    async with asyncio.TaskGroup() as group:
        for number in range(12):
            group.create_task(one(number), name=f"sign {number}")
    seqs = [head.seq for head in (await heads.outside()).heads]
    assert seqs == sorted(seqs)


async def test_without_a_head_outside_the_verdict_says_what_it_cannot_see(
    office: Office, heads: Heads
) -> None:
    await history(office, heads)
    assert warnings(await judge(office, heads)) == ()
    heads.path.unlink()
    [warning] = warnings(await judge(office, heads))
    assert "a cut cannot be seen" in warning
