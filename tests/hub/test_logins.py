"""Logging in: one answer for every failure, one Argon2 run for every attempt, proof to the last moment."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from daemons.hub.desk import locks, oneself, users
from daemons.hub.desk.logins import WEB_LOGINS, WRONG
from daemons.hub.desk.users import UserEdit
from daemons.hub.proof.throttle import CEILING_S, FREE_PER_ADDRESS, FREE_PER_NAME
from mezite.audit.events import Kind
from mezite.errors import Invalid, NotLoggedIn, Throttled
from mezite.model.lock import LockTarget
from mezite.model.user import AccessTokenKind, UserKind
from tests.support.authorities import CLUSTER
from tests.support.desk import ADDRESS, PASSWORD, Office, keys


async def attempt(office: Office, name: str, password: str = PASSWORD, address: str = ADDRESS) -> None:
    await office.logins.web_token(office.proof(name, password, address=address))


async def stranger(office: Office) -> str:
    return "nobody"


async def wrong(office: Office) -> str:
    await office.user("alice", password="something else entirely")
    return "alice"


async def locked(office: Office) -> str:
    await office.user("alice")
    await locks.create(office.desk, office.local, LockTarget.USER, "alice")
    return "alice"


async def role_locked(office: Office) -> str:
    await office.user("alice", "access")
    await locks.create(office.desk, office.local, LockTarget.ROLE, "access")
    return "alice"


async def machine(office: Office) -> str:
    await office.user("ci", kind=UserKind.MACHINE)
    return "ci"


async def invited(office: Office) -> str:
    await office.invited("alice")
    return "alice"


async def deleted(office: Office) -> str:
    await office.user("alice")
    await users.delete(office.desk, office.local, "alice")
    return "alice"


async def not_a_name(office: Office) -> str:
    return "no\x1b[2Jname\0"


async def surrogate(office: Office) -> str:
    return "\ud800"


FAILURES: dict[Callable[[Office], Awaitable[str]], str] = {
    stranger: "no such user",
    wrong: "wrong password",
    locked: "lock ",
    role_locked: "lock ",
    machine: "has no password",
    invited: "has no password",
    deleted: "no such user",
    not_a_name: "no such user",
    surrogate: "no such user",
}


@pytest.mark.parametrize("story", FAILURES, ids=lambda story: story.__name__)
async def test_every_failure_says_the_same_and_costs_one_run(
    office: Office, story: Callable[[Office], Awaitable[str]]
) -> None:
    name = await story(office)
    for way in (
        office.logins.web_token(office.proof(name)),
        office.logins.certificates(office.proof(name), keys(), None),
    ):
        office.hasher.runs = 0
        with pytest.raises(NotLoggedIn) as refusal:
            await way
        assert (refusal.value.message, refusal.value.code) == (WRONG, "not_logged_in")
        assert refusal.value.__cause__ is None
        assert refusal.value.__suppress_context__
        assert office.hasher.runs == 1

    event = await office.newest()
    assert event.kind is Kind.USER_LOGIN_FAILED
    assert event.reason.startswith(FAILURES[story])
    assert event.client_ip == ADDRESS
    assert event.user in (name, "(not a name)")
    assert event.user.isprintable()


async def test_success_too_costs_one_run(office: Office) -> None:
    await office.user("alice")
    office.hasher.runs = 0
    await attempt(office, "alice")
    assert office.hasher.runs == 1


async def test_who_is_throttled_costs_none(office: Office) -> None:
    for _ in range(FREE_PER_NAME):
        with pytest.raises(NotLoggedIn):
            await attempt(office, "nobody")
    office.hasher.runs = 0
    with pytest.raises(Throttled, match="try again in"):
        await attempt(office, "nobody")
    assert office.hasher.runs == 0


async def test_a_locked_user_with_the_right_password_is_not_told_so_by_a_code(office: Office) -> None:
    """Who asks for the second factor has believed the first: a locked user must not get that far."""
    from tests.hub.test_second_factor import enrolled

    await office.user("alice")
    await enrolled(office, "alice")
    await locks.create(office.desk, office.local, LockTarget.USER, "alice")
    with pytest.raises(NotLoggedIn) as refusal:
        await attempt(office, "alice")
    assert refusal.value.code == "not_logged_in"


async def test_a_login_is_written_down_and_holds_no_secret(office: Office) -> None:
    await office.user("alice", "access")
    secret, token = await office.logins.web_token(office.proof("alice"))
    event = await office.newest()
    assert (event.kind, event.user, event.details["way"]) == (Kind.USER_LOGIN, "alice", "web")
    everything = repr(await office.events()) + repr(token) + repr(office.proof("alice", otp="123456"))
    for hidden in (PASSWORD, secret, "123456"):
        assert hidden not in everything
    assert token.expires_at == office.clock.now() + timedelta(hours=12)


async def test_certificates_say_who_and_for_how_long(office: Office) -> None:
    user = await office.user("alice", "access", logins=("alice",))
    issued = await office.logins.certificates(office.proof("alice"), keys(), timedelta(hours=2))
    assert issued.identity.id == user.id
    assert issued.identity.roles == ("access",)
    assert issued.identity.expires_at == office.clock.now() + timedelta(hours=2)
    assert issued.logins == ("alice",)
    assert not issued.identity.mfa
    kinds = [event.kind for event in (await office.events())[-2:]]
    assert kinds == [Kind.CERT_ISSUED, Kind.USER_LOGIN]


async def test_keys_that_are_none_leave_no_login_behind(office: Office) -> None:
    from dataclasses import replace

    await office.user("alice")
    before = len(await office.events())
    for bad in (
        replace(keys(), tls_spki=b"no key"),
        replace(keys(), tls_spki=b""),
        replace(keys(), ssh_line="ssh-rsa AAAA"),
        replace(keys(), ssh_line="ssh-ed25519 \x1b[2J"),
    ):
        with pytest.raises(Invalid):
            await office.logins.certificates(office.proof("alice"), bad, None)
    assert len(await office.events()) == before


@pytest.mark.parametrize(
    ("name", "password", "otp"),
    [("a" * 257, "p", ""), ("alice", "p" * 1025, ""), ("alice", "p", "0" * 65)],
    ids=["name", "password", "code"],
)
async def test_what_is_too_long_is_not_even_looked_at(
    office: Office, name: str, password: str, otp: str
) -> None:
    with pytest.raises(Invalid, match="too long"):
        office.proof(name, password, otp)


async def test_a_password_that_changed_between_check_and_unit_is_not_believed(office: Office) -> None:
    """The reset lands while Argon2 runs: the hash that matched is no longer the stored one."""
    await office.user("alice")
    verify = office.passwords.verify

    async def slowly(stored: str | None, password: str, *, address: str) -> bool:
        right = await verify(stored, password, address=address)
        await users.reset(office.desk, office.local, "alice", mfa=False)
        return right

    office.passwords.verify = slowly  # type: ignore[method-assign]
    with pytest.raises(NotLoggedIn):
        await attempt(office, "alice")
    assert (await office.newest()).reason == "has no password"
    assert await office.store.read(lambda tx: tx.access_tokens.all()) == []


async def test_bearers_name_their_user_with_the_roles_of_the_moment(office: Office) -> None:
    await office.user("alice", "access")
    secret, _ = await office.logins.web_token(office.proof("alice"))
    await users.update(office.desk, office.local, "alice", UserEdit(add_roles=("auditor",)))
    identity = await office.logins.who_bears(secret)
    assert (identity.name, identity.roles) == ("alice", ("access", "auditor"))
    office.pass_time(hours=12)
    with pytest.raises(NotLoggedIn, match="ended"):
        await office.logins.who_bears(secret)


@pytest.mark.parametrize("secret", ["", "mzw_", "x" * 10_000, "\ud800", "mzw_é"], ids=ascii)
async def test_bearers_that_are_none(office: Office, secret: str) -> None:
    with pytest.raises(NotLoggedIn):
        await office.logins.who_bears(secret)


async def test_logging_out_ends_the_bearer_and_only_it(office: Office) -> None:
    await office.user("alice")
    first, _ = await office.logins.web_token(office.proof("alice"))
    second, _ = await office.logins.web_token(office.proof("alice"))
    await office.logins.logout(first, ADDRESS)
    with pytest.raises(NotLoggedIn):
        await office.logins.who_bears(first)
    with pytest.raises(NotLoggedIn):
        await office.logins.logout(first, ADDRESS)
    await office.logins.who_bears(second)
    assert (await office.newest()).kind is Kind.USER_LOGOUT


async def test_a_script_that_logs_in_for_ever_keeps_only_so_many_bearers(office: Office) -> None:
    await office.user("alice")
    secrets = []
    for _ in range(WEB_LOGINS + 3):
        secrets.append((await office.logins.web_token(office.proof("alice")))[0])
        office.pass_time(seconds=1)
    tokens = await office.store.read(lambda tx: tx.access_tokens.all())
    assert [token.kind for token in tokens] == [AccessTokenKind.WEB] * WEB_LOGINS
    for ended in secrets[:3]:
        with pytest.raises(NotLoggedIn):
            await office.logins.who_bears(ended)
    for kept in secrets[3:]:
        await office.logins.who_bears(kept)


async def seconds_until_judged(office: Office) -> int:
    """How long the next wrong guess has to wait for its answer."""
    for waited in range(1_000):
        try:
            await attempt(office, "alice", "wrong guess")
        except Throttled:
            office.pass_time(seconds=1)
        except NotLoggedIn:
            return waited
    raise AssertionError("never let through")


async def test_guessing_waits_longer_and_longer(office: Office) -> None:
    await office.user("alice")
    waits = [await seconds_until_judged(office) for _ in range(FREE_PER_NAME + 12)]
    assert waits[:FREE_PER_NAME] == [0] * FREE_PER_NAME
    assert waits == sorted(waits)
    assert waits[-2:] == [CEILING_S, CEILING_S]


async def test_nobody_locks_others_out(office: Office) -> None:
    """The owner, at another address, logs in while somebody guesses."""
    await office.user("alice")
    for _ in range(FREE_PER_NAME + 1):
        with pytest.raises((NotLoggedIn, Throttled)):
            await attempt(office, "alice", "guess", address="198.51.100.9")
    with pytest.raises(Throttled):
        await attempt(office, "alice", address="198.51.100.9")
    await attempt(office, "alice")
    alice = await office.caller("alice")
    await oneself.describe(office.desk, alice)


@pytest.mark.parametrize("known", [True, False], ids=["known", "unknown"])
async def test_known_and_unknown_names_are_throttled_alike(office: Office, *, known: bool) -> None:
    if known:
        await office.user("alice")
    outcomes = []
    for _ in range(FREE_PER_NAME + 2):
        with pytest.raises((NotLoggedIn, Throttled)) as refusal:
            await attempt(office, "alice", "guess")
        outcomes.append((type(refusal.value), refusal.value.message))
    assert outcomes[:FREE_PER_NAME] == [(NotLoggedIn, WRONG)] * FREE_PER_NAME
    assert {kind for kind, _ in outcomes[FREE_PER_NAME:]} == {Throttled}


async def test_one_address_that_tries_many_names_waits_for_all_of_them(office: Office) -> None:
    await office.user("alice")
    for number in range(FREE_PER_ADDRESS):
        with pytest.raises(NotLoggedIn):
            await attempt(office, f"user-{number}", "guess")
    with pytest.raises(Throttled):
        await attempt(office, "alice")
    await attempt(office, "alice", address="198.51.100.9")


async def test_many_guesses_at_once_are_no_way_around_the_count(office: Office) -> None:
    await office.user("alice")
    office.hasher.runs = 0
    results = await asyncio.gather(
        *(attempt(office, "alice", f"guess {number}") for number in range(40)), return_exceptions=True
    )
    refused = [type(result) for result in results]
    assert refused.count(NotLoggedIn) == FREE_PER_NAME
    assert refused.count(Throttled) == 40 - FREE_PER_NAME
    assert office.hasher.runs == FREE_PER_NAME


async def test_many_good_logins_at_once_all_pass(office: Office) -> None:
    """Behind one address, as an office is; the count of guesses under way forgets those that were right."""
    names = [f"user-{number}" for number in range(FREE_PER_ADDRESS - 1)]
    for name in names:
        await office.user(name)
    for _ in range(2):
        await asyncio.gather(*(attempt(office, name) for name in names))


async def test_a_success_forgets_the_failures_before_it(office: Office) -> None:
    await office.user("alice")
    for _ in range(3):
        for _ in range(FREE_PER_NAME - 1):
            with pytest.raises(NotLoggedIn):
                await attempt(office, "alice", "guess")
        await attempt(office, "alice")


async def test_the_cluster_of_a_login_is_ours(office: Office) -> None:
    from mezite.ca import tls_certs

    await office.user("alice", "access")
    issued = await office.logins.certificates(office.proof("alice"), keys(), None)
    identity = tls_certs.check_client(
        issued.tls_pem.encode(),
        trusted=office.desk.keyring.tls_authorities,
        cluster=CLUSTER,
        now=office.clock.now(),
    )
    # A reset in the same second ends it; one made at the very moment it was issued does not.
    assert identity.issued_at == office.clock.now()


async def test_a_few_addresses_that_fill_the_line_shut_nobody_out(office: Office) -> None:
    """Each of them guesses at many names; whoever comes from elsewhere is served in turn."""
    await office.user("alice")
    async with asyncio.TaskGroup() as group:
        flood = [
            group.create_task(_refused(office, f"name-{number}", f"198.51.100.{address}"), name="flood")
            for number in range(25)
            for address in range(4)
        ]
        await asyncio.sleep(0)
        await attempt(office, "alice")
    assert all(task.done() for task in flood)


async def _refused(office: Office, name: str, address: str) -> None:
    with pytest.raises((NotLoggedIn, Throttled)):
        await attempt(office, name, "guess", address)
