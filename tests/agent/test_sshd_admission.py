"""Who the node lets in: each rule of admission, its line on the user's terminal, and ends of all kinds."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from mezite.api.tunnel.orders import Asked, Told
from mezite.clock import SystemClock
from mezite.model.identity import Identity
from mezite.model.role import FileCopy, JoinRequirement, RecordPolicy, Role, SessionMfa
from tests.support.openssh import MISSING, me
from tests.support.roles import ssh_role
from tests.support.sshd import Node, alice, dev, node, rights

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING)]


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Node]:
    async with node(tmp_path) as served:
        yield served


async def refused(served: Node, *why: str) -> None:
    done = await served.ssh("echo in")
    assert done.returncode == 255
    assert done.stdout == b""
    for words in why:
        assert words in done.stderr.decode()


async def test_another_users_certificate_is_no_good_on_this_connection(served: Node) -> None:
    served.standing = lambda: rights(alice(id="user_bob000000000000", name="bob"), dev())
    await refused(served, "mezite: this connection was opened for another user", "Permission denied")


async def test_another_certificate_of_the_same_user_is_not_either(served: Node) -> None:
    served.standing = lambda: rights(alice(serial=5), dev())
    await refused(served, "another certificate of yours")


async def test_a_certificate_of_another_authority_is_refused(served: Node) -> None:
    served.give(alice(), ca="strangers")
    await refused(served, "Permission denied")


async def test_a_certificate_of_another_cluster_is_refused(served: Node) -> None:
    served.give(alice(), cluster="elsewhere")
    await refused(served, "Permission denied")


async def test_a_certificate_that_ran_out_is_refused(served: Node) -> None:
    now = SystemClock().now()
    gone: Identity = replace(
        alice(),
        issued_at=now - timedelta(hours=2),
        expires_at=(now - timedelta(hours=1)).replace(microsecond=0),
    )
    served.give(gone)
    served.standing = lambda: rights(gone, dev())
    # The client itself passes over a certificate that has run out.
    await refused(served, "Permission denied")


async def test_a_bare_key_is_refused(served: Node) -> None:
    (served.place / "key-cert.pub").unlink()
    await refused(served, "Permission denied")


@pytest.mark.parametrize(
    ("role", "why"),
    [
        (dev("somebody-else"), "you may not log in to this node as"),
        (ssh_role("dev", labels={"env": ("production",)}, logins=(me(),)), "you may not log in"),
        (ssh_role("other", labels={"env": ("staging",)}, logins=(me(),)), "you may not log in"),
        (dev(require_session_mfa=SessionMfa.TOTP), "second factor"),
        (dev(require_session_mfa=SessionMfa.WEBAUTHN), "security key"),
        (dev(record=RecordPolicy.STRICT), "recorded"),
        (dev(require_session_join=(JoinRequirement("two"),)), "others be present"),
    ],
)
async def test_roles_decide(served: Node, role: Role, why: str) -> None:
    served.standing = lambda: rights(alice(), role)
    await refused(served, "mezite: ", why)


async def test_labels_that_only_the_hub_knows_count(served: Node) -> None:
    role = ssh_role("dev", labels={"env": ("production",)}, logins=(me(),))
    served.standing = lambda: rights(alice(), role, labels={"env": "production"})
    assert (await served.ssh("true")).returncode == 0


async def test_a_proved_factor_opens(served: Node) -> None:
    served.standing = lambda: rights(alice(), dev(require_session_mfa=SessionMfa.TOTP), mfa=True)
    assert (await served.ssh("true")).returncode == 0


async def test_a_locked_login_is_refused(served: Node) -> None:
    served.standing = lambda: rights(alice(), dev(), locked_logins=(me(),))
    await refused(served, "is locked")


async def test_an_unknown_login_is_said_to_be_one(served: Node) -> None:
    served.login = "no-such-login"
    served.standing = lambda: rights(alice(), dev("no-such-login"))
    await refused(served, 'this node has no login "no-such-login"')


async def test_an_agent_without_root_serves_only_its_own_login(
    served: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    served.login = "root"
    served.standing = lambda: rights(alice(), dev("root"))
    await refused(served, "does not run as root and serves only its own login")


async def test_the_hub_is_asked_for_each_session_and_may_say_no(served: Node) -> None:
    served.decide = lambda _ask: "at most 2 sessions at once"
    done = await served.ssh("echo in")
    assert (done.returncode, done.stdout) == (255, b"")
    assert done.stderr == b"mezite: at most 2 sessions at once\n"
    [ask] = served.asked
    assert (ask.kind, ask.what, ask.login) == (Asked.SESSION, "exec", me())
    assert ask.connection_id == served.connections[0].id


async def test_without_a_line_to_the_hub_nothing_opens(served: Node) -> None:
    served.around.questions.line_is(None)
    done = await served.ssh("echo in")
    assert (done.returncode, done.stdout) == (255, b"")
    assert b"the hub cannot be reached" in done.stderr


async def test_a_cut_ends_the_session_its_processes_and_says_why(served: Node, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    command = (
        f"setsid sh -c 'echo $$ > {file}; exec sleep 60' & until test -s {file}; do :; done; echo ready; wait"
    )
    async with served.talking(command, "-tt") as talk:
        await talk.until(b"ready")
        served.connections[0].cut("this node is locked")
        assert await talk.status() == 255
        assert b"\r\nmezite: this node is locked\r\n" in talk.said
    pid = int((tmp_path / "pid").read_text())
    if served.around.cgroups.has_any:
        async with asyncio.timeout(5):
            while _lives(pid):  # noqa: ASYNC110  no event tells a test of another's child
                await asyncio.sleep(0.01)
    async with asyncio.timeout(5):
        while not served.tells(Told.CONNECTION_END):  # noqa: ASYNC110  its client is gone before it is told
            await asyncio.sleep(0.01)
    for kind in (Told.SESSION_END, Told.CONNECTION_END):
        [end] = served.tells(kind)
        assert end["reason"] == "this node is locked"


async def test_a_cut_ends_what_a_session_left_that_has_ended(served: Node, tmp_path: Path) -> None:
    if not served.around.cgroups.has_any:
        return
    control = ["-o", f"ControlPath={tmp_path}/control"]
    file = tmp_path / "pid"
    async with served.talking("echo ready; sleep 60", "-M", *control) as talk:
        await talk.until(b"ready")
        left = (
            f"setsid sh -c 'echo $$ > {file}; exec sleep 60' >&- 2>&- <&- & until test -s {file}; do :; done"
        )
        assert (await served.ssh(left, flags=control)).returncode == 0
        served.connections[0].cut("this node is locked")
        await talk.status()
    pid = int(file.read_text())
    async with asyncio.timeout(5):
        while _lives(pid):  # noqa: ASYNC110  no event tells a test of another's child
            await asyncio.sleep(0.01)


async def test_rights_that_no_longer_let_in_cut_at_once(served: Node) -> None:
    async with served.talking("echo ready; sleep 60", "-tt") as talk:
        await talk.until(b"ready")
        served.connections[0].update(rights(alice(), dev(), revision=2, locked_logins=(me(),)))
        assert await talk.status() == 255
        assert b"is locked" in talk.said


async def test_an_end_by_the_user_has_no_reason(served: Node) -> None:
    await served.ssh("true")
    [end] = served.tells(Told.SESSION_END)
    assert "reason" not in end


async def test_older_rights_are_passed_over(served: Node) -> None:
    served.standing = lambda: rights(alice(), dev(), revision=7)
    async with served.talking("echo ready; read line; echo still $line", "-tt") as talk:
        await talk.until(b"ready")
        served.connections[0].update(rights(alice(), revision=6))
        talk.type(b"here\n")
        await talk.until(b"still here")


async def test_a_connection_ends_with_its_certificate(served: Node) -> None:
    soon = replace(alice(), expires_at=SystemClock().now().replace(microsecond=0) + timedelta(seconds=2))
    served.give(soon)
    served.standing = lambda: rights(soon, dev())
    done = await served.ssh("sleep 60", flags=["-tt"])
    assert done.returncode == 255
    assert b"your certificate has run out" in done.stdout


async def test_a_client_that_does_nothing_is_cut(served: Node) -> None:
    served.standing = lambda: rights(alice(), dev(client_idle_timeout=timedelta(seconds=1)))
    done = await served.ssh("while :; do echo busy; sleep 0.05; done", flags=["-tt"])
    assert done.returncode == 255
    assert b"nothing was typed for too long" in done.stdout


async def test_without_a_terminal_errors_keep_awake_as_output_does(served: Node) -> None:
    served.standing = lambda: rights(alice(), dev(client_idle_timeout=timedelta(seconds=2)))
    done = await served.ssh("for n in 1 2 3 4 5 6 7 8 9; do echo busy >&2; sleep 0.3; done; exit 3")
    assert done.returncode == 3, done


async def test_a_copy_that_is_not_allowed_is_refused_before_it_runs(served: Node) -> None:
    served.standing = lambda: rights(alice(), dev(file_copy=FileCopy.DOWNLOAD))
    done = await served.ssh("scp -t /tmp")
    assert done.returncode == 255
    assert b"to upload files is not allowed here" in done.stderr
    [told] = served.tells(Told.FILE)
    assert (told["tool"], told["direction"], told["path"], told["ok"]) == ("scp", "upload", "/tmp", False)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
