"""A hub that dies loses nothing it had promised, and half of nothing is there when it comes back.

Callers write through the real API while the process is killed: at each named point of a commit, and at twenty
seeded instants. Each start on the same data then finds every acknowledged write, every other one whole or not
at all, and a chain that verifies.
"""

from __future__ import annotations

import json
import random
import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from mezite.api.generated import audit_pb2, common_pb2, locks_pb2, roles_pb2, users_pb2
from mezite.client.hub import Hub
from mezite.client.login import enrol
from mezite.client.methods import (
    AUDIT_EXPORT,
    AUDIT_VERIFY,
    IDENTITY_WHO_AM_I,
    LOCKS_CREATE,
    LOCKS_LIST,
    ROLES_LIST,
    ROLES_PUT,
    USERS_CREATE,
    USERS_DELETE,
    USERS_LIST,
)
from mezite.client.profile import Pass, Profile
from mezite.errors import MeziteError
from mezite.storage.failpoints import POINTS
from tests.support.mezhub import Mezhub, Serving

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
CALLERS = 4
KILLS = 20
AFTER_START = 40
"""Commits that a start makes at most, with room: a point of a greater number trips under the callers."""
MOST_WRITES = 200
"""Of one caller in one life; the hub dies long before."""


@dataclass
class Ledger:
    """What callers asked for, and what they were told is done."""

    asked: set[str] = field(default_factory=set)
    told: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, what: str) -> int:
        with self.lock:
            self.asked.add(what)
            return len(self.asked)

    def tell(self, what: str) -> None:
        with self.lock:
            self.told.add(what)


class Callers:
    """Several at once, each on its own connection, doing one thing after the other until the hub is gone."""

    def __init__(self, serving: Serving, life: int, ledger: Ledger, kill_at: int | None) -> None:
        self._serving, self._life, self._ledger = serving, life, ledger
        self._kill_at = kill_at and len(ledger.asked) + kill_at
        self.faults: list[BaseException] = []

    def write_until_it_dies(self) -> None:
        threads = [threading.Thread(target=self._write, args=(number,)) for number in range(CALLERS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(120)
        assert not any(thread.is_alive() for thread in threads)
        assert not self.faults, self.faults
        self._serving.process.wait(60)

    def _write(self, number: int) -> None:
        try:
            with self._serving.as_local() as hub:
                for turn in range(MOST_WRITES):
                    name = f"{self._life}-{number}-{turn}"
                    for verb, act in ACTS.items():
                        self._do(hub, f"{verb} {name}", act, name)
        except MeziteError:
            return  # the hub is gone
        except BaseException as fault:  # noqa: BLE001  # told by the test's own thread
            self.faults.append(fault)

    def _do(self, hub: Hub, what: str, act: Callable[[Hub, str], object], name: str) -> None:
        if self._ledger.ask(what) == self._kill_at:
            # Others are in the middle of theirs at this very moment.
            self._serving.process.send_signal(signal.SIGKILL)
        act(hub, name)
        self._ledger.tell(what)


def _create_user(hub: Hub, name: str) -> None:
    request = users_pb2.CreateUserRequest(name=f"u{name}", roles=["access"], logins=[f"l{name}"])
    hub.call(USERS_CREATE, request)


def _create_role(hub: Hub, name: str) -> None:
    text = f"kind: role\nmetadata: {{name: r{name}}}\nspec: {{allow: {{logins: [l{name}]}}}}\n"
    hub.call(ROLES_PUT, roles_pb2.PutRolesRequest(text=text))


def _lock(hub: Hub, name: str) -> None:
    hub.call(LOCKS_CREATE, locks_pb2.CreateLockRequest(target="login", name=f"l{name}"))


def _come_and_go(hub: Hub, name: str) -> None:
    hub.call(USERS_CREATE, users_pb2.CreateUserRequest(name=f"g{name}"))
    hub.call(USERS_DELETE, users_pb2.UserName(name=f"g{name}"))


ACTS: dict[str, Callable[[Hub, str], None]] = {
    "user": _create_user,
    "role": _create_role,
    "lock": _lock,
    "gone": _come_and_go,
}


def judge(serving: Serving, ledger: Ledger) -> None:
    """Holds what is there against what was asked and told, and rows against the log."""
    with serving.as_local() as hub:
        users = {user.name: user for user in hub.pages(USERS_LIST, _users, lambda user: user.name)}
        roles = {
            role.name for role in hub.pages(ROLES_LIST, _roles, lambda role: role.name) if not role.builtin
        }
        locks = {lock.name for lock in hub.pages(LOCKS_LIST, _locks, lambda lock: lock.id)}
        links = list(hub.stream(AUDIT_EXPORT, audit_pb2.ExportEventsRequest()))
        verdict = hub.call(AUDIT_VERIFY, audit_pb2.VerifyRequest(), timeout_s=60)
    assert verdict.sound, [finding.what for finding in verdict.findings]
    events = [json.loads(link.event.body) for link in links if link.WhichOneof("line") == "event"]
    assert [link.event.seq for link in links if link.WhichOneof("line") == "event"] == list(
        range(1, len(events) + 1)
    )
    created, deleted = of(events, "user.created"), of(events, "user.deleted")

    kept = {f"user {name[1:]}" for name in users if name.startswith("u")}
    assert ledger_of(ledger.told, "user") <= kept <= ledger_of(ledger.asked, "user")
    for name, user in users.items():
        if name.startswith("u"):
            assert (list(user.roles), list(user.logins)) == (["access"], [f"l{name[1:]}"]), "whole or absent"
    assert len(created) == len(set(created)), "nothing is done twice"
    assert set(created) - set(deleted) == set(users), "every row has its event, and every event its row"

    assert ledger_of(ledger.told, "role") <= {f"role {name[1:]}" for name in roles}
    assert set(of(events, "role.created")) == roles
    assert ledger_of(ledger.told, "lock") <= {f"lock {name[1:]}" for name in locks}
    assert {resource.removeprefix("login:") for resource in of(events, "lock.created")} == locks
    for what in ledger_of(ledger.told, "gone"):
        assert f"g{what.removeprefix('gone ')}" not in users


def of(events: list[dict[str, str]], type_: str) -> list[str]:
    return [event["resource"] for event in events if event["type"] == type_]


def ledger_of(entries: set[str], verb: str) -> set[str]:
    return {entry for entry in entries if entry.startswith(f"{verb} ")}


def _users(answer: users_pb2.UserList) -> tuple[list[users_pb2.User], bool]:
    return list(answer.users), answer.more


def _roles(answer: roles_pb2.RoleList) -> tuple[list[roles_pb2.Role], bool]:
    return list(answer.roles), answer.more


def _locks(answer: locks_pb2.LockList) -> tuple[list[locks_pb2.Lock], bool]:
    return list(answer.locks), answer.more


@pytest.fixture(scope="module")
def mezhub(tmp_path_factory: pytest.TempPathFactory) -> Mezhub:
    return Mezhub(tmp_path_factory.mktemp("crash"))


@pytest.fixture(scope="module")
def admin(mezhub: Mezhub) -> Profile:
    """Logged in before the first crash; the same login is used after the last."""
    with mezhub.serving() as serving:
        enrol(serving.contact, serving.facts["first_admin_token"], PASSWORD)
        profile = serving.log_in("admin", PASSWORD, timedelta(hours=2))
        assert serving.stop() == 0
    return profile


@pytest.fixture(scope="module")
def ledger() -> Ledger:
    return Ledger()


def still_admin(serving: Serving, admin: Profile) -> None:
    assert admin.login is not None
    keys = admin.login.keys
    hub = serving.contact.hub
    with Hub(Pass(hub, keys.tls_certificate, keys.tls_key, admin.login.expires_at)) as dialled:
        assert dialled.call(IDENTITY_WHO_AM_I, common_pb2.Empty()).name == "admin"


@pytest.mark.timeout(300)
def test_killed_at_each_named_point_and_at_seeded_instants(
    mezhub: Mezhub, admin: Profile, ledger: Ledger, rng: random.Random
) -> None:
    """One story over one directory: each life judges the ones before, so nothing may go wrong slowly."""
    lives: list[tuple[str, int | None]] = [
        (f"{point}:{AFTER_START + rng.randrange(40)}", None) for point in POINTS
    ]
    lives += [("", rng.randrange(1, 150)) for _ in range(KILLS)]
    for life, (failpoint, kill_at) in enumerate(lives):
        before = len(ledger.told)
        with mezhub.serving(failpoint) as serving:
            judge(serving, ledger)
            if life % 6 == 0:
                still_admin(serving, admin)
            callers = Callers(serving, life, ledger, kill_at)
            callers.write_until_it_dies()
            assert serving.process.returncode == -signal.SIGKILL, mezhub.log[-2_000:]
        if failpoint:
            assert len(ledger.told) > before, "it died under the callers, not at its start"
    with mezhub.serving() as serving:
        judge(serving, ledger)
        still_admin(serving, admin)
        assert serving.log_in("admin", PASSWORD).login is not None
        assert serving.stop() == 0
    assert len(ledger.told) > 100
    assert "Traceback" not in mezhub.log


@pytest.mark.parametrize(("point", "nth"), list(zip(POINTS, (3, 2, 1, 4), strict=True)))
def test_killed_at_the_very_first_start(tmp_path: Path, point: str, nth: int) -> None:
    """Keys, cluster and first administrator are made in a few commits; a crash between any two is mended."""
    mezhub = Mezhub(tmp_path / "hub")
    assert mezhub.dies(f"{point}:{nth}") == -signal.SIGKILL
    with mezhub.serving() as serving:
        judge(serving, Ledger(asked={"user "}))
        enrol(serving.contact, serving.facts["first_admin_token"], PASSWORD)
        assert serving.stop() == 0
