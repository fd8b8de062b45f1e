"""As root: what runs and comes for another OS user is that user's in every respect."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.support.openssh import MISSING
from tests.support.sshd import Node, alice, dev, node, rights

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=MISSING),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else"),
]

LIBC_S_OWN = 0b11 << 31
"""Signals 32 and 33: glibc keeps them from programs, and its posix_spawn may leave them ignored."""


@pytest.fixture(scope="module")
def other() -> Iterator[pwd.struct_passwd]:
    """An OS user made for these tests. Parallel runs each have their own."""
    name = f"mztest{os.getpid()}"
    subprocess.run(["useradd", "--create-home", "--shell", "/bin/bash", "--groups", "tty", name], check=True)
    try:
        yield pwd.getpwnam(name)
    finally:
        subprocess.run(["userdel", "--remove", "--force", name], check=True, capture_output=True)


@pytest.fixture
async def served(tmp_path: Path, other: pwd.struct_passwd) -> AsyncIterator[Node]:
    async with node(tmp_path) as served:
        served.login = other.pw_name
        served.standing = lambda: rights(alice(), dev(other.pw_name))
        yield served


async def test_a_command_runs_as_the_user(served: Node, other: pwd.struct_passwd) -> None:
    done = await served.ssh("id -u; id -g; id -Gn; pwd; echo $HOME $USER $LOGNAME $SHELL; umask")
    said = done.stdout.decode().splitlines()
    assert said[:2] == [str(other.pw_uid), str(other.pw_gid)]
    assert set(said[2].split()) == {other.pw_name, "tty"}
    assert said[3] == other.pw_dir
    assert said[4].split() == [other.pw_dir, other.pw_name, other.pw_name, "/bin/bash"]
    assert done.returncode == 0


async def test_a_shell_is_a_login_shell_on_a_terminal_of_the_users(served: Node) -> None:
    keys = b"echo zero=$0; stat -c owner=%U $(tty); shopt login_shell; exit 6\n"
    done = await served.ssh(flags=["-tt"], stdin=keys)
    assert b"zero=-bash" in done.stdout
    assert f"owner={served.login}".encode() in done.stdout
    assert b"login_shell    \ton" in done.stdout
    assert done.returncode == 6


async def test_nothing_of_the_agents_is_left_to_the_user(served: Node) -> None:
    """No descriptor, no signal ignored or blocked, no variable, no group."""
    done = await served.ssh(
        "ls /proc/self/fd | wc -l; grep -E 'Sig(Blk|Ign)' /proc/self/status; env | sort; cat /etc/shadow"
    )
    said = done.stdout.decode().splitlines()
    assert int(said[0]) == 4, "three, and the one that ls reads"
    assert [int(line.split()[1], 16) & ~LIBC_S_OWN for line in said[1:3]] == [0, 0]
    names = {line.split("=")[0] for line in said[3:]}
    assert names <= {
        "HOME", "USER", "LOGNAME", "SHELL", "PATH", "SSH_CONNECTION", "MEZITE_SESSION_ID", "PWD", "SHLVL",
        "_", "LANG", "MAIL", "OLDPWD", "MOTD_SHOWN",
    }  # fmt: skip
    assert b"Permission denied" in done.stderr


async def test_files_that_come_are_the_users(served: Node, other: pwd.struct_passwd, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    for protocol in ("-s", "-O"):
        done = await served.program("scp", protocol, "-q", str(tmp_path / "file"), f"NODE:from{protocol}")
        assert done.returncode == 0, done
        made = os.stat(f"{other.pw_dir}/from{protocol}")
        assert (made.st_uid, made.st_gid) == (other.pw_uid, other.pw_gid)


async def test_files_that_the_user_may_not_read_stay_so(served: Node, tmp_path: Path) -> None:
    for protocol in ("-s", "-O"):
        done = await served.program("scp", protocol, "-q", "NODE:/etc/shadow", str(tmp_path / "got"))
        assert done.returncode != 0
        assert not (tmp_path / "got").exists()


async def test_a_session_has_a_cgroup_of_its_own(served: Node) -> None:
    if not served.around.cgroups.has_any:
        return
    done = await served.ssh("cat /proc/self/cgroup; echo $MEZITE_SESSION_ID")
    session = done.stdout.decode().split()[-1]
    connection = served.connections[0].id
    assert f"/{connection}/{session}\n".encode() in done.stdout


async def test_a_user_whose_shell_is_not_there_is_told_so(
    served: Node, other: pwd.struct_passwd, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry = pwd.struct_passwd((*other[:6], "/no/such/shell"))
    monkeypatch.setattr(pwd, "getpwnam", lambda _name: entry)
    done = await served.ssh("echo in")
    assert done.returncode == 255
    assert b"/no/such/shell: No such file or directory" in done.stderr


async def test_a_user_may_not_listen_on_roots_ports(served: Node, other: pwd.struct_passwd) -> None:
    served.standing = lambda: rights(alice(), dev(other.pw_name, port_forwarding=True))
    done = await served.ssh("true", flags=["-o", "ExitOnForwardFailure=yes", "-R", "80:127.0.0.1:1"])
    assert done.returncode == 255
    assert b"remote port forwarding failed" in done.stderr
