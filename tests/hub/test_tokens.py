from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from daemons.hub.desk import tokens
from daemons.hub.desk.desk import Desk
from mezite.api.tunnel.proof import parse_token
from mezite.audit.body import decode
from mezite.audit.events import Kind
from mezite.errors import Denied, Invalid, NotFound
from mezite.rbac.builtin import BUILTIN
from tests.support.clock import FakeClock
from tests.support.nodes import add_user, administrator, open_desk

HOUR = timedelta(hours=1)


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with open_desk(FakeClock()) as desk:
        yield desk


async def test_a_token_is_told_once_and_kept_as_a_hash(desk: Desk) -> None:
    admin = administrator(desk.clock)
    token, text = await tokens.create(
        desk, admin, roles=("node",), ttl=HOUR, uses=3, node="web-1", labels={"b": "2", "a": "1"}
    )
    kept = await desk.store.read(lambda tx: tx.join_tokens.get(token.id))
    assert kept is not None
    assert (kept.uses_left, kept.node_name, kept.created_by) == (3, "web-1", "local:root")
    assert kept.expires_at == desk.clock.now() + HOUR
    assert dict(kept.labels) == {"a": "1", "b": "2"}
    secret = parse_token(text).secret
    assert parse_token(text).key == kept.secret_hash
    assert secret not in repr(kept)
    trail = await desk.store.read(lambda tx: tx.audit.records(after=0, limit=100))
    assert decode(trail[-1].body).kind is Kind.TOKEN_CREATED
    assert all(secret not in record.body and kept.secret_hash.hex() not in record.body for record in trail)


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"roles": ("admin",)}, "bad_token_role"),
        ({"roles": ()}, "bad_token_role"),
        ({"roles": ("node", "node")}, "bad_token_role"),
        ({"ttl": timedelta(seconds=59)}, "bad_ttl"),
        ({"ttl": timedelta(days=30, seconds=1)}, "bad_ttl"),
        ({"uses": 0}, "bad_uses"),
        ({"uses": 100_001}, "bad_uses"),
        ({"node": "Web_1"}, "invalid_name"),
        ({"labels": {"a b": "c"}}, "invalid_name"),
        ({"labels": {"a": "x\x1b[2J"}}, "bad_labels"),
        ({"labels": {"a": "x,b=y"}}, "bad_labels"),
        ({"labels": {f"k{number}": "v" for number in range(65)}}, "bad_labels"),
    ],
)
async def test_terms_that_cannot_be_are_refused_and_make_nothing(
    desk: Desk, terms: dict[str, object], code: str
) -> None:
    wanted: dict[str, object] = {"roles": ("node",), "ttl": HOUR, **terms}
    with pytest.raises(Invalid) as refusal:
        await tokens.create(desk, administrator(desk.clock), **wanted)  # type: ignore[arg-type]  # as given
    assert refusal.value.code == code
    assert "\x1b" not in str(refusal.value)
    assert await desk.store.read(lambda tx: tx.join_tokens.count()) == 0


async def test_tokens_are_for_those_whose_roles_say_so(desk: Desk) -> None:
    alice = await add_user(desk, "alice", BUILTIN["access"])
    with pytest.raises(Denied):
        await tokens.create(desk, alice, roles=("node",), ttl=HOUR)
    with pytest.raises(Denied):
        await tokens.page(desk, alice, limit=10)
    with pytest.raises(Denied):
        await tokens.delete(desk, alice, "tok_000000000000")
    assert await desk.store.read(lambda tx: tx.join_tokens.count()) == 0


async def test_a_list_is_of_tokens_that_can_be_used_page_by_page(desk: Desk) -> None:
    clock, admin = desk.clock, administrator(desk.clock)
    assert isinstance(clock, FakeClock)
    await tokens.create(desk, admin, roles=("node",), ttl=timedelta(minutes=1))
    clock.advance(timedelta(minutes=1))
    made = sorted([(await tokens.create(desk, admin, roles=("node",), ttl=HOUR))[0].id for _ in range(5)])
    first = await tokens.page(desk, admin, limit=3)
    rest = await tokens.page(desk, admin, after=first[-1].id, limit=3)
    assert [token.id for token in (*first, *rest)] == made


@pytest.mark.parametrize(
    "name_of", [lambda token, _: token.id, lambda _, text: text, lambda _, text: text.split(".")[0]]
)
async def test_a_token_is_deleted_by_its_id_or_by_what_was_printed(desk: Desk, name_of: object) -> None:
    admin = administrator(desk.clock)
    token, text = await tokens.create(desk, admin, roles=("node",), ttl=HOUR)
    assert callable(name_of)
    await tokens.delete(desk, admin, name_of(token, text))
    assert await tokens.page(desk, admin, limit=10) == []
    with pytest.raises(NotFound) as refusal:
        await tokens.delete(desk, admin, name_of(token, text))
    assert parse_token(text).secret not in str(refusal.value)


async def test_a_token_long_expired_is_forgotten_when_the_next_is_made(desk: Desk) -> None:
    clock, admin = desk.clock, administrator(desk.clock)
    assert isinstance(clock, FakeClock)
    old, _ = await tokens.create(desk, admin, roles=("node",), ttl=HOUR)
    clock.advance(HOUR + tokens.KEPT_AFTER_END)
    await tokens.create(desk, admin, roles=("node",), ttl=HOUR)
    assert await desk.store.read(lambda tx: tx.join_tokens.get(old.id)) is None
