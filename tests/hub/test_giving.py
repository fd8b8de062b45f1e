"""Nobody gives more than they have: the ways from a helpdesk to the whole cluster, and what stays open."""

from __future__ import annotations

import pytest

from daemons.hub.desk import certs, roles, users
from daemons.hub.desk.users import NewUser, UserEdit
from daemons.hub.desk.who import Caller
from mezite.errors import Denied
from tests.support.desk import Office, keys

HELPDESK = "{allow: {rules: [{resources: [users, roles, authorities, locks], verbs: '*'}]}}"
WIDE = "kind: role\nmetadata: {name: %s}\nspec: {allow: %s}\n"


@pytest.fixture
async def helpdesk(office: Office) -> Caller:
    await office.role("helpdesk", HELPDESK)
    await office.user("boss", "admin")
    await office.user("colleague", "helpdesk")
    await office.user("dev", "access")
    return await office.person("harry", "helpdesk", "reviewer")


@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("dev", UserEdit(add_roles=("admin",))),
        ("dev", UserEdit(remove_roles=("access",))),
        ("harry", UserEdit(add_roles=("admin",))),
        ("harry", UserEdit(remove_roles=("reviewer",))),
        ("harry", UserEdit(set_logins=("root",))),
        ("boss", UserEdit(set_logins=("root",))),
        ("boss", UserEdit(set_traits={"team": ("core",)})),
    ],
)
async def test_roles_logins_and_traits_beyond_ones_own(
    office: Office, helpdesk: Caller, name: str, edit: UserEdit
) -> None:
    before = await office.named(name)
    with pytest.raises(Denied) as refusal:
        await users.update(office.desk, helpdesk, name, edit)
    assert refusal.value.code == "beyond_own"
    assert await office.named(name) == before


async def test_what_one_has_may_be_given_and_taken(office: Office, helpdesk: Caller) -> None:
    await users.update(office.desk, helpdesk, "dev", UserEdit(add_roles=("helpdesk",)))
    await users.update(office.desk, helpdesk, "dev", UserEdit(remove_roles=("helpdesk",)))
    await users.update(office.desk, helpdesk, "colleague", UserEdit(set_logins=("deploy",)))
    await users.reset(office.desk, helpdesk, "colleague", mfa=True)
    await certs.sign(office.desk, helpdesk, "colleague", keys(), None)


async def test_nobody_is_made_reset_or_signed_for_who_holds_more(office: Office, helpdesk: Caller) -> None:
    for name in ("boss", "dev"):
        with pytest.raises(Denied):
            await users.reset(office.desk, helpdesk, name, mfa=True)
        with pytest.raises(Denied):
            await certs.sign(office.desk, helpdesk, name, keys(), None)
    with pytest.raises(Denied):
        await users.create(office.desk, office.passwords, helpdesk, NewUser("twin", roles=("admin",)))
    assert await office.store.read(lambda tx: tx.users.one(name="twin")) is None


@pytest.mark.parametrize(
    ("name", "allow"),
    [
        ("helpdesk", "{}"),
        ("fresh", "{rules: [{resources: '*', verbs: '*'}]}"),
        ("fresh", "{rules: [{resources: users, verbs: read}, {resources: audit, verbs: read}]}"),
        ("fresh", "{join_sessions: [{roles: '*', modes: [watch]}]}"),
    ],
)
async def test_roles_that_hold_more_than_their_writer(
    office: Office, helpdesk: Caller, name: str, allow: str
) -> None:
    with pytest.raises(Denied) as refusal:
        await roles.put(office.desk, helpdesk, WIDE % (name, allow), replacing=True)
    assert refusal.value.code == "beyond_own"


async def test_a_role_within_ones_own_rights_may_be_written(office: Office, helpdesk: Caller) -> None:
    rules = "{rules: [{resources: [users, locks], verbs: [list, read]}], review_requests: {roles: 'db-*'}}"
    for allow in (rules, "{logins: [deploy], node_labels: {env: test}}"):
        await roles.put(office.desk, helpdesk, WIDE % ("fresh", allow), replacing=True)


async def test_a_narrower_right_to_review_gives_none_beyond_it(office: Office) -> None:
    await office.role(
        "writer",
        "{allow: {rules: [{resources: roles, verbs: '*'}], review_requests: {roles: ['db-*']}, "
        "join_sessions: [{roles: dev, modes: [observer]}]}}",
    )
    writer = await office.person("writer", "writer")
    for allow in (
        "{review_requests: {roles: '*'}}",
        "{review_requests: {roles: web}}",
        "{join_sessions: [{roles: dev, modes: [moderator]}]}",
        "{join_sessions: [{roles: '*', modes: [observer]}]}",
    ):
        with pytest.raises(Denied):
            await roles.put(office.desk, writer, WIDE % ("fresh", allow), replacing=True)
    for allow in ("{review_requests: {roles: 'db-*'}}", "{join_sessions: [{roles: dev, modes: [observer]}]}"):
        await roles.put(office.desk, writer, WIDE % ("fresh", allow), replacing=True)


async def test_admin_and_the_machine_itself_are_bound_by_none_of_it(office: Office, helpdesk: Caller) -> None:
    boss = await office.caller("boss")
    for caller in (boss, office.local):
        await users.update(office.desk, caller, "harry", UserEdit(set_logins=(f"x{caller.client_ip[:1]}",)))
        await users.update(office.desk, caller, "dev", UserEdit(add_roles=("admin",)))
        await users.update(office.desk, caller, "dev", UserEdit(remove_roles=("admin",)))
        await users.reset(office.desk, caller, "colleague", mfa=False)
        await roles.put(
            office.desk,
            caller,
            WIDE % ("fresh", "{rules: [{resources: '*', verbs: '*'}]}"),
            replacing=True,
        )
    await users.update(office.desk, boss, "boss", UserEdit(set_logins=("root",)))
