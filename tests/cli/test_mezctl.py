"""The nouns of `mezctl` against a real hub: what is printed, in which form, with which exit code."""

from __future__ import annotations

import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from tests.support.hub_process import PASSWORD, Prompt, RunningHub

ROLE = """
kind: role
metadata:
  name: {name}
  description: "Reaches staging"
spec:
  allow:
    node_labels:
      env: staging
    logins:
      - ubuntu
"""


def headings(table: str) -> list[str]:
    return re.split(r" {2,}", table.splitlines()[0])


def test_a_user_is_created_enrolled_and_logs_in(hub: RunningHub, admin: Prompt, name: str) -> None:
    outcome = admin.mezctl(
        "users", "create", name, "--roles=access", "--logins=ubuntu", "--trait", "team=core"
    )
    assert outcome.code == 0
    command = outcome.out.splitlines()[-1].split()
    assert command[:2] == ["msh", "enrol"]
    assert f"--proxy={hub.web}" in command
    assert admin.msh(*command[1:], "--password-stdin", stdin=PASSWORD).code == 0
    again = admin.msh(*command[1:], "--password-stdin", stdin=PASSWORD)
    assert again.code == 3, "an enrolment token is good once"
    assert admin.msh("login", f"--user={name}", "--password-stdin", stdin=PASSWORD).code == 0


def test_users_are_listed_shown_changed_and_deleted(admin: Prompt, name: str) -> None:
    made = admin.mezctl("users", "create", name, "--roles=access", "--format=json").json
    assert made["enrolment_token"]
    assert made["enrolment_command"].startswith("msh enrol --proxy=")
    assert headings(admin.mezctl("users", "ls").out) == [
        "ID",
        "USER",
        "KIND",
        "ROLES",
        "LOGINS",
        "STATE",
        "MFA",
    ]
    listed = {user["name"]: user for user in admin.mezctl("users", "list", "--format=json").json}
    assert listed[name]["id"] == made["id"]
    changed = admin.mezctl(
        "users", "update", name, "--add-roles=auditor", "--remove-roles=access", "--set-logins=ubuntu,alice",
        "--set-trait", "team=core,web", "--format=yaml",
    )  # fmt: skip
    user = yaml.safe_load(changed.out)
    assert (user["roles"], user["logins"], user["traits"]) == (
        ["auditor"], ["ubuntu", "alice"], {"team": ["core", "web"]}
    )  # fmt: skip
    cleared = admin.mezctl(
        "users", "update", name, "--set-logins=", "--set-trait", "team=", "--format=json"
    ).json
    assert (cleared["logins"], cleared["traits"]) == ([], {})
    assert admin.mezctl("users", "delete", name).out == f"User {name} deleted.\n"
    assert admin.mezctl("users", "get", name).code == 5


def test_a_reset_gives_a_fresh_enrolment_and_ends_logins(
    admin: Prompt, hub: RunningHub, user: str, log_in: Callable[[str], None]
) -> None:
    reset = admin.mezctl("users", "reset", user, "--mfa", "--format=json").json
    assert reset["enrolled"] is False
    refused = admin.msh("login", f"--user={user}", "--password-stdin", stdin=PASSWORD)
    assert refused.code == 3


def test_an_update_of_nothing_is_a_usage_error(admin: Prompt) -> None:
    outcome = admin.mezctl("users", "update", "admin")
    assert outcome.code == 2
    assert "--add-roles" in outcome.err


def test_names_that_are_taken_or_no_names_are_refused(admin: Prompt, casey: str) -> None:
    taken = admin.mezctl("users", "create", casey)
    assert (taken.code, len(taken.err.splitlines())) == (1, 1)
    for bad in ("Alice", "a b", "-x", "x" * 65, "a\x1b[31mb", "../x"):
        outcome = admin.mezctl("users", "create", "--", bad)
        assert outcome.code == 2, bad
        assert "\x1b" not in outcome.err


def test_what_one_may_not_do_is_exit_4(prompt: Prompt, casey: str, log_in: Callable[[str], None]) -> None:
    log_in(casey)
    outcome = prompt.mezctl("users", "ls")
    assert outcome.code == 4
    assert outcome.out == ""
    assert len(outcome.err.splitlines()) == 1


def test_roles_go_in_and_come_out_as_documents(admin: Prompt, name: str, tmp_path: Path) -> None:
    file = tmp_path / "role.yaml"
    file.write_text(ROLE.format(name=name))
    assert admin.mezctl("roles", "create", "-f", str(file)).out == f"Role {name} created.\n"
    again = admin.mezctl("roles", "create", "-f", str(file))
    assert again.code == 1
    assert admin.mezctl("roles", "create", "--force", "-f", "-", stdin=ROLE.format(name=name)).code == 0
    shown = admin.mezctl("roles", "get", name)
    assert yaml.safe_load(shown.out)["spec"]["allow"]["logins"] == ["ubuntu"]
    assert admin.mezctl("roles", "create", "--force", "-f", "-", stdin=shown.out).code == 0, (
        "it takes what it gives"
    )
    assert headings(admin.mezctl("roles", "ls").out) == ["NAME", "BUILT IN", "DESCRIPTION"]
    assert admin.mezctl("roles", "delete", name).code == 0
    assert admin.mezctl("roles", "get", name).code == 5


def test_a_role_with_faults_names_their_places_and_creates_nothing(admin: Prompt, name: str) -> None:
    text = ROLE.format(name=name) + "    reqest: {}\n"
    outcome = admin.mezctl("roles", "create", "-f", "-", stdin=text)
    assert outcome.code == 2
    assert "spec.allow.reqest" in outcome.err
    assert admin.mezctl("roles", "get", name).code == 5


def test_a_file_that_is_missing_or_no_text_is_one_line(admin: Prompt, tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "missing", binary, tmp_path):
        outcome = admin.mezctl("roles", "create", "-f", str(path))
        assert outcome.code == 2, path
        assert len(outcome.err.splitlines()) == 1


def test_a_join_token_is_shown_once_as_documented(admin: Prompt) -> None:
    outcome = admin.mezctl("tokens", "create", "--roles=node", "--ttl=1h", "--label", "env=production")
    shown = re.fullmatch(
        r"Token created: (\S+) \(roles: node, expires: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ\)\n", outcome.out
    )
    assert shown, outcome.out
    listed = admin.mezctl("tokens", "ls")
    assert shown[1] not in listed.out
    assert headings(listed.out) == ["ID", "ROLES", "EXPIRES", "USES LEFT", "NODE", "LABELS", "CREATED BY"]
    made = admin.mezctl("tokens", "create", "--uses=3", "--node=web-1", "--format=json").json
    assert (made["uses_left"], made["node"], made["labels"]) == (3, "web-1", {})
    assert admin.mezctl("tokens", "delete", made["id"]).code == 0
    assert made["id"] not in admin.mezctl("tokens", "ls").out
    assert admin.mezctl("tokens", "delete", made["id"]).code == 5


def test_an_access_token_acts_as_its_maker_until_it_is_taken_back(
    admin: Prompt, hub: RunningHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    made = admin.mezctl("login", "--ttl=1h", "--note=backup", "--format=json").json
    monkeypatch.setenv("MEZITE_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("MEZITE_AUTH_TOKEN", made["token"])
    assert admin.mezctl("users", "get", "admin", "--format=json").json["name"] == "admin"
    listed = admin.mezctl("tokens", "ls", "--access", "--format=json").json
    assert (made["id"], "backup") in {(token["id"], token["note"]) for token in listed}
    assert admin.mezctl("tokens", "delete", "--access", made["id"]).code == 0
    outcome = admin.mezctl("users", "ls")
    assert outcome.code == 3
    assert made["token"] not in outcome.err


def test_a_mangled_access_token_is_told_without_repeating_it(
    admin: Prompt, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = admin.mezctl("login").out.strip()
    monkeypatch.setenv("MEZITE_AUTH_TOKEN", token[:-1] + ("0" if token[-1] != "0" else "1"))
    outcome = admin.mezctl("status")
    assert outcome.code == 3, "a bad token is never passed over for the profile"
    assert token[10:40] not in outcome.err


def test_the_admin_socket_administers_and_is_nobody(hub: RunningHub, prompt: Prompt, name: str) -> None:
    local = ("--local", f"--data-dir={hub.data_dir}")
    created = prompt.mezctl(*local, "users", "create", name)
    assert created.code == 0
    assert f" --proxy={hub.web} " in created.out
    assert prompt.mezctl(*local, "login").code == 4, "a token belongs to a user"
    assert prompt.mezctl(f"--data-dir={hub.data_dir}", "status").code == 0, "without a login it is the way"


def test_without_a_hub_and_without_a_login_one_is_told_how(prompt: Prompt, tmp_path: Path) -> None:
    outcome = prompt.mezctl(f"--data-dir={tmp_path}", "status")
    assert outcome.code == 3
    assert "msh login --proxy=" in outcome.err


def test_locks_shut_out_and_let_in_again(
    admin: Prompt, hub: RunningHub, user: str, log_in: Callable[[str], None]
) -> None:
    outcome = admin.mezctl("locks", "create", f"--user={user}", "--ttl=1h", "--message=Laptop stolen")
    assert re.fullmatch(r"Lock created: \S+ \(user " + user + r", until \S+Z\)\n", outcome.out)
    lock = next(row for row in admin.mezctl("locks", "ls", "--format=json").json if row["name"] == user)
    assert (lock["target"], lock["message"], lock["in_force"]) == ("user", "Laptop stolen", True)
    assert admin.mezctl("users", "get", user, "--format=json").json["state"] == "locked"
    refused = admin.msh("login", f"--user={user}", "--password-stdin", stdin=PASSWORD)
    assert refused.code in (3, 4)
    assert admin.mezctl("locks", "delete", lock["id"]).code == 0
    log_in(user)


@pytest.mark.parametrize("targets", [(), ("--user=a", "--node=b")])
def test_a_lock_is_of_one_thing(admin: Prompt, targets: tuple[str, ...]) -> None:
    outcome = admin.mezctl("locks", "create", *targets)
    assert outcome.code == 2
    assert "--cert" in outcome.err


def test_authorities_are_exported_as_their_takers_want_them(admin: Prompt, hub: RunningHub) -> None:
    assert admin.mezctl("auth", "export", "--type=tls", "--fingerprint").out.strip() == hub.ca_pin
    assert admin.mezctl("auth", "export", "--type=tls").out.startswith("-----BEGIN CERTIFICATE-----\n")
    assert admin.mezctl("auth", "export", "--type=user").out.startswith("ssh-ed25519 ")
    assert admin.mezctl("auth", "export", "--type=host", "--known-hosts").out.startswith("@cert-authority ")
    assert admin.mezctl("auth", "export", "--type=user", "--known-hosts").code == 2


def test_keys_are_signed_for_machines_and_never_written_over(
    admin: Prompt, casey: str, tmp_path: Path
) -> None:
    out = tmp_path / "identity"
    assert admin.mezctl("auth", "sign", f"--user={casey}", "--ttl=1h", f"--out={out}").code == 0
    assert stat.S_IMODE((out / "ssh_key").stat().st_mode) == 0o600
    shown = subprocess.run(
        ["ssh-keygen", "-L", "-f", out / "ssh_key-cert.pub"], capture_output=True, text=True, check=True
    ).stdout
    assert f'Key ID: "{casey}"' in shown
    before = (out / "ssh_key").read_text()
    again = admin.mezctl("auth", "sign", f"--user={casey}", "--ttl=1h", f"--out={out}")
    assert again.code == 1
    assert (out / "ssh_key").read_text() == before
    assert admin.mezctl("auth", "sign", "--user=nobody", "--ttl=1h", f"--out={tmp_path / 'x'}").code == 5
    assert not (tmp_path / "x").exists()


def test_explain_wants_a_login_and_a_node(admin: Prompt, casey: str) -> None:
    assert admin.mezctl("access", "explain", casey, "ssh", "web-1").code == 2
    assert admin.mezctl("access", "explain", casey, "ssh", "root@no-such-node").code == 5
    assert admin.mezctl("access", "explain", casey, "fly", "root@web-1").code == 2


def test_status_shows_the_pin(admin: Prompt, hub: RunningHub) -> None:
    shown = admin.mezctl("status", "--format=json").json
    assert shown["ca_pin"] == hub.ca_pin
    assert shown["cluster"] == "production"
    assert f"CA pin: {hub.ca_pin}\n" in admin.mezctl("status").out


def test_nodes_have_the_documented_columns(admin: Prompt) -> None:
    assert headings(admin.mezctl("nodes", "ls").out) == ["HOSTNAME", "TYPE", "STATUS", "LABELS", "VERSION"]
    assert admin.mezctl("nodes", "ls", "--filter=env=none", "--format=json").json == []
    assert admin.mezctl("nodes", "rm", "no-such-node").code == 5
