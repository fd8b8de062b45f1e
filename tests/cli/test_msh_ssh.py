"""`msh ssh`, `scp` and `proxy ssh` with the real OpenSSH, through a door on 3023 to a real sshd."""

from __future__ import annotations

import hashlib
import os
import random
import shlex
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pexpect
import pytest

from mezite.api.tunnel.messages import Refused
from mezite.api.tunnel.orders import OtpWanted
from mezite.client.profiles import Profiles
from tests.support.hub_process import environment, program
from tests.support.openssh import MISSING, me
from tests.support.quick_way import Door, door, granted, node, profile_at, to_port

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(MISSING), reason=MISSING)]

MIB = 1024 * 1024


@dataclass(frozen=True)
class Desk:
    """Somebody who is logged in, and the door they go through."""

    door: Door
    home: Path
    files: Path

    def msh(self, *words: str, stdin: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(
            [*program("msh"), *words],
            input=stdin,
            capture_output=True,
            env={**environment(self.home), **variables},
            cwd=self.files,
            timeout=60,
        )


@pytest.fixture(scope="module")
def web_1(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with node(tmp_path_factory.mktemp("node")) as sshd:
        yield sshd.port


@pytest.fixture
def desk(tmp_path: Path, web_1: int) -> Iterator[Desk]:
    with door(tmp_path) as serving:
        serving.then = to_port(web_1)
        # A blank, a quote and a percent sign, so that every path on the way is quoted for its reader.
        home = tmp_path / 'a "home" of 100%'
        Profiles(home).save(profile_at(serving))
        (tmp_path / "files").mkdir()
        yield Desk(serving, home, tmp_path / "files")


def test_a_command_runs_and_its_status_comes_back(desk: Desk) -> None:
    ended = desk.msh("ssh", f"{me()}@web-1", "echo out; echo err >&2; exit 7")
    assert (ended.returncode, ended.stdout, ended.stderr) == (7, b"out\n", b"err\n")
    assert [(order.node, order.login) for order in desk.door.orders] == [("web-1", me())]


@pytest.mark.parametrize(
    "words",
    [
        ["--login", me(), "web-1", "--", "echo", "-n", "a  b"],
        ["-l", me(), "-T", "web-1", "echo", "-n", "a  b"],
        ["web-1", "-l", me(), "-T", "echo", "-n", "a  b"],
        ["web-1", "--login", me(), "--", "echo", "-n", "a  b"],
        ["-T", "--", f"{me()}@web-1", "echo", "-n", "a  b"],
        [f"{me()}@web-1.production", "echo", "-n", "a  b"],
        [f"{me()}@web-1.production.mezite", "echo", "-n", "a  b"],
        [f"{me()}@WEB-1.mezite", "echo", "-n", "a  b"],
        [f"{me()}@4b5a6d8e-0000-4000-8000-000000000001", "echo", "-n", "a  b"],
        ["-o", "LogLevel=DEBUG1", "-o", "StrictHostKeyChecking=no", f"{me()}@web-1", "echo -n a b"],
    ],
)
def test_words_are_read_as_ssh_reads_them(desk: Desk, words: list[str]) -> None:
    ended = desk.msh("ssh", *words)
    assert (ended.returncode, ended.stdout) == (0, b"a b"), ended.stderr


def test_bytes_go_both_ways_unchanged(desk: Desk, rng: random.Random) -> None:
    data = rng.randbytes(8 * MIB + 7)
    ended = desk.msh("ssh", f"{me()}@web-1", "cat", stdin=data)
    assert ended.returncode == 0
    assert hashlib.sha256(ended.stdout).digest() == hashlib.sha256(data).digest()


def test_a_terminal_is_ssh_s_own_and_is_resized(desk: Desk) -> None:
    command, *rest = [*program("msh"), "ssh", "-t", f"{me()}@web-1", "sh -c 'echo ready; read x; stty size'"]
    child = pexpect.spawn(str(command), rest, env=environment(desk.home), timeout=30, dimensions=(30, 90))
    child.expect_exact("ready")
    child.setwinsize(41, 123)
    child.sendline("")
    child.expect_exact("41 123")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_the_ssh_that_runs_is_this_very_process(desk: Desk) -> None:
    started = subprocess.Popen(
        [*program("msh"), "ssh", f"{me()}@web-1", "echo here; exec sleep 60"],
        env=environment(desk.home),
        stdout=subprocess.PIPE,
    )
    assert started.stdout is not None
    assert started.stdout.readline() == b"here\n"
    assert Path(f"/proc/{started.pid}/comm").read_text() == "ssh\n"
    children = Path(f"/proc/{started.pid}/task/{started.pid}/children").read_text()
    assert children == "", "no process of ours stays in the way"
    started.terminate()
    assert started.wait(30) == 255
    started.stdout.close()


def test_a_node_with_another_authority_is_refused(desk: Desk, tmp_path: Path) -> None:
    place = tmp_path / "impostor"
    place.mkdir()
    with node(place, authority="impostors") as impostor:
        desk.door.then = to_port(impostor.port)
        ended = desk.msh("ssh", "-o", "StrictHostKeyChecking=no", f"{me()}@web-1", "echo reached")
    assert (ended.returncode, ended.stdout) == (255, b"")
    assert b"Host key verification failed" in ended.stderr


def test_another_node_of_the_cluster_cannot_pose_as_the_one_meant(desk: Desk) -> None:
    ended = desk.msh("ssh", f"{me()}@db-1", "echo reached")
    assert (ended.returncode, ended.stdout) == (255, b"")


@pytest.mark.parametrize("verb", [["ssh", f"{me()}@web-1", "true"], ["proxy", "ssh", f"{me()}@web-1:22"]])
def test_a_refusal_is_the_hubs_line_made_plain_and_255(desk: Desk, verb: list[str]) -> None:
    desk.door.answer = lambda _: Refused("denied", "you may not be root\x1b[2J; ask for a role")
    ended = desk.msh(*verb)
    assert (ended.returncode, ended.stdout) == (255, b"")
    assert ended.stderr.splitlines()[0] == b"msh: you may not be root^[[2J; ask for a role"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["ssh", "no such node!"], "is not the name of a node"),
        (["ssh", "a@b@web-1"], "is not a login"),
        (["ssh", "web-1.staging"], 'no cluster "staging" is known here'),
        (["ssh", "-L", "1:a:2", "web-1"], "msh config --append"),
        (["ssh", "web-1", "-D", "1080"], "msh config --append"),
        (["ssh", "-o", "LocalForward 1 a:2", f"{me()}@web-1"], "msh config --append"),
        (["ssh", "--login=bob", "alice@web-1"], "two logins"),
        (["ssh", "--login=b b", "web-1"], "is not a login"),
        (["ssh", "env=staging"], "need a command"),
        (["ssh"], "see: msh ssh --help"),
        (["ssh", "--such-an-option", "web-1"], "see: msh ssh --help"),
        (["scp", "a", "b"], "both sides are local"),
        (["scp", "web-1:a", "db-1:b"], "one side must be local"),
        (["scp", "web-1:a", "db-1:b", "."], "all sources must be on the same node"),
        (["scp", "here", "web-1:a", "web-1:b"], "one side must be local"),
        (["proxy", "ssh"], "see: msh proxy ssh --help"),
        (["proxy", "ssh", "-x"], "see: msh proxy ssh --help"),
    ],
)
def test_what_fails_here_is_one_line_and_255(desk: Desk, words: list[str], said: str) -> None:
    ended = desk.msh(*words)
    assert (ended.returncode, ended.stdout) == (255, b"")
    assert said in ended.stderr.decode()
    assert len(ended.stderr.splitlines()) == 1
    assert desk.door.orders == []


def test_without_a_login_nothing_is_dialled(desk: Desk) -> None:
    Profiles(desk.home).forget_login("mezite.example.com:3080")
    for words in (["ssh", f"{me()}@web-1"], ["scp", "a", f"{me()}@web-1:"], ["proxy", "ssh", "web-1"]):
        ended = desk.msh(*words)
        assert ended.returncode == 255
        assert b"msh login" in ended.stderr


def test_a_code_is_typed_at_the_terminal_though_stdin_is_a_pipe(desk: Desk) -> None:
    desk.door.answer = lambda order: granted(order) if order.otp == "123456" else OtpWanted("Code for web-1:")
    inner = shlex.join([*program("msh"), "ssh", f"{me()}@web-1", "cat"])
    child = pexpect.spawn("sh", ["-c", f"echo from a pipe | {inner}"], env=environment(desk.home), timeout=30)
    child.expect_exact("Code for web-1: ")
    child.sendline("000000")
    child.expect_exact("Code for web-1: ")
    child.sendline("123 456")
    child.expect_exact("from a pipe")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0


def test_without_a_terminal_the_refusal_says_how(desk: Desk) -> None:
    desk.door.answer = lambda order: granted(order) if order.otp == "123456" else OtpWanted("a code")
    words = [*program("msh"), "ssh", f"{me()}@web-1", "echo reached"]
    refused = subprocess.run(
        words,
        env=environment(desk.home),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert refused.returncode == 255
    assert b"MEZITE_OTP=CODE" in refused.stderr
    assert desk.msh(*words[-3:], MEZITE_OTP="123456").stdout == b"reached\n"
    assert desk.msh("ssh", "--otp=123456", *words[-2:]).stdout == b"reached\n"


def test_files_are_copied_both_ways(desk: Desk, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    (desk.files / "tree").mkdir()
    (desk.files / "tree/a:b").write_text("a")
    os.utime(desk.files / "tree/a:b", (1_000_000, 1_000_000))
    up = desk.msh("scp", "-q", "-r", "-p", "tree", f"{me()}@web-1:{there}/")
    assert (up.returncode, up.stderr) == (0, b"")
    assert (there / "tree/a:b").stat().st_mtime == 1_000_000
    down = desk.msh("scp", "-l", me(), f"web-1:{there}/tree/a:b", "./c:d")
    assert (down.returncode, down.stderr) == (0, b"")
    assert (desk.files / "c:d").read_text() == "a"
    missing = desk.msh("scp", f"{me()}@web-1:{there}/nothing", ".")
    assert missing.returncode == 1


def test_without_descriptor_passing_the_bytes_are_carried_and_half_close_is_kept(desk: Desk) -> None:
    def node(raw: socket.socket) -> None:
        heard = b"".join(iter(lambda: raw.recv(100), b""))
        raw.sendall(heard[::-1])

    desk.door.then = node
    ended = desk.msh("proxy", "ssh", f"{me()}@web-1:22", stdin=b"abc")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, b"cba", b"")


def test_two_sockets_are_streams_and_one_is_a_wish_for_the_descriptor(desk: Desk) -> None:
    desk.door.then = lambda raw: raw.sendall(b"hello")
    words = [*program("msh"), "proxy", "ssh", "web-1:22"]
    near, far = socket.socketpair()
    with near, far:
        started = subprocess.Popen(words, stdin=far.fileno(), stdout=far.fileno(), env=environment(desk.home))
        far.close()
        data, descriptors, _, _ = socket.recv_fds(near, 1, 1)
        assert (data, started.wait(30)) == (b"\0", 0)
        with socket.socket(fileno=descriptors[0]) as connection:
            assert connection.recv(5) == b"hello"
    (near, far), (other_near, other_far) = socket.socketpair(), socket.socketpair()
    with near, far, other_near, other_far:
        started = subprocess.Popen(
            words, stdin=other_far.fileno(), stdout=far.fileno(), env=environment(desk.home)
        )
        far.close()
        other_near.close()
        other_far.close()
        assert near.recv(5) == b"hello"
        assert started.wait(30) == 0


def test_plain_ssh_with_that_proxy_command_and_no_descriptor_passing(desk: Desk) -> None:
    keys = Profiles(desk.home).path(profile_at(desk.door)) / "keys"
    # ssh reads ${...} in paths, so they are given by links without strange letters.
    link = desk.files / "keys"
    link.symlink_to(keys)
    hosts = desk.files / "hosts"
    hosts.symlink_to(desk.home / "known_hosts")
    proxy = shlex.join([*program("msh"), "proxy", "ssh"]).replace("%", "%%")
    given = {
        "ProxyCommand": f"{proxy} %r@%h:%p",
        "IdentityFile": f"{link}/ssh_key",
        "CertificateFile": f"{link}/ssh_key-cert.pub",
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": str(hosts),
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
    }
    options = [word for key, value in given.items() for word in ("-o", f"{key}={value}")]
    ended = subprocess.run(
        ["ssh", "-F", "none", *options, f"{me()}@web-1.production", "head -c 3000000 /dev/zero; exit 3"],
        env=environment(desk.home),
        capture_output=True,
        stdin=subprocess.DEVNULL,
        timeout=60,
    )
    assert (ended.returncode, len(ended.stdout)) == (3, 3_000_000), ended.stderr


def test_the_proxy_command_loads_next_to_nothing() -> None:
    script = (
        "import sys\n"
        "import mezite.cli.msh.main, mezite.cli.msh.proxy_command\n"
        "heavy = ('click', 'grpc', 'google.protobuf', 'cryptography', 'msgspec', 'asyncio', 'yaml', 'http')\n"
        "print(*[name for name in heavy if name in sys.modules])\n"
    )
    ended = subprocess.run([*program("msh")[:2], script], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "\n"), ended.stderr


def test_a_killed_node_ends_ssh(desk: Desk) -> None:
    hung = threading.Event()
    desk.door.then = lambda raw: hung.set()
    ended = desk.msh("ssh", f"{me()}@web-1", "true")
    assert ended.returncode == 255
    assert hung.is_set()
