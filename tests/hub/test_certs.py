"""Certificates: for how long, for which logins, and never past the end of the login that asks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from daemons.hub.desk import certs, locks, oneself
from daemons.hub.desk.certs import CAP, DEFAULT_TTL
from daemons.hub.desk.who import Caller
from mezite.audit.events import Kind
from mezite.ca import ssh_certs, tls_certs
from mezite.errors import Conflict, Denied, Invalid, NotFound, NotLoggedIn
from mezite.model.authority import AuthorityKind
from mezite.model.lock import LockTarget
from mezite.model.user import UserKind
from tests.support.authorities import CLUSTER
from tests.support.desk import Office, keys

HOUR = timedelta(hours=1)


async def lifetime(office: Office, ttl: timedelta | None = None) -> timedelta:
    issued = await office.logins.certificates(office.proof("alice"), keys(), ttl)
    return issued.identity.expires_at - office.clock.now()


async def test_twelve_hours_unless_asked_and_a_day_at_most(office: Office) -> None:
    await office.user("alice", "access")
    assert await lifetime(office) == DEFAULT_TTL == timedelta(hours=12)
    assert await lifetime(office, CAP) == timedelta(hours=24)
    assert await lifetime(office, timedelta(seconds=1)) == timedelta(seconds=1)
    for bad in (CAP + timedelta(seconds=1), timedelta(milliseconds=999), timedelta(-1)):
        with pytest.raises(Invalid, match="1s to 24h"):
            await lifetime(office, bad)


async def test_the_smallest_limit_of_all_held_roles_counts(office: Office) -> None:
    await office.role("short", "{options: {max_session_ttl: 30m}}")
    await office.role("shorter", "{options: {max_session_ttl: 10m}}")
    await office.user("alice", "access", "short", "shorter")
    assert await lifetime(office) == timedelta(minutes=10)
    assert await lifetime(office, HOUR) == timedelta(minutes=10)
    assert await lifetime(office, timedelta(minutes=1)) == timedelta(minutes=1)


async def test_both_certificates_say_the_same(office: Office) -> None:
    await office.role("ops", "{allow: {logins: [root, '{{user.name}}'], node_labels: {'*': '*'}}}")
    await office.role("no-root", "{deny: {logins: [root]}}")
    await office.user("alice", "ops", "no-root", traits={"team": ("core",)})
    issued = await office.logins.certificates(office.proof("alice"), keys(), HOUR)
    keyring, now = office.desk.keyring, office.clock.now()
    tls = tls_certs.check_client(
        issued.tls_pem.encode(), trusted=keyring.tls_authorities, cluster=CLUSTER, now=now
    )
    authority = await office.authority(AuthorityKind.USER)
    ssh = ssh_certs.check_user(issued.ssh_line, trusted=[authority], cluster=CLUSTER, now=now)
    assert ssh.identity == tls == issued.identity
    assert ssh.principals == issued.logins == ("alice",)


async def test_renewing_never_prolongs_a_login(office: Office) -> None:
    await office.user("alice", "access")
    alice = await office.caller("alice", ttl=HOUR, mfa=True)
    end = alice.identity.expires_at
    for ttl in (None, timedelta(hours=20), HOUR):
        renewed = await certs.renew(office.desk, alice, keys(), ttl)
        assert renewed.identity.expires_at == end
        assert renewed.identity.mfa
    shorter = await certs.renew(office.desk, alice, keys(), timedelta(minutes=5))
    assert shorter.identity.expires_at == office.clock.now() + timedelta(minutes=5)
    office.pass_time(minutes=59)
    with pytest.raises(NotLoggedIn, match="expired"):
        await certs.renew(office.desk, Caller(shorter.identity), keys(), None)
    again = await certs.renew(office.desk, alice, keys(), None)
    assert again.identity.expires_at == end
    office.pass_time(minutes=1)
    with pytest.raises(NotLoggedIn, match="expired"):
        await certs.renew(office.desk, alice, keys(), None)


async def test_renewing_brings_the_roles_of_this_moment(office: Office) -> None:
    from daemons.hub.desk import users
    from daemons.hub.desk.users import UserEdit

    alice = await office.person("alice", "access")
    edit = UserEdit(add_roles=("auditor",), remove_roles=("access",))
    await users.update(office.desk, office.local, "alice", edit)
    assert (await oneself.describe(office.desk, alice)).roles == ()
    renewed = await certs.renew(office.desk, alice, keys(), None)
    assert renewed.identity.roles == ("auditor",)
    assert (await oneself.describe(office.desk, Caller(renewed.identity))).roles == ("auditor",)


async def test_only_a_user_renews(office: Office) -> None:
    node = office.node_caller(await office.node("web-1"))
    for caller in (office.local, node):
        with pytest.raises(Denied, match="not a user"):
            await certs.renew(office.desk, caller, keys(), None)


async def test_signing_for_others_takes_the_right_and_is_written_down(office: Office) -> None:
    admin, olivia = await office.person("admin", "admin"), await office.person("olivia", "auditor")
    await office.user("ci", "access", kind=UserKind.MACHINE)
    issued = await certs.sign(office.desk, admin, "ci", keys(), HOUR)
    assert (issued.identity.name, issued.identity.mfa) == ("ci", False)
    event = await office.newest()
    assert (event.kind, event.user, event.reason) == (Kind.CERT_ISSUED, "ci", "signed by admin")
    for name in ("ci", "nobody"):
        with pytest.raises(Denied):
            await certs.sign(office.desk, olivia, name, keys(), HOUR)
    with pytest.raises(NotFound):
        await certs.sign(office.desk, admin, "nobody", keys(), HOUR)
    with pytest.raises(Invalid, match="msh login"):
        await certs.sign(office.desk, admin, "admin", keys(), HOUR)


@pytest.mark.parametrize(("target", "name"), [(LockTarget.USER, "ci"), (LockTarget.ROLE, "access")], ids=str)
async def test_nothing_is_signed_for_who_is_locked(office: Office, target: LockTarget, name: str) -> None:
    await office.user("ci", "access", kind=UserKind.MACHINE)
    await locks.create(office.desk, office.local, target, name)
    with pytest.raises(Conflict, match="ci is locked"):
        await certs.sign(office.desk, office.local, "ci", keys(), HOUR)
    assert await office.events(Kind.CERT_ISSUED) == []


async def test_a_user_without_logins_gets_a_certificate_that_opens_no_account(office: Office) -> None:
    await office.user("alice", "admin")
    issued = await office.logins.certificates(office.proof("alice"), keys(), HOUR)
    assert issued.logins == ()
    authority = await office.authority(AuthorityKind.USER)
    ssh = ssh_certs.check_user(issued.ssh_line, trusted=[authority], cluster=CLUSTER, now=office.clock.now())
    assert "alice" not in ssh.principals
    assert "root" not in ssh.principals


async def test_without_an_ssh_key_there_is_no_ssh_certificate(office: Office) -> None:
    alice = await office.person("alice", "access")
    issued = await certs.renew(office.desk, alice, replace(keys(), ssh_line=""), None)
    assert issued.ssh_line == ""
    assert "BEGIN CERTIFICATE" in issued.tls_pem
