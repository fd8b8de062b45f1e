"""Bearer tokens: each kind is good for one thing, ends when it was said to, carries no more than its user."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daemons.hub.desk import access_tokens, certs, locks, oneself, users
from daemons.hub.desk.access_tokens import MOST_PER_USER
from daemons.hub.desk.certs import TOKEN_TTL
from daemons.hub.desk.users import UserEdit
from daemons.hub.desk.who import Caller
from daemons.hub.proof.throttle import FREE_PER_ADDRESS
from mezite.audit.events import Kind
from mezite.client.access_token import AccessToken as ShownToken
from mezite.errors import Conflict, Denied, Invalid, NotFound, NotLoggedIn, Throttled
from mezite.model.lock import LockTarget
from mezite.model.user import UserKind
from tests.support.desk import ADDRESS, Office, keys

HOUR = timedelta(hours=1)


async def token_of(office: Office, caller: Caller, ttl: timedelta | None = HOUR) -> ShownToken:
    token, secret = await access_tokens.create(office.desk, caller, ttl, "")
    return ShownToken("hub.example:3080", office.desk.keyring.ca_pin, token.id, secret)


async def exchanged(office: Office, shown: ShownToken) -> Caller:
    issued = await office.logins.exchange(shown, keys(), ADDRESS)
    return Caller(issued.identity, ADDRESS)


async def test_a_token_gives_certificates_of_minutes(office: Office) -> None:
    alice = await office.person("alice", "access")
    shown = await token_of(office, alice)
    caller = await exchanged(office, shown)
    assert caller.identity.id == alice.identity.id
    assert caller.identity.expires_at == office.clock.now() + TOKEN_TTL
    assert (await oneself.describe(office.desk, caller)).name == "alice"
    assert shown.secret not in repr(await office.events())
    assert shown.secret not in repr(shown)


async def test_a_token_makes_no_other_tokens(office: Office) -> None:
    caller = await exchanged(office, await token_of(office, await office.person("alice")))
    with pytest.raises(Denied, match="only a login makes tokens"):
        await token_of(office, caller)
    assert len(await access_tokens.page(office.desk, caller, "")) == 1


async def test_a_signed_certificate_makes_no_tokens_and_a_short_login_does(office: Office) -> None:
    await office.user("alice")
    signed = await certs.sign(office.desk, office.local, "alice", keys(), HOUR)
    renewed = await certs.renew(office.desk, Caller(signed.identity, ADDRESS), keys(), None)
    for issued in (signed, renewed):
        with pytest.raises(Denied, match="signed certificate"):
            await token_of(office, Caller(issued.identity, ADDRESS))
    short = await office.logins.certificates(office.proof("alice"), keys(), timedelta(minutes=5))
    await token_of(office, Caller(short.identity, ADDRESS))


async def test_its_certificates_never_outlast_it(office: Office) -> None:
    shown = await token_of(office, await office.person("alice"), timedelta(minutes=5))
    caller = await exchanged(office, shown)
    assert caller.identity.expires_at == office.clock.now() + timedelta(minutes=5)
    office.pass_time(minutes=5)
    with pytest.raises(NotLoggedIn, match="ended"):
        await exchanged(office, shown)
    assert (await office.newest()).kind is Kind.CERT_REFUSED


async def test_its_roles_are_those_of_each_use(office: Office) -> None:
    shown = await token_of(office, await office.person("alice", "access"))
    await users.update(
        office.desk, office.local, "alice", UserEdit(add_roles=("auditor",), remove_roles=("access",))
    )
    assert (await exchanged(office, shown)).identity.roles == ("auditor",)


async def test_the_kinds_do_not_stand_in_for_each_other(office: Office) -> None:
    alice = await office.person("alice")
    shown = await token_of(office, alice)
    web, row = await office.logins.web_token(office.proof("alice"))
    with pytest.raises(NotLoggedIn):
        await office.logins.who_bears(shown.secret)
    with pytest.raises(NotLoggedIn):
        await office.logins.exchange(replace(shown, id=row.id, secret=web), keys(), ADDRESS)


@pytest.mark.parametrize(
    "changed", [{"secret": "x" * 43}, {"id": "tok_other"}, {"secret": "\ud800"}, {"id": "\ud800"}]
)
async def test_a_token_must_be_whole(office: Office, changed: dict[str, str]) -> None:
    shown = await token_of(office, await office.person("alice"))
    with pytest.raises(NotLoggedIn) as refusal:
        await office.logins.exchange(replace(shown, **changed), keys(), ADDRESS)
    assert refusal.value.message.startswith("this token is not known or has ended")


async def test_revoking_bites_at_the_next_exchange(office: Office) -> None:
    alice, bob = await office.person("alice"), await office.person("bob")
    admin = await office.person("admin", "admin")
    shown, second = await token_of(office, alice), await token_of(office, alice)
    with pytest.raises(NotFound):
        await access_tokens.revoke(office.desk, bob, shown.id)
    await access_tokens.revoke(office.desk, alice, shown.id)
    await access_tokens.revoke(office.desk, admin, second.id)
    for ended in (shown, second):
        with pytest.raises(NotLoggedIn):
            await exchanged(office, ended)
    with pytest.raises(NotFound):
        await access_tokens.revoke(office.desk, alice, shown.id)


@pytest.mark.parametrize("way", ["locked", "deleted", "password", "reset"])
async def test_a_token_ends_with_its_user(office: Office, way: str) -> None:
    from tests.support.desk import PASSWORD

    alice = await office.person("alice")
    shown = await token_of(office, alice)
    live = await exchanged(office, shown)
    office.pass_time(seconds=1)
    match way:
        case "locked":
            await locks.create(office.desk, office.local, LockTarget.USER, "alice")
        case "deleted":
            await users.delete(office.desk, office.local, "alice")
        case "password":
            await office.second_factor.change_password(alice, PASSWORD, "another battery", "")
        case "reset":
            await users.reset(office.desk, office.local, "alice", mfa=False)
    with pytest.raises(NotLoggedIn):
        await exchanged(office, shown)
    with pytest.raises(NotLoggedIn):
        await oneself.describe(office.desk, live)


@pytest.mark.parametrize(
    "ttl", [timedelta(seconds=59), timedelta(days=30, seconds=1), timedelta(-1)], ids=str
)
async def test_lifetimes_that_are_refused(office: Office, ttl: timedelta) -> None:
    with pytest.raises(Invalid):
        await access_tokens.create(office.desk, await office.person("alice"), ttl, "")


@pytest.mark.parametrize("note", ["x" * 129, "a\nb", "\x1b]0;"])
async def test_notes_that_are_refused(office: Office, note: str) -> None:
    with pytest.raises(Invalid):
        await access_tokens.create(office.desk, await office.person("alice"), None, note)


async def test_one_has_only_so_many_and_web_logins_are_not_counted(office: Office) -> None:
    alice = await office.person("alice")
    await office.logins.web_token(office.proof("alice"))
    for _ in range(MOST_PER_USER):
        await token_of(office, alice)
    with pytest.raises(Conflict, match="revoke one first"):
        await token_of(office, alice)
    office.clock.advance(HOUR - timedelta(seconds=1))
    again = await office.caller("alice")
    office.pass_time(seconds=1)
    await token_of(office, again)


async def test_only_a_user_has_tokens(office: Office) -> None:
    node = office.node_caller(await office.node("web-1"))
    for caller in (office.local, node):
        with pytest.raises(Denied, match="not a user"):
            await token_of(office, caller)
    await office.user("ci", kind=UserKind.MACHINE)
    await token_of(office, await office.caller("ci"))


async def test_one_sees_ones_own_and_who_may_read_users_sees_all(office: Office) -> None:
    alice, bob = await office.person("alice"), await office.person("bob")
    olivia = await office.person("olivia", "auditor")
    shown = await token_of(office, alice)
    for caller, name in ((alice, ""), (alice, "alice"), (olivia, "alice")):
        rows = await access_tokens.page(office.desk, caller, name)
        assert [(token.id, user) for token, user in rows] == [(shown.id, "alice")]
        assert shown.secret not in repr(rows)
    for name in ("alice", "nobody"):
        with pytest.raises(Denied):
            await access_tokens.page(office.desk, bob, name)
    with pytest.raises(NotFound):
        await access_tokens.page(office.desk, olivia, "nobody")
    office.pass_time(hours=1)
    assert await access_tokens.page(office.desk, office.local, "alice") == []


async def test_secrets_cannot_be_guessed_at_leisure(office: Office) -> None:
    shown = await token_of(office, await office.person("alice"))
    for number in range(FREE_PER_ADDRESS):
        with pytest.raises(NotLoggedIn):
            await office.logins.exchange(replace(shown, id=f"tok_{number}", secret="x"), keys(), ADDRESS)
    before = len(await office.events())
    with pytest.raises(Throttled):
        await office.logins.exchange(replace(shown, id="tok_other", secret="x"), keys(), ADDRESS)
    assert len(await office.events()) == before
