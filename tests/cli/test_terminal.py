"""What only happens with a person at a terminal: agreeing to a hub, typing passwords and codes."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from mezite.client.profiles import Profiles
from tests.support.hub_process import PASSWORD, Prompt, RunningHub, environment, program

pytestmark = pytest.mark.slow

STEP_S = 30
NEW_PASSWORD = "a quite different one"


@contextmanager
def typed(home: Path, *arguments: str) -> Iterator[pexpect.spawn[str]]:
    """`msh` on a terminal of 100 columns."""
    command, *rest = [*program("msh"), *arguments]
    child = pexpect.spawn(
        command, rest, env=environment(home), encoding="utf-8", timeout=20, dimensions=(40, 100)
    )
    try:
        yield child
    finally:
        child.close(force=True)


def ended(child: pexpect.spawn[str]) -> int:
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus is not None
    return child.exitstatus


def totp(secret: str, step: int) -> str:
    """RFC 6238 with its usual numbers; written here so that the product's own cannot vouch for itself."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.new(key, struct.pack(">Q", step), hashlib.sha1).digest()
    at = digest[-1] & 15
    return f"{(int.from_bytes(digest[at : at + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


def test_first_contact_shows_the_pin_and_asks(hub: RunningHub, tmp_path: Path, casey: str) -> None:
    login = ("login", f"--proxy={hub.web}", f"--user={casey}")
    with typed(tmp_path / "home", *login) as child:
        child.expect_exact(hub.ca_pin)
        child.expect_exact("Is it the same? [y/N]")
        child.sendline("y")
        child.expect_exact(f"Password of {casey}:")
        child.sendline(PASSWORD)
        child.expect_exact(f"User: {casey}")
        assert ended(child) == 0
        assert PASSWORD not in (child.before or "")
    with typed(tmp_path / "home", *login) as child:
        child.expect_exact(f"Password of {casey}:")
        child.sendline(PASSWORD)
        assert ended(child) == 0


@pytest.mark.parametrize("answer", ["n", ""])
def test_a_hub_that_is_not_agreed_to_gets_nothing(hub: RunningHub, tmp_path: Path, answer: str) -> None:
    with typed(tmp_path / "home", "login", f"--proxy={hub.web}", "--user=alice") as child:
        child.expect_exact("Is it the same? [y/N]")
        child.sendline(answer)
        assert ended(child) == 1
    assert Profiles(tmp_path / "home").names() == ()


def test_ctrl_c_at_the_password_is_130(hub: RunningHub, tmp_path: Path, admin: Prompt) -> None:
    with typed(admin.home, "login", "--user=admin") as child:
        child.expect_exact("Password of admin:")
        child.sendintr()
        assert ended(child) == 130


def test_end_of_input_at_the_password_is_said(admin: Prompt) -> None:
    with typed(admin.home, "login", "--user=admin") as child:
        child.expect_exact("Password of admin:")
        child.sendeof()
        child.expect_exact("standard input has ended")
        assert ended(child) == 1


def test_a_second_factor_is_enrolled_asked_for_and_removed(
    hub: RunningHub, prompt: Prompt, user: str, log_in: Callable[[str], None]
) -> None:
    log_in(user)
    assert prompt.msh("mfa", "ls", "--format=json").json == []
    with typed(prompt.home, "mfa", "add") as child:
        child.expect_exact(f"Password of {user}:")
        child.sendline(PASSWORD)
        child.expect("[▀▄█]{5}")  # the QR code
        child.expect(r"\s([A-Z2-7]{16,64})\s")
        assert isinstance(child.match, re.Match)
        secret = child.match[1]
        child.expect_exact("The code it shows:")
        child.sendline("000000")
        child.expect_exact("wrong code")
        child.expect_exact("The code it shows:")
        step = int(time.time()) // STEP_S
        child.sendline(totp(secret, step))
        child.expect_exact("The second factor is enrolled.")
        assert ended(child) == 0
        codes = re.findall(r"^  (\S+)\r?$", child.before or "", flags=re.M)
    assert len(codes) >= 8
    assert prompt.msh("mfa", "ls", "--format=json").json == [{"type": "totp", "proved": False}]

    plain = prompt.msh("login", f"--user={user}", "--password-stdin", stdin=PASSWORD)
    assert plain.code == 3
    assert "--otp=CODE" in plain.err
    with typed(prompt.home, "login", f"--user={user}") as child:
        child.expect_exact("Password of")
        child.sendline(PASSWORD)
        child.expect_exact("One-time code:")
        child.sendline(codes[0])
        assert ended(child) == 0
    used = prompt.msh("login", f"--user={user}", f"--otp={codes[0]}", "--password-stdin", stdin=PASSWORD)
    assert used.code == 3, "a recovery code is good once"
    assert prompt.msh("status", "--format=json").json["mfa"] is True

    assert prompt.msh("mfa", "rm", "--otp=000000").code == 4
    assert prompt.msh("mfa", "rm", f"--otp={codes[1]}").code == 0
    assert prompt.msh("login", f"--user={user}", "--password-stdin", stdin=PASSWORD).code == 0


def test_a_password_is_changed_and_the_login_goes_on(
    hub: RunningHub, prompt: Prompt, user: str, log_in: Callable[[str], None]
) -> None:
    log_in(user)
    with typed(prompt.home, "passwd") as child:
        child.expect_exact("Old password:")
        child.sendline(PASSWORD)
        child.expect_exact("New password:")
        child.sendline(NEW_PASSWORD)
        child.expect_exact("Repeat for confirmation:")
        child.sendline(NEW_PASSWORD)
        child.expect_exact("Password changed")
        assert ended(child) == 0
    assert prompt.msh("status").code == 0
    assert prompt.msh("login", f"--user={user}", "--password-stdin", stdin=PASSWORD).code == 3
    back = prompt.msh("passwd", "--password-stdin", stdin=f"{NEW_PASSWORD}\nshort\n")
    assert back.code == 2
    assert prompt.msh("passwd", "--password-stdin", stdin=f"wrong one\n{PASSWORD}\n").code == 4
    assert prompt.msh("passwd", "--password-stdin", stdin=f"{NEW_PASSWORD}\n{PASSWORD}\n").code == 0


def test_tables_fit_the_terminal(admin: Prompt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)  # it would speak for the terminal
    command, *rest = [*program("mezctl"), "audit", "ls"]
    child = pexpect.spawn(
        str(command), rest, env=environment(admin.home), encoding="utf-8", timeout=20, dimensions=(40, 60)
    )
    child.expect(pexpect.EOF)
    assert child.before
    assert max(len(line) for line in child.before.splitlines()) <= 60
