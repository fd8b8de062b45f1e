"""What people reach nodes with, each with its own binary, through a whole cluster: one table, one test each.

`node` in all of them is an alias that `msh config` wrote; nothing else was set up.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from mezite.api.generated.identity_pb2 import BeginTotpRequest, OtpCode
from mezite.client.hub import Hub
from mezite.client.methods import IDENTITY_BEGIN_TOTP, IDENTITY_CONFIRM_TOTP
from mezite.client.profiles import Profiles
from tests.support import authenticator
from tests.support.demo import Demo, Person, log_in, missing, running_demo
from tests.support.hub_process import PASSWORD, program
from tests.support.openssh import me

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing("ssh", "scp", "sftp")), reason="needs OpenSSH"),
]

NODE = "staging-01.mezite"
FULL = "staging-01.production.mezite"
MIB = 1024 * 1024
_numbers = itertools.count(1)
ROLE = f"""
kind: role
metadata: {{name: everything}}
spec:
  options: {{port_forwarding: true, agent_forwarding: true}}
  allow:
    node_labels: {{"*": "*"}}
    logins: [{me()}]
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    with running_demo(tmp_path_factory.mktemp("demo") / "cluster") as running:
        running.add_role(ROLE)
        running.add_user("erin", "everything")
        yield running


@pytest.fixture(scope="module")
def login(demo: Demo, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return log_in(demo, tmp_path_factory.mktemp("erin"), "erin", PASSWORD)


@pytest.fixture
def erin(login: Person, tmp_path: Path) -> Person:
    """Erin at an empty working directory, with a directory `there` beside it that the node has too."""
    (tmp_path / "files").mkdir()
    (tmp_path / "there").mkdir()
    return Person(login.home, tmp_path / "files")


@pytest.fixture
def there(erin: Person) -> Path:
    return erin.files.parent / "there"


def ssh(person: Person, *words: str | Path) -> list[str | Path]:
    """`ssh -F config`, with what follows."""
    return ["ssh", "-F", person.config, *words]


def tree(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below: its mode and content."""
    files = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {str(path.relative_to(root)): (path.stat().st_mode & 0o777, path.read_bytes()) for path in files}


def some_files(root: Path, rng: random.Random) -> None:
    (root / "deep/er").mkdir(parents=True)
    (root / "empty").write_bytes(b"")
    (root / "a name with blanks").write_bytes(rng.randbytes(70_000))
    (root / "deep/er/tool").write_bytes(b"#!/bin/sh\n")
    (root / "deep/er/tool").chmod(0o755)


@contextmanager
def until_stopped(person: Person, *words: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A program in the background, ended when the block is."""
    process = subprocess.Popen(
        [str(word) for word in words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=person.environment,
        cwd=person.files,
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def reached(port: int) -> socket.socket:
    """A connection to a forward that is being set up; the bound only keeps a broken test from hanging."""
    for _ in range(600):
        try:
            return socket.create_connection(("127.0.0.1", port), 30)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise AssertionError("the forward never listened")


@contextmanager
def echo(answer: Callable[[bytes], bytes] = bytes.upper) -> Iterator[int]:
    """A server on loopback that answers each connection once."""

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.sendall(answer(connection.recv(1000)))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


# ssh


@pytest.mark.parametrize("name", [NODE, FULL, f"{me()}@{NODE}"])
def test_ssh_runs_a_command(erin: Person, name: str) -> None:
    assert erin.done(*ssh(erin, name, "id -un")) == f"{me()}\n"


def test_ssh_returns_the_exit_status(erin: Person) -> None:
    assert erin.run(*ssh(erin, NODE, "exit 7")).returncode == 7


def test_ssh_keeps_output_and_errors_apart(erin: Person) -> None:
    ended = erin.run(*ssh(erin, NODE, "echo out; echo err >&2"))
    assert (ended.stdout, ended.stderr) == (b"out\n", b"err\n")


def test_ssh_takes_a_script_on_its_standard_input(erin: Person) -> None:
    assert erin.done(*ssh(erin, NODE), stdin=b"echo $((6 * 7))\nexit 0\n").splitlines()[-1] == "42"


def test_ssh_passes_the_language_on(erin: Person) -> None:
    assert erin.msh("ssh", f"{me()}@staging-01", "echo $LC_TIME").returncode == 0
    said = erin.run(
        *program("msh"), "ssh", f"{me()}@staging-01", "echo $LC_TIME", variables={"LC_TIME": "de_DE.UTF-8"}
    )
    assert said.stdout == b"de_DE.UTF-8\n"


def test_a_host_key_is_proved_by_the_cluster_without_a_question(erin: Person) -> None:
    ended = erin.run(*ssh(erin, "-v", "-o", "StrictHostKeyChecking=yes", NODE, "true"))
    assert ended.returncode == 0
    assert b"is known and matches the ED25519-CERT host certificate" in ended.stderr
    assert not (erin.home / ".ssh/known_hosts").exists()


def test_a_node_that_is_not_hers_is_told_as_one_that_does_not_exist(demo: Demo, tmp_path: Path) -> None:
    alice = log_in(demo, tmp_path, "alice", demo.facts["users"]["alice"]["password"])
    told = [alice.msh("ssh", f"{me()}@{name}", "true") for name in ("db-1", "db-2")]
    assert {ended.returncode for ended in told} == {255}
    lines = {re.sub("db-[12]", "NAME", ended.stderr.decode().splitlines()[0]) for ended in told}
    assert len(lines) == 1
    assert "msh ls" in lines.pop()


def test_a_login_that_is_not_hers_is_refused_with_those_that_are(erin: Person) -> None:
    ended = erin.msh("ssh", "nobody@staging-01", "true")
    assert ended.returncode == 255
    assert me() in ended.stderr.decode().splitlines()[0]


@pytest.mark.parametrize("mib", [64, pytest.param(1024, marks=pytest.mark.chaos)])
def test_random_bytes_arrive_unchanged_both_ways(erin: Person, rng: random.Random, mib: int) -> None:
    data, digest = erin.files / "data", hashlib.sha256()
    with data.open("wb") as file:
        for _ in range(mib):
            digest.update(piece := rng.randbytes(MIB))
            file.write(piece)
    with data.open("rb") as file:
        up = subprocess.run(
            [*map(str, ssh(erin, NODE, "sha256sum"))], stdin=file, capture_output=True, env=erin.environment
        )
    assert up.stdout.split()[0].decode() == digest.hexdigest()
    down = hashlib.sha256()
    with subprocess.Popen(
        [*map(str, ssh(erin, NODE, f"cat '{data}'"))], stdout=subprocess.PIPE, env=erin.environment
    ) as process:
        assert process.stdout is not None
        while piece := process.stdout.read(MIB):
            down.update(piece)
    assert (process.returncode, down.hexdigest()) == (0, digest.hexdigest())


def test_a_terminal_has_its_size_and_follows_the_window(erin: Person) -> None:
    command, *rest = map(str, ssh(erin, "-t", NODE, "sh -c 'stty size; read x; stty size'"))
    child = pexpect.spawn(command, rest, env=erin.environment, timeout=30, dimensions=(30, 90))
    child.expect_exact("30 90")
    child.setwinsize(41, 123)
    child.sendline("")
    child.expect_exact("41 123")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_ctrl_c_reaches_the_program_at_the_terminal(erin: Person) -> None:
    command, *rest = map(str, ssh(erin, "-t", NODE, "echo ready; exec sleep 1000"))
    child = pexpect.spawn(command, rest, env=erin.environment, timeout=30)
    child.expect_exact("ready")
    child.sendintr()
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus in (130, 255)


def test_a_multiplexed_connection_carries_many_sessions(erin: Person) -> None:
    control = erin.files / "control"
    multiplexed = ("-o", f"ControlPath={control}")
    with until_stopped(erin, *ssh(erin, *multiplexed, "-M", "-N", NODE)):
        for _ in range(600):
            if control.exists():
                break
            time.sleep(0.05)
        for number in range(5):
            assert erin.done(*ssh(erin, *multiplexed, NODE, f"echo {number}")) == f"{number}\n"
        assert b"Master running" in erin.run(*ssh(erin, *multiplexed, "-O", "check", NODE)).stderr


# Forwarding


def test_a_local_port_leads_to_the_node(erin: Person) -> None:
    port = free_port()
    with echo() as server:
        words = ("-N", "-o", "ExitOnForwardFailure=yes", "-L", f"127.0.0.1:{port}:127.0.0.1:{server}")
        with until_stopped(erin, *ssh(erin, *words, NODE)), reached(port) as connection:
            connection.sendall(b"forward")
            assert connection.recv(100) == b"FORWARD"


def test_a_port_of_the_node_leads_here(erin: Person) -> None:
    port = free_port()
    with echo() as server:
        words = ("-N", "-o", "ExitOnForwardFailure=yes", "-R", f"127.0.0.1:{port}:127.0.0.1:{server}")
        with until_stopped(erin, *ssh(erin, *words, NODE)), reached(port) as connection:
            connection.sendall(b"reverse")
            assert connection.recv(100) == b"REVERSE"


def test_a_socks_proxy_leads_out_of_the_node(erin: Person) -> None:
    port = free_port()
    with echo() as server:
        words = ("-N", "-o", "ExitOnForwardFailure=yes", "-D", f"127.0.0.1:{port}")
        with until_stopped(erin, *ssh(erin, *words, NODE)), reached(port) as connection:
            connection.sendall(b"\5\1\0")
            assert connection.recv(2) == b"\5\0"
            connection.sendall(b"\5\1\0\1\x7f\0\0\1" + server.to_bytes(2, "big"))
            assert connection.recv(10)[:2] == b"\5\0"
            connection.sendall(b"socks")
            assert connection.recv(100) == b"SOCKS"


def test_a_forward_that_no_role_allows_is_refused(demo: Demo, tmp_path: Path) -> None:
    alice = log_in(demo, tmp_path, "alice", demo.facts["users"]["alice"]["password"])
    ended = alice.run(*ssh(alice, "-W", "127.0.0.1:1", NODE))
    assert ended.returncode == 255
    assert b"administratively prohibited" in ended.stderr


# Files


@pytest.mark.parametrize("protocol", [[], ["-O"]], ids=["sftp", "scp"])
def test_scp_copies_trees_both_ways(
    erin: Person, there: Path, rng: random.Random, protocol: list[str]
) -> None:
    some_files(erin.files / "tree", rng)
    erin.done("scp", "-F", erin.config, *protocol, "-r", "-p", "tree", f"{NODE}:{there}/up")
    erin.done("scp", "-F", erin.config, *protocol, "-r", "-p", f"{NODE}:{there}/up", "down")
    assert tree(there / "up") == tree(erin.files / "tree")
    assert tree(erin.files / "down") == tree(erin.files / "tree")


def test_sftp_runs_a_batch(erin: Person, there: Path) -> None:
    (erin.files / "one").write_text("1")
    orders = f"put one {there}/two\nrename {there}/two {there}/three\nget {there}/three four\nls -l {there}\n"
    (erin.files / "batch").write_text(orders)
    said = erin.done("sftp", "-F", erin.config, "-b", "batch", NODE)
    assert "three" in said
    assert (erin.files / "four").read_text() == "1"


@pytest.mark.skipif(bool(missing("rsync")), reason="needs rsync")
def test_rsync_mirrors_a_tree_and_sends_only_changes(erin: Person, there: Path, rng: random.Random) -> None:
    some_files(erin.files / "tree", rng)
    words = (
        "rsync",
        "-a",
        "--delete",
        "--stats",
        "-e",
        f"ssh -F '{erin.config}'",
        "tree/",
        f"{NODE}:{there}/",
    )
    erin.done(*words)
    (erin.files / "tree/empty").write_text("full")
    again = erin.done(*words)
    assert tree(there) == tree(erin.files / "tree")
    assert "Number of regular files transferred: 1\n" in again


@pytest.mark.skipif(bool(missing("git")), reason="needs git")
def test_git_clones_and_pushes(erin: Person, there: Path) -> None:
    quiet = {"GIT_SSH_COMMAND": f"ssh -F '{erin.config}'", "GIT_CONFIG_GLOBAL": "/dev/null"}
    who = ("-c", "user.name=erin", "-c", "user.email=erin@example.com", "-c", "init.defaultBranch=main")
    erin.done("git", *who, "init", "-q", "--bare", str(there))
    erin.done("git", *who, "clone", "-q", f"ssh://{NODE}{there}", "here", variables=quiet)
    (erin.files / "here/file").write_text("content")
    for words in (("add", "file"), ("commit", "-q", "-m", "One"), ("push", "-q", "origin", "HEAD:main")):
        erin.done("git", *who, "-C", "here", *words, variables=quiet)
    erin.done("git", *who, "clone", "-q", "-b", "main", f"{NODE}:{there}", "again", variables=quiet)
    assert (erin.files / "again/file").read_text() == "content"


@pytest.mark.skipif(bool(missing("ansible")), reason="needs ansible")
def test_ansible_pings_and_copies(erin: Person, there: Path) -> None:
    (erin.files / "hosts").write_text(f"{NODE} ansible_python_interpreter=/usr/bin/python3\n")
    (erin.files / "file").write_text("content")
    settings = {
        "ANSIBLE_SSH_ARGS": f"-F '{erin.config}' -o ControlMaster=auto -o ControlPersist=5s",
        "ANSIBLE_LOCALHOST_WARNING": "0",
        "ANSIBLE_HOME": str(erin.home / "ansible"),
    }
    assert '"pong"' in erin.done("ansible", "-i", "hosts", "all", "-m", "ping", variables=settings)
    copy = ("-m", "copy", "-a", f"src=file dest={there}/file mode=0640")
    assert "CHANGED" in erin.done("ansible", "-i", "hosts", "all", *copy, variables=settings)
    assert (there / "file").read_text() == "content"


# msh


def test_msh_ls_lists_and_filters(erin: Person) -> None:
    heading, *rows = erin.msh("ls").stdout.decode().splitlines()
    assert heading.split() == ["HOSTNAME", "ROLE", "STATUS", "LABELS", "VERSION"]
    assert [row.split()[0] for row in rows] == ["db-1", "staging-01", "web-server-01", "web-server-02"]
    assert rows[1].split()[:4] == ["staging-01", "node", "online", "env=staging,os=ubuntu,team=platform"]
    both = erin.msh("ls", "--filter=env=production", "--filter=team=platform").stdout.decode()
    assert [row.split()[0] for row in both.splitlines()[1:]] == ["web-server-01", "web-server-02"]
    assert erin.msh("ls", "--filter=env=a", "--filter=env=b").returncode == 2


def test_msh_ssh_needs_no_login_named(erin: Person) -> None:
    ended = erin.msh("ssh", "staging-01", "--", "id -un; exit 3")
    assert (ended.returncode, ended.stdout.decode()) == (3, f"{me()}\n"), ended.stderr


@pytest.mark.parametrize(
    ("begun", "offered"),
    [("web", ["web-server-01", "web-server-02"]), ("me@st", ["me@staging-01"]), ("nothing", [])],
)
def test_a_shell_completes_nodes(erin: Person, begun: str, offered: list[str]) -> None:
    asked = {"_MSH_COMPLETE": "bash_complete", "COMP_WORDS": f"msh ssh -t {begun}", "COMP_CWORD": "3"}
    said = erin.run(*program("msh"), variables=asked)
    assert said.stdout.decode().split() == [f"plain,{name}" for name in offered]


def test_msh_ssh_on_many_nodes_says_whose_line_it_is(erin: Person) -> None:
    ended = erin.msh("ssh", "env=production,team=platform", "--", "echo here; echo there >&2")
    assert ended.returncode == 0
    assert sorted(ended.stdout.decode().splitlines()) == ["web-server-01 | here", "web-server-02 | here"]
    errors = ended.stderr.decode().splitlines()
    assert {"web-server-01 | there", "web-server-02 | there"} <= set(errors)
    assert errors[-3].split() == ["NODE", "EXIT", "WHY"]
    assert [row.split() for row in errors[-2:]] == [["web-server-01", "0", "-"], ["web-server-02", "0", "-"]]


def test_msh_ssh_on_many_nodes_ends_with_the_highest_status(erin: Person) -> None:
    ended = erin.msh("ssh", "team=platform", "--", "exit $(( $(echo $SSH_CONNECTION | wc -w) > 0 ? 9 : 1 ))")
    assert ended.returncode == 9
    nowhere = erin.msh("ssh", "env=nowhere", "--", "true")
    assert (nowhere.returncode, nowhere.stdout) == (255, b"")


def test_msh_scp_copies_both_ways(erin: Person, there: Path) -> None:
    (erin.files / "file").write_text("content")
    assert erin.msh("scp", "file", f"staging-01:{there}/").returncode == 0
    assert erin.msh("scp", f"{me()}@staging-01:{there}/file", "back").returncode == 0
    assert (erin.files / "back").read_text() == "content"


def test_msh_config_appends_once_between_the_lines_of_others(erin: Person) -> None:
    config = erin.home / ".ssh/config"
    config.parent.mkdir(mode=0o700)
    config.write_text("Host mine\n    User me\n")
    for _ in range(2):
        assert erin.msh("config", "--append").returncode == 0
        written = config.read_text()
        config.write_text(f"{written}Host later\n    User you\n" if "later" not in written else written)
    text = config.read_text()
    assert text.startswith("Host mine\n    User me\n")
    assert text.endswith("Host later\n    User you\n")
    assert text.count("# >>> mezite") == text.count("Host staging-01.production.mezite") == 1
    # ssh takes the home of the OS user, not $HOME, so that file is named.
    assert erin.done("ssh", "-F", config, FULL, "echo reached") == "reached\n"
    assert oct(os.stat(config).st_mode)[-3:] == "644"


def test_msh_config_works_from_elsewhere_and_without_its_variables(erin: Person) -> None:
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(erin.home)}
    ended = subprocess.run(
        [*map(str, ssh(erin, NODE, "echo reached"))], env=bare, cwd="/", capture_output=True, timeout=60
    )
    assert (ended.returncode, ended.stdout) == (0, b"reached\n"), ended.stderr


# A second factor for each session


@pytest.fixture(scope="module")
def with_code(demo: Demo) -> str:
    """A role that asks for a code at each connection."""
    options = "options: {require_session_mfa: totp, "
    demo.add_role(ROLE.replace("everything", "with-code").replace("options: {", options))
    return "with-code"


@pytest.fixture
def frida(demo: Demo, with_code: str, tmp_path: Path) -> tuple[Person, str]:
    """Somebody of that role, and the secret of her authenticator."""
    name = f"frida-{next(_numbers)}"
    demo.add_user(name, with_code)
    person = log_in(demo, tmp_path, name, PASSWORD)
    profile = Profiles(person.home / "mezite").active()
    assert profile is not None
    with Hub(profile.as_pass()) as hub:
        secret = hub.call(IDENTITY_BEGIN_TOTP, BeginTotpRequest(password=PASSWORD)).secret
        hub.call(IDENTITY_CONFIRM_TOTP, OtpCode(otp=authenticator.code(secret, -1)))
    return person, secret


def test_a_code_is_asked_on_the_terminal_and_good_once(frida: tuple[Person, str]) -> None:
    person, secret = frida
    command, *rest = map(str, ssh(person, NODE, "echo reached"))
    once = authenticator.code(secret)
    for expected in ("reached", "(?i)code[^\n]*: $"):
        child = pexpect.spawn(command, rest, env=person.environment, timeout=30)
        child.expect("(?i)code[^\n]*: $")
        child.sendline(once)
        child.expect(expected)
        child.close(force=True)


def test_without_a_terminal_it_is_said_how(frida: tuple[Person, str]) -> None:
    person, _ = frida
    ended = person.run(*ssh(person, NODE, "echo reached"))
    assert (ended.returncode, ended.stdout) == (255, b"")
    assert b"MEZITE_OTP=CODE" in ended.stderr.splitlines()[0]


def test_a_code_in_the_environment_is_taken(frida: tuple[Person, str]) -> None:
    person, secret = frida
    code = {"MEZITE_OTP": authenticator.code(secret)}
    assert person.done(*ssh(person, NODE, "echo reached"), variables=code) == "reached\n"
