"""Enrolment: a one-time right to choose a password. It works once, for a while, for one."""

from __future__ import annotations

import asyncio

import pytest

from daemons.hub.desk import users
from daemons.hub.desk.users import INVITE_TTL
from daemons.hub.first_start import welcome
from daemons.hub.proof.throttle import FREE_PER_ADDRESS
from mezite.audit.events import Kind
from mezite.errors import Invalid, NotLoggedIn, Throttled
from tests.support.desk import ADDRESS, PASSWORD, Office


async def enrol(office: Office, token: str, password: str = PASSWORD) -> str:
    return (await office.logins.enrol(token, password, ADDRESS)).name


async def test_an_invitation_works_once(office: Office) -> None:
    invitation = await office.invited("alice")
    assert await enrol(office, invitation.token) == "alice"
    assert (await office.newest()).kind is Kind.USER_ENROLLED
    with pytest.raises(NotLoggedIn) as refusal:
        await enrol(office, invitation.token, "a password of mine")
    assert refusal.value.code == "bad_enrolment"
    assert (await office.newest()).kind is Kind.USER_ENROL_FAILED
    await office.logins.web_token(office.proof("alice"))


async def test_of_many_at_once_exactly_one_wins(office: Office) -> None:
    invitation = await office.invited("alice")
    results = await asyncio.gather(
        *(enrol(office, invitation.token, f"{PASSWORD} {number}") for number in range(4)),
        return_exceptions=True,
    )
    [winner] = [number for number, result in enumerate(results) if result == "alice"]
    assert sum(isinstance(result, NotLoggedIn) for result in results) == 3
    await office.logins.web_token(office.proof("alice", f"{PASSWORD} {winner}"))


async def test_an_invitation_ends_in_its_moment(office: Office) -> None:
    invitation = await office.invited("alice")
    office.clock.advance(INVITE_TTL)
    with pytest.raises(NotLoggedIn):
        await enrol(office, invitation.token)
    assert (await office.credential("alice")).password_hash is None


async def test_the_invitation_of_a_deleted_user_is_none(office: Office) -> None:
    invitation = await office.invited("alice")
    await users.delete(office.desk, office.local, "alice")
    await office.user("alice", password=None)
    with pytest.raises(NotLoggedIn):
        await enrol(office, invitation.token)


@pytest.mark.parametrize("token", ["", "mze_", "mze_" + "A" * 32, "\ud800", "\0", "x" * 100_000], ids=ascii)
async def test_tokens_that_are_none(office: Office, token: str) -> None:
    with pytest.raises(NotLoggedIn) as refusal:
        await enrol(office, token)
    assert refusal.value.code == "bad_enrolment"


@pytest.mark.parametrize(
    "password", ["", "short", "elevenchars", "x" * 1025, "tab\tin the middle", "\ud800" * 20]
)
async def test_a_bad_password_spends_nothing(office: Office, password: str) -> None:
    invitation = await office.invited("alice")
    with pytest.raises(Invalid) as refusal:
        await enrol(office, invitation.token, password)
    assert refusal.value.code == "invalid_password"
    assert await enrol(office, invitation.token) == "alice"


async def test_tokens_cannot_be_guessed_at_leisure(office: Office) -> None:
    for number in range(FREE_PER_ADDRESS):
        with pytest.raises(NotLoggedIn):
            await enrol(office, f"mze_{number}")
    runs = office.hasher.runs
    with pytest.raises(Throttled):
        await enrol(office, "mze_another")
    assert office.hasher.runs == runs


async def test_each_start_invites_the_first_administrator_anew_until_somebody_came(office: Office) -> None:
    first = await welcome(office.desk, "hub.example:3080")
    second = await welcome(office.desk, "hub.example:3080")
    assert first is not None
    assert second is not None
    assert f"--token={second.invitation.token}" in second.command
    assert f"--ca-pin={office.desk.keyring.ca_pin}" in second.command
    assert len(await office.store.read(lambda tx: tx.users.all())) == 1
    with pytest.raises(NotLoggedIn):
        await enrol(office, first.invitation.token)
    assert await enrol(office, second.invitation.token) == "admin"
    assert await welcome(office.desk, "hub.example:3080") is None
    assert (await office.named("admin")).roles == ("admin",)
    everything = repr(await office.events())
    assert first.invitation.token not in everything
    assert second.invitation.token not in everything


async def test_a_cluster_whose_users_were_made_over_the_socket_needs_no_welcome(office: Office) -> None:
    await office.user("alice", "admin")
    assert await welcome(office.desk, "hub.example:3080") is None
