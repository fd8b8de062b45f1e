"""Users at the desk: a refusal changes nothing, an act is written down, who is out is out at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemons.hub.desk import oneself, users
from daemons.hub.desk.users import MOST_LOGINS, MOST_ROLES, MOST_TRAITS, NewUser, UserEdit
from daemons.hub.desk.who import Caller
from mezite.audit.events import Kind
from mezite.errors import Conflict, Denied, Exists, Invalid, MeziteError, NotFound, NotLoggedIn, TooLarge
from mezite.model.change import ChangeKind
from mezite.model.user import UserKind
from tests.support.desk import PASSWORD, Office


async def create(office: Office, name: str = "alice", caller: Caller | None = None, **fields: Any) -> Any:
    return await users.create(office.desk, office.passwords, caller or office.local, NewUser(name, **fields))


async def test_a_user_with_a_password_can_log_in_at_once(office: Office) -> None:
    view, invitation = await create(office, roles=("access",), logins=("alice", "deploy"), password=PASSWORD)
    assert invitation is None
    assert (view.enrolled, view.mfa, view.locked) == (True, False, False)
    assert view.user.roles == ("access",)
    assert view.user.logins == ("alice", "deploy")
    assert view.user.created_by == "local:root"
    await office.logins.web_token(office.proof("alice"))


async def test_a_user_without_a_password_gets_an_invitation_and_nothing_else(office: Office) -> None:
    view, invitation = await create(office)
    assert invitation is not None
    assert not view.enrolled
    assert invitation.expires_at == office.clock.now() + timedelta(hours=24)
    with pytest.raises(NotLoggedIn):
        await office.logins.web_token(office.proof("alice", ""))
    [event] = await office.events(Kind.USER_CREATED)
    assert (event.resource, event.user) == ("alice", "local:root")
    assert invitation.token not in repr(await office.events())


async def test_a_machine_has_no_password_and_somebody_to_answer_for_it(office: Office) -> None:
    admin = await office.person("admin", "admin")
    mine, invitation = await create(office, "ci", admin, kind=UserKind.MACHINE)
    assert (mine.owner, invitation) == ("admin", None)
    await office.user("bob")
    bobs, _ = await create(office, "cd", admin, kind=UserKind.MACHINE, owner="bob")
    assert bobs.owner == "bob"
    orphan, _ = await create(office, "ce", kind=UserKind.MACHINE)
    assert orphan.owner == ""


BAD_NAMES = (
    "",
    "Alice",
    "-alice",
    ".alice",
    "alice smith",
    "alice\n",
    "a/b",
    "é",
    "a" * 65,
    "al\x1bice",
    "a\0",
)


@pytest.mark.parametrize("name", BAD_NAMES)
async def test_names_that_are_none(office: Office, name: str) -> None:
    with pytest.raises(Invalid) as refusal:
        await create(office, name)
    assert refusal.value.code == "invalid_name"
    assert refusal.value.message.isprintable()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"roles": ("nowhere",)}, "no role 'nowhere'"),
        ({"roles": ("access", "x\x1b[2J")}, r"'x\x1b[2J'"),
        ({"roles": tuple(f"r{n}" for n in range(MOST_ROLES + 1))}, "at most 64 roles"),
        ({"logins": ("0root",)}, "not a login"),
        ({"logins": ("a b",)}, "not a login"),
        ({"logins": tuple(f"l{n}" for n in range(MOST_LOGINS + 1))}, "at most 64 logins"),
        ({"traits": {f"t{n}": ("v",) for n in range(MOST_TRAITS + 1)}}, "at most 64 traits"),
        ({"traits": {"t": tuple(str(n) for n in range(65))}}, "64 values"),
        ({"traits": {"t": ("",)}}, "printable"),
        ({"traits": {"t": ("v" * 257,)}}, "printable"),
        ({"traits": {"t": ("a\nb",)}}, "printable"),
        ({"traits": {"": ("v",)}}, "not a trait name"),
        ({"password": "short"}, "characters"),
        ({"password": "p" * 1025}, "characters"),
        ({"password": "correct\nhorse battery"}, "control characters"),
        ({"password": "correct horse \ud800"}, "password"),
        ({"password": ""}, "characters"),
        ({"kind": UserKind.MACHINE, "password": PASSWORD}, "machine has no password"),
        ({"kind": UserKind.MACHINE, "owner": "robot"}, "person"),
        ({"owner": "bob"}, "only a machine"),
    ],
    ids=str,
)
async def test_what_a_user_cannot_be(office: Office, fields: dict[str, Any], words: str) -> None:
    await office.user("bob")
    await office.user("robot", kind=UserKind.MACHINE)
    before = len(await office.events())
    with pytest.raises(Invalid, match=r"^[^\n]+$") as refusal:
        await create(office, **fields)
    assert words in refusal.value.message
    assert refusal.value.message.isprintable()
    assert await office.store.read(lambda tx: tx.users.one(name="alice")) is None
    assert len(await office.events()) == before


async def test_traits_that_no_certificate_could_carry(office: Office) -> None:
    """Refused here, where it can be mended, and not at the user's next login."""
    heavy = {f"t{n}": tuple(f"{v:0250}" for v in range(64)) for n in range(8)}
    with pytest.raises(TooLarge, match="traits"):
        await create(office, traits=heavy)
    await office.user("bob")
    with pytest.raises(TooLarge, match="traits"):
        await users.update(office.desk, office.local, "bob", UserEdit(set_traits=heavy))


async def test_a_name_is_taken_once(office: Office) -> None:
    await office.user("alice", password=None)
    with pytest.raises(Exists, match="mezctl users update alice"):
        await create(office)
    assert len(await office.store.read(lambda tx: tx.users.all())) == 1


async def test_roles_logins_and_trait_values_are_kept_once_in_order(office: Office) -> None:
    view, _ = await create(
        office, roles=("access", "admin", "access"), logins=("b", "a", "b"), traits={"t": ("y", "x", "y")}
    )
    assert view.user.roles == ("access", "admin")
    assert view.user.logins == ("b", "a")
    assert view.user.traits == {"t": ("y", "x")}


async def test_an_update_says_what_it_changed(office: Office) -> None:
    await office.user("alice", "access", logins=("alice",), traits={"team": ("core",), "level": ("1",)})
    edit = UserEdit(
        add_roles=("reviewer",),
        remove_roles=("access",),
        set_traits={"team": ("infra", "core"), "level": ()},
        set_logins=(),
    )
    view = await users.update(office.desk, office.local, "alice", edit)
    assert view.user.roles == ("reviewer",)
    assert view.user.traits == {"team": ("infra", "core")}
    assert view.user.logins == ()
    event = await office.newest()
    assert event.kind is Kind.USER_UPDATED
    assert (event.details["added"], event.details["removed"]) == (("reviewer",), ("access",))


async def test_an_update_that_changes_nothing_is_no_event(office: Office) -> None:
    await office.user("alice", "access", logins=("alice",))
    before = len(await office.events())
    same = UserEdit(add_roles=("access",), set_logins=("alice",), set_traits={"gone": ()})
    await users.update(office.desk, office.local, "alice", same)
    assert len(await office.events()) == before


@pytest.mark.parametrize(
    "edit",
    [
        UserEdit(remove_roles=("reviewer",)),
        UserEdit(add_roles=("nowhere",)),
        UserEdit(set_logins=("no good",)),
        UserEdit(set_traits={"team": ("a\x00",)}),
    ],
    ids=["not held", "no such role", "bad login", "bad trait"],
)
async def test_an_update_that_is_refused_changes_nothing(office: Office, edit: UserEdit) -> None:
    user = await office.user("alice", "access")
    with pytest.raises(MeziteError):
        await users.update(office.desk, office.local, "alice", edit)
    assert await office.named("alice") == user


async def test_the_last_administrator_stays_one(office: Office) -> None:
    admin = await office.user("admin", "admin")
    await create(office, "robot", kind=UserKind.MACHINE, roles=("admin",))
    with pytest.raises(Conflict, match="last administrator"):
        await users.delete(office.desk, office.local, "admin")
    with pytest.raises(Conflict, match="last administrator"):
        await users.update(office.desk, office.local, "admin", UserEdit(remove_roles=("admin",)))
    assert await office.named("admin") == admin

    await office.user("other", "admin")
    await users.delete(office.desk, office.local, "admin")
    with pytest.raises(Conflict, match="last administrator"):
        await users.delete(office.desk, office.local, "other")


async def test_nobody_deletes_themselves(office: Office) -> None:
    admin = await office.person("admin", "admin")
    await office.user("other", "admin")
    with pytest.raises(Conflict, match="yourself"):
        await users.delete(office.desk, admin, "admin")


async def test_a_deleted_user_is_out_at_once_and_for_good(office: Office) -> None:
    alice = await office.person("alice", "access")
    secret, _ = await office.logins.web_token(office.proof("alice"))
    assert (await oneself.describe(office.desk, alice)).name == "alice"
    await users.delete(office.desk, office.local, "alice")

    with pytest.raises(NotLoggedIn, match="msh login"):
        await oneself.describe(office.desk, alice)
    with pytest.raises(NotLoggedIn):
        await office.logins.who_bears(secret)
    with pytest.raises(NotLoggedIn):
        await office.logins.web_token(office.proof("alice"))
    for shelf in ("credentials", "access_tokens", "enrolments"):
        assert await office.store.read(lambda tx, shelf=shelf: getattr(tx, shelf).all()) == []  # type: ignore[misc]

    # A namesake is somebody else: the old certificate does not become theirs.
    again = await office.user("alice", "admin")
    assert again.id != alice.identity.id
    with pytest.raises(NotLoggedIn):
        await oneself.describe(office.desk, alice)


async def test_a_role_taken_away_is_gone_at_the_next_call_and_an_added_one_waits_for_a_certificate(
    office: Office,
) -> None:
    alice = await office.person("alice", "auditor")
    await users.page(office.desk, alice, after="", limit=9)
    await users.update(
        office.desk, office.local, "alice", UserEdit(remove_roles=("auditor",), add_roles=("admin",))
    )
    with pytest.raises(Denied):
        await users.page(office.desk, alice, after="", limit=9)
    assert (await oneself.describe(office.desk, alice)).roles == ()
    assert (await oneself.describe(office.desk, await office.caller("alice"))).roles == ("admin",)


async def test_a_reset_takes_the_password_and_every_login(office: Office) -> None:
    alice = await office.person("alice")
    secret, _ = await office.logins.web_token(office.proof("alice"))
    office.pass_time(seconds=1)
    view, invitation = await users.reset(office.desk, office.local, "alice", mfa=False)
    assert not view.enrolled
    assert invitation.expires_at == office.clock.now() + timedelta(hours=1)
    with pytest.raises(NotLoggedIn):
        await oneself.describe(office.desk, alice)
    with pytest.raises(NotLoggedIn):
        await office.logins.who_bears(secret)
    with pytest.raises(NotLoggedIn):
        await office.logins.web_token(office.proof("alice"))
    # In the very moment of the reset a fresh login is good: it is not older than the reset.
    await office.logins.enrol(invitation.token, "another battery", "")
    fresh, _ = await office.logins.web_token(office.proof("alice", "another battery"))
    assert (await office.logins.who_bears(fresh)).name == "alice"


async def test_only_the_newest_invitation_works(office: Office) -> None:
    first = await office.invited("alice")
    _, second = await users.reset(office.desk, office.local, "alice", mfa=False)
    with pytest.raises(NotLoggedIn):
        await office.logins.enrol(first.token, PASSWORD, "")
    await office.logins.enrol(second.token, PASSWORD, "")


async def test_a_machine_cannot_be_reset(office: Office) -> None:
    await create(office, "ci", kind=UserKind.MACHINE)
    with pytest.raises(Conflict, match="machine"):
        await users.reset(office.desk, office.local, "ci", mfa=False)


@pytest.mark.parametrize("name", ["nobody", "", "x" * 300, "a\x1b[31m", "\ud800"])
async def test_users_who_are_not_there(office: Office, name: str) -> None:
    for attempt in (
        users.get(office.desk, office.local, name),
        users.update(office.desk, office.local, name, UserEdit()),
        users.delete(office.desk, office.local, name),
        users.reset(office.desk, office.local, name, mfa=True),
    ):
        with pytest.raises(NotFound) as refusal:
            await attempt
        assert refusal.value.message.isprintable()


async def test_who_may_not_learns_nothing_of_who_exists(office: Office) -> None:
    plain = await office.person("plain", "access")
    await office.user("bob")
    runs, answers = office.hasher.runs, []
    for name in ("bob", "nobody"):
        for attempt in (
            users.get(office.desk, plain, name),
            users.update(office.desk, plain, name, UserEdit()),
            users.delete(office.desk, plain, name),
            users.reset(office.desk, plain, name, mfa=False),
        ):
            with pytest.raises(Denied) as refusal:
                await attempt
            answers.append(refusal.value.message)
    assert answers[:4] == answers[4:]
    assert (await users.get(office.desk, plain, "plain")).user.name == "plain"
    with pytest.raises(Denied):
        await create(office, "eve", plain, roles=("admin",), password=PASSWORD)
    assert office.hasher.runs == runs, "who may not create users makes the hub hash nothing"


async def test_pages_go_by_name_and_leave_nobody_out(office: Office) -> None:
    names = [f"user-{number:02}" for number in range(7)]
    for name in reversed(names):
        await office.user(name, password=None)
    seen: list[str] = []
    while rows := await users.page(office.desk, office.local, after=seen[-1] if seen else "", limit=3):
        assert len(rows) <= 3
        seen += [row.user.name for row in rows]
    assert seen == names


async def test_every_change_is_told_to_the_feed(office: Office) -> None:
    user = await office.user("alice", "access")
    await users.update(office.desk, office.local, "alice", UserEdit(set_logins=("a",)))
    await users.reset(office.desk, office.local, "alice", mfa=True)
    await users.delete(office.desk, office.local, "alice")
    lines = await office.store.read(lambda tx: tx.changes.after(0, limit=99))
    mine = [line.op.value for line in lines if (line.kind, line.key) == (ChangeKind.USER, user.id)]
    assert mine == ["put", "put", "put", "delete"]


async def test_an_expired_certificate_is_no_certificate_and_no_event(office: Office) -> None:
    alice = await office.person("alice", "admin")
    almost = Caller(replace(alice.identity, expires_at=office.clock.now() + timedelta(microseconds=1)))
    await oneself.describe(office.desk, almost)
    before = len(await office.events())
    ended = Caller(replace(alice.identity, expires_at=office.clock.now()))
    with pytest.raises(NotLoggedIn, match="expired") as refusal:
        await oneself.describe(office.desk, ended)
    assert refusal.value.code == "expired"
    assert len(await office.events()) == before
