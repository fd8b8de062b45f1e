"""Join tokens: the right to become a node. The secret is told once, to whoever makes the token, and kept as
a hash; how a node proves that it knows it is `mezite.api.tunnel.proof`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk import facts
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.node_claims import checked_labels
from daemons.hub.desk.who import Caller, Standing
from mezite import durations, ids
from mezite.api.tunnel.proof import TOKEN_PREFIX, mint_token
from mezite.audit.events import Kind
from mezite.errors import Invalid, NotFound
from mezite.model.change import ChangeKind, ChangeOp
from mezite.model.node import JoinToken
from mezite.model.role import Verb
from mezite.storage.ports import Reading, Writing

JOIN_ROLES: Final = ("node",)
"""What one can join as."""
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=30)
MOST_USES: Final = 100_000
KEPT_AFTER_END: Final = timedelta(days=7)
"""An expired token is kept this long, so that a node that brings it hears what is wrong."""


async def create(
    desk: Desk,
    caller: Caller,
    *,
    roles: Sequence[str],
    ttl: timedelta,
    uses: int = 1,
    node: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[JoinToken, str]:
    """The token and its text, which is nowhere else."""
    _check_terms(roles, ttl, uses)
    bound = checked_labels(labels or {})
    name = ids.node_name(node) if node is not None else None
    minted = mint_token()

    def unit(tx: Writing, who: Standing) -> JoinToken:
        wanted = JoinToken(
            id=minted.id,
            secret_hash=minted.key,
            roles=tuple(roles),
            created_by=who.name,
            created_at=who.now,
            expires_at=who.now + ttl,
            uses_left=uses,
            node_name=name,
            labels=bound,
        )
        who.require("tokens", Verb.CREATE, facts.of_token(wanted))
        _forget_ended(tx, who.now)
        token = tx.join_tokens.insert(wanted)
        tx.record(
            who.event(
                Kind.TOKEN_CREATED,
                resource=token.id,
                roles_given=token.roles,
                until=token.expires_at.isoformat(),
                uses=uses,
                node_name=name or "",
                labels=tuple(f"{key}={value}" for key, value in bound.items()),
            )
        )
        tx.changed(ChangeKind.TOKEN, token.id)
        return token

    return await desk.act(caller, unit), minted.text


async def page(desk: Desk, caller: Caller, *, after: str = "", limit: int) -> list[JoinToken]:
    """Tokens that can still be used, in order of id."""

    def query(tx: Reading, who: Standing) -> list[JoinToken]:
        listed = who.sieve("tokens", Verb.LIST)
        found: list[JoinToken] = []
        place = after
        while len(found) < limit and (batch := tx.join_tokens.page(after=place, limit=limit)):
            place = batch[-1].id
            found += [token for token in batch if is_usable(token, who.now) and listed(facts.of_token(token))]
        return found[:limit]

    return await desk.look(caller, query)


async def delete(desk: Desk, caller: Caller, token_id: str) -> None:
    """By id, or by the part of the text before the dot."""
    full_id = (
        token_id if token_id.startswith(f"{TOKEN_PREFIX}_") else f"{TOKEN_PREFIX}_{token_id.split('.')[0]}"
    )

    def unit(tx: Writing, who: Standing) -> None:
        token = tx.join_tokens.get(full_id)
        who.require("tokens", Verb.DELETE, facts.of_token(token) if token else facts.of_name(full_id))
        if token is None:
            raise NotFound("no such join token; `mezctl tokens ls` lists them")
        tx.join_tokens.delete(token)
        tx.record(who.event(Kind.TOKEN_DELETED, resource=token.id))
        tx.changed(ChangeKind.TOKEN, token.id, ChangeOp.DELETE)

    await desk.act(caller, unit)


def is_usable(token: JoinToken, now: datetime) -> bool:
    return now < token.expires_at and token.uses_left != 0


def _check_terms(roles: Sequence[str], ttl: timedelta, uses: int) -> None:
    if tuple(roles) != JOIN_ROLES:
        raise Invalid("a join token is for the role node; write --roles=node", code="bad_token_role")
    if not SHORTEST <= ttl <= LONGEST:
        raise Invalid(
            f"a join token lasts from {durations.show(SHORTEST)} to {durations.show(LONGEST)}", code="bad_ttl"
        )
    if not 1 <= uses <= MOST_USES:
        raise Invalid(f"a join token can be used from 1 to {MOST_USES} times", code="bad_uses")


def _forget_ended(tx: Writing, now: datetime) -> None:
    for token in tx.join_tokens.all():
        if token.expires_at + KEPT_AFTER_END <= now:
            tx.join_tokens.delete(token)
            tx.changed(ChangeKind.TOKEN, token.id, ChangeOp.DELETE)
