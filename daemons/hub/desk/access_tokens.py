"""Access tokens, printed by `mezctl login` for scripts. `logins` gives short certificates for them."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import Final

from daemons.hub.desk import facts
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.users import required, token_hash
from daemons.hub.desk.who import Caller, Standing
from mezite import ids
from mezite.audit.events import Kind
from mezite.errors import Conflict, Denied, Invalid, NotFound
from mezite.model.identity import Origin
from mezite.model.role import Verb
from mezite.model.user import AccessToken, AccessTokenKind
from mezite.storage.ports import Reading, Writing

DEFAULT_TTL: Final = timedelta(hours=8)
LONGEST_TTL: Final = timedelta(days=30)
MOST_PER_USER: Final = 50
LONGEST_NOTE: Final = 128


async def create(desk: Desk, caller: Caller, ttl: timedelta | None, note: str) -> tuple[AccessToken, str]:
    """A token for the caller alone: (the row, its secret). The secret is nowhere else."""
    lifetime = ttl or DEFAULT_TTL
    if not timedelta(minutes=1) <= lifetime <= LONGEST_TTL:
        raise Invalid("a token lasts from 1m to 30d")
    if len(note) > LONGEST_NOTE or not (note == "" or note.isprintable()):
        raise Invalid(f"a note has at most {LONGEST_NOTE} printable characters")
    secret = secrets.token_urlsafe(32)

    def unit(tx: Writing, who: Standing) -> tuple[AccessToken, str]:
        # Whoever found a token, or was signed for, must not outlive it.
        if caller.identity.origin is not Origin.LOGIN:
            raise Denied("only a login makes tokens, and neither a token nor a signed certificate is one")
        kept = _living(tx, who.person.id, who.now)
        if sum(token.kind is AccessTokenKind.CTL for token in kept) >= MOST_PER_USER:
            raise Conflict(f"you have {MOST_PER_USER} tokens; revoke one first")
        token = tx.access_tokens.insert(
            AccessToken(
                id=ids.mint("tok"),
                token_hash=token_hash(secret),
                kind=AccessTokenKind.CTL,
                user_id=who.person.id,
                created_at=who.now,
                expires_at=who.now + lifetime,
                mfa=caller.identity.mfa,
                client_ip=caller.client_ip,
                note=note,
            )
        )
        tx.record(
            who.event(
                Kind.ACCESS_TOKEN_CREATED, resource=token.id, until=token.expires_at.isoformat(), note=note
            )
        )
        return token, secret

    return await desk.act(caller, unit)


async def page(desk: Desk, caller: Caller, user_name: str) -> list[tuple[AccessToken, str]]:
    """Tokens and their user's name: one's own, or anybody's with the right to read users."""

    def query(tx: Reading, who: Standing) -> list[tuple[AccessToken, str]]:
        user = who.person if not user_name else None
        if user is None:
            oneself = who.user is not None and who.user.name == user_name
            user = who.person if oneself else required(tx, who, user_name, Verb.READ)
        return [(token, user.name) for token in _living(tx, user.id, who.now)]

    return await desk.look(caller, query)


async def revoke(desk: Desk, caller: Caller, token_id: str) -> None:
    def unit(tx: Writing, who: Standing) -> None:
        token = tx.access_tokens.get(token_id)
        own = token is not None and who.user is not None and token.user_id == who.user.id
        owner = tx.users.get(token.user_id) if token is not None else None
        known = facts.of_user(tx, owner) if owner is not None else None
        if not own and not who.may("users", Verb.UPDATE, known):
            token = None
        if token is None:
            raise NotFound(f"no token {token_id[:80]!a}; `mezctl tokens ls --access` lists yours")
        tx.access_tokens.delete(token)
        tx.record(who.event(Kind.ACCESS_TOKEN_REVOKED, resource=token.id))

    await desk.act(caller, unit)


def _living(tx: Reading, user_id: str, now: datetime) -> list[AccessToken]:
    return [token for token in tx.access_tokens.all(user_id=user_id) if token.expires_at > now]
