"""Logging in, looking who one is, logging out: against a real hub."""

from __future__ import annotations

import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from mezite.ca.tls_authority import to_pem
from mezite.client.profiles import Profiles
from tests.support.authorities import tls
from tests.support.hub_process import ADMIN, PASSWORD, Prompt, RunningHub


def test_a_login_is_shown_and_stays(
    hub: RunningHub, prompt: Prompt, casey: str, log_in: Callable[[str], None]
) -> None:
    log_in(casey)
    outcome = prompt.msh("status")
    assert outcome.code == 0
    lines = dict(line.split(": ", 1) for line in outcome.out.splitlines())
    assert lines["User"] == casey
    assert lines["Roles"] == "access"
    assert lines["Logins"] == casey
    assert lines["Cluster"] == "production"
    assert lines["Proxy"] == hub.web
    assert "[valid for 11h59m" in lines["Valid until"] or "[valid for 12h" in lines["Valid until"]
    assert lines["MFA"] == "not enrolled"


def test_status_as_json_and_yaml(prompt: Prompt, casey: str, log_in: Callable[[str], None]) -> None:
    log_in(casey)
    shown = prompt.msh("status", "--format=json").json
    assert shown["user"] == casey
    assert shown["roles"] == [{"name": "access", "expires_at": None}]
    assert shown["hub_asked"] is True
    assert yaml.safe_load(prompt.msh("status", "--format=yaml").out)["user"] == casey


def test_what_a_login_leaves_on_disk(prompt: Prompt, casey: str, log_in: Callable[[str], None]) -> None:
    log_in(casey)
    profile = Path(prompt.msh("status", "--format=json").json["profile"])
    files = {str(path.relative_to(profile)) for path in profile.rglob("*") if path.is_file()}
    assert files == {
        "profile.json", "ca/tls.pem", "ca/hosts", "keys/ssh_key", "keys/ssh_key.pub", "keys/ssh_key-cert.pub",
        "keys/tls_key.pem", "keys/tls_cert.pem",
    }  # fmt: skip
    for path in (prompt.home, *prompt.home.rglob("*")):
        if not path.is_symlink():
            wanted = 0o700 if path.is_dir() else 0o600
            assert stat.S_IMODE(path.stat().st_mode) == wanted, path


def test_openssh_reads_what_a_login_leaves(prompt: Prompt, casey: str, log_in: Callable[[str], None]) -> None:
    log_in(casey)
    keys = Path(prompt.msh("status", "--format=json").json["profile"]) / "keys"
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", keys / "ssh_key-cert.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert f'Key ID: "{casey}"' in shown
    made = subprocess.run(
        ["ssh-keygen", "-y", "-f", keys / "ssh_key"], capture_output=True, text=True, check=True
    )
    assert made.stdout.split()[:2] == (keys / "ssh_key.pub").read_text().split()[:2]
    hosts = (prompt.home / "known_hosts").read_text()
    assert "@cert-authority *,*.production,*.production.mezite ssh-ed25519 " in hosts


def test_the_words_for_a_wrong_password_and_an_unknown_user_are_the_same(
    hub: RunningHub, prompt: Prompt, casey: str
) -> None:
    told = set()
    for who in (casey, "nobody-of-that-name"):
        outcome = prompt.msh(
            "login", f"--proxy={hub.web}", f"--user={who}", f"--ca-pin={hub.ca_pin}", "--password-stdin",
            stdin="not the password\n",
        )  # fmt: skip
        assert outcome.code == 3
        assert outcome.out == ""
        told.add(outcome.err)
    assert len(told) == 1
    assert "Traceback" not in told.pop()


def test_a_hub_that_is_not_known_needs_its_pin(hub: RunningHub, prompt: Prompt, casey: str) -> None:
    outcome = prompt.msh("login", f"--proxy={hub.web}", f"--user={casey}", "--password-stdin", stdin=PASSWORD)
    assert outcome.code == 1
    assert "--ca-pin=sha256:" in outcome.err
    assert hub.ca_pin not in outcome.err, "a pin that is shown there would be pasted unread"


def test_a_wrong_pin_is_refused_and_says_both(hub: RunningHub, prompt: Prompt, casey: str) -> None:
    wrong = "sha256:" + "0" * 64
    outcome = prompt.msh(
        "login",
        f"--proxy={hub.web}",
        f"--user={casey}",
        f"--ca-pin={wrong}",
        "--password-stdin",
        stdin=PASSWORD,
    )
    assert outcome.code == 1
    assert wrong in outcome.err
    assert hub.ca_pin in outcome.err
    assert not (prompt.home / "profiles").exists()


def test_one_right_pin_of_several_is_enough(hub: RunningHub, prompt: Prompt, casey: str) -> None:
    outcome = prompt.msh(
        "login", f"--proxy={hub.web}", f"--user={casey}", "--ca-pin=sha256:" + "0" * 64,
        f"--ca-pin={hub.ca_pin}", "--password-stdin", stdin=PASSWORD,
    )  # fmt: skip
    assert outcome.code == 0


@pytest.mark.parametrize("pin", ["", "sha256:12", "md5:" + "0" * 64, "sha256:" + "g" * 64])
def test_what_is_no_pin_is_refused_before_anything_is_dialled(prompt: Prompt, pin: str) -> None:
    outcome = prompt.msh(
        "login", "--proxy=127.0.0.1:1", "--user=alice", f"--ca-pin={pin}", "--password-stdin"
    )
    assert outcome.code == 2
    assert "sha256:" in outcome.err


def test_the_second_login_asks_for_no_pin(
    hub: RunningHub, prompt: Prompt, casey: str, log_in: Callable[[str], None]
) -> None:
    log_in(casey)
    assert prompt.msh("login", f"--user={casey}", "--password-stdin", stdin=PASSWORD).code == 0
    assert prompt.msh("login", "--password-stdin", stdin=PASSWORD).code == 0


def test_a_hub_with_another_authority_is_not_believed(
    hub: RunningHub, prompt: Prompt, log_in: Callable[[str], None]
) -> None:
    log_in(ADMIN)
    profiles = Profiles(prompt.home)
    profile = profiles.active()
    assert profile is not None
    another = to_pem(tls("another").certificate).decode()
    profiles.save(replace(profile, hub=replace(profile.hub, tls_authorities=another)))
    outcome = prompt.msh("login", "--password-stdin", stdin=PASSWORD)
    assert outcome.code == 1
    assert "--ca-pin" in outcome.err
    assert len(outcome.err.splitlines()) == 1
    outcome = prompt.msh("status")
    assert outcome.code == 1
    assert outcome.out == ""


def test_ttl_bounds_the_login(hub: RunningHub, prompt: Prompt, casey: str) -> None:
    arguments = (
        "login",
        f"--proxy={hub.web}",
        f"--user={casey}",
        f"--ca-pin={hub.ca_pin}",
        "--password-stdin",
    )
    assert "[valid for 29m" in prompt.msh(*arguments, "--ttl=30m", stdin=PASSWORD).out
    outcome = prompt.msh(*arguments, "--ttl=4 hours", stdin=PASSWORD)
    assert outcome.code == 2
    assert "is not a duration" in outcome.err


def test_an_expired_login_is_shown_and_is_exit_3(
    prompt: Prompt, casey: str, log_in: Callable[[str], None]
) -> None:
    log_in(casey)
    _age(prompt)
    outcome = prompt.msh("status")
    assert outcome.code == 3
    assert "[EXPIRED]" in outcome.out
    assert outcome.err.startswith("msh: the login has run out; run: msh login ")


def _age(prompt: Prompt) -> None:
    """Puts the end of the login into the past."""
    profiles = Profiles(prompt.home)
    profile = profiles.active()
    assert profile is not None
    assert profile.login is not None
    ended = profile.login.issued_at - timedelta(seconds=1)
    profiles.save(replace(profile, login=replace(profile.login, expires_at=ended)))


def _profile(prompt: Prompt) -> Path:
    return next((prompt.home / "profiles").glob("[!.]*"))


def test_mezctl_does_not_fall_back_when_the_login_has_run_out(
    hub: RunningHub, prompt: Prompt, casey: str, log_in: Callable[[str], None]
) -> None:
    log_in(casey)
    _age(prompt)
    assert prompt.mezctl(f"--data-dir={hub.data_dir}", "users", "ls").code == 3
    assert prompt.mezctl("--local", f"--data-dir={hub.data_dir}", "users", "ls").code == 0


def test_status_works_while_the_hub_is_away(
    hub: RunningHub, prompt: Prompt, casey: str, log_in: Callable[[str], None]
) -> None:
    log_in(casey)
    profiles = Profiles(prompt.home)
    profile = profiles.active()
    assert profile is not None
    profiles.save(replace(profile, hub=replace(profile.hub, auth_addr="127.0.0.1:1")))
    outcome = prompt.msh("status", "--format=json")
    assert outcome.code == 0
    assert outcome.json["hub_asked"] is False
    assert outcome.json["roles"] == [{"name": "access", "expires_at": None}]
    assert "cannot be reached" in outcome.err


def test_a_user_who_was_deleted_is_told_by_status(
    hub: RunningHub, prompt: Prompt, user: str, log_in: Callable[[str], None]
) -> None:
    log_in(user)
    assert prompt.mezctl("--local", f"--data-dir={hub.data_dir}", "users", "delete", user).code == 0
    outcome = prompt.msh("status")
    assert outcome.code == 3
    assert outcome.out == ""


def test_logout_removes_the_keys_and_keeps_the_hub_known(
    hub: RunningHub, prompt: Prompt, casey: str, log_in: Callable[[str], None]
) -> None:
    log_in(casey)
    assert prompt.msh("logout").code == 0
    assert not [path for path in prompt.home.rglob("*") if path.name.startswith(("ssh_key", "tls_key"))]
    assert prompt.msh("status").code == 3
    assert prompt.msh("login", f"--user={casey}", "--password-stdin", stdin=PASSWORD).code == 0


def test_logging_out_twice_is_no_error(prompt: Prompt) -> None:
    outcome = prompt.msh("logout")
    assert (outcome.code, outcome.out) == (0, "Not logged in.\n")


def test_a_damaged_profile_is_one_line_and_a_login_mends_it(
    hub: RunningHub, prompt: Prompt, log_in: Callable[[str], None]
) -> None:
    log_in(ADMIN)
    (_profile(prompt) / "keys/tls_key.pem").write_text("")
    for outcome in (prompt.msh("status"), prompt.mezctl("status")):
        assert outcome.code == 3
        assert "damaged" in outcome.err
        assert len(outcome.err.splitlines()) == 1
    assert prompt.msh("profiles", "ls", "--format=json").json[0]["state"] == "damaged"
    log_in(ADMIN)
    assert prompt.msh("status").code == 0


def test_profiles_are_listed_and_chosen(
    hub: RunningHub, prompt: Prompt, casey: str, log_in: Callable[[str], None]
) -> None:
    log_in(casey)
    listed = prompt.msh("profiles", "ls", "--format=json").json
    assert [(row["proxy"], row["user"], row["active"], row["state"]) for row in listed] == [
        (hub.web, casey, True, "logged in")
    ]
    assert prompt.msh("profiles", "use", hub.web).code == 0
    outcome = prompt.msh("profiles", "use", "nowhere.example.com")
    assert outcome.code == 5
    assert hub.web.replace(":", "_") in outcome.err
