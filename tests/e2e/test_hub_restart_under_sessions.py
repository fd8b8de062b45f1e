"""A session outlives the hub it came through: killed, away, back; and a lock made later still ends it."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mezite.api.generated.locks_pb2 import CreateLockRequest
from mezite.api.generated.nodes_pb2 import CreateTokenRequest
from mezite.api.generated.roles_pb2 import PutRolesRequest
from mezite.api.generated.users_pb2 import CreateUserRequest
from mezite.client.methods import LOCKS_CREATE, ROLES_PUT, TOKENS_CREATE, USERS_CREATE
from tests.support.demo import Demo, Person, log_in, missing
from tests.support.hub_process import program
from tests.support.mezhub import Mezhub, Serving, environment
from tests.support.openssh import me

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(missing("ssh")), reason="needs OpenSSH")]

PASSWORD = "correct horse battery"
PATIENCE_S = 30.0
ROLE = f"""
kind: role
metadata: {{name: everything}}
spec: {{allow: {{node_labels: {{"*": "*"}}, logins: [{me()}]}}}}
"""


def free_ports(*names: str) -> dict[str, str]:
    """Ports that nobody has: a hub that comes back has to listen where it did."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in names]
    ports = {name: f"127.0.0.1:{each.getsockname()[1]}" for name, each in zip(names, held, strict=True)}
    for each in held:
        each.close()
    return ports


@contextmanager
def node(serving: Serving, directory: Path) -> Iterator[None]:
    """One agent, joined to this hub."""
    with serving.as_local() as hub:
        token = hub.call(TOKENS_CREATE, CreateTokenRequest(roles=["node"], ttl_s=300, uses=1)).secret
    settings = {
        **environment(),
        "MEZITE_DATA_DIR": str(directory),
        "MEZITE_PROXY_ADDR": serving.facts["tunnel"],
        "MEZITE_JOIN_TOKEN": token,
        "MEZITE_NODE_NAME": "web-1",
    }
    with (directory.parent / "mezd.log").open("w") as log:
        agent = subprocess.Popen(
            [sys.executable, "-P", "-m", "daemons.agent.main", "start"], env=settings, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            agent.terminate()
            agent.wait(PATIENCE_S)


class Echo:
    """`cat` on the node, and this end of it."""

    def __init__(self, person: Person) -> None:
        self.process = subprocess.Popen(
            ["ssh", "-F", person.config, "web-1.mezite", "cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=person.environment,
            start_new_session=True,
        )

    def says_back(self, line: bytes) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(line)
        self.process.stdin.flush()
        got = b""
        while len(got) < len(line):
            ready, _, _ = select.select([self.process.stdout], [], [], PATIENCE_S)
            assert ready, f"{line!r} did not come back"
            piece = os.read(self.process.stdout.fileno(), 65_536)
            assert piece, "the session ended"
            got += piece
        assert got == line

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def once_online(person: Person) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while person.run("ssh", "-F", person.config, "web-1.mezite", "true").returncode:
        assert time.monotonic() < deadline, "the node is not there"
        time.sleep(0.2)


def test_a_session_outlives_a_hub_that_is_killed_and_is_still_cut_by_a_lock(tmp_path: Path) -> None:
    hub = Mezhub(tmp_path / "hub")
    hub.configure(**free_ports("ssh_listen_addr", "tunnel_listen_addr", "web_listen_addr"))
    with hub.serving() as first:
        with first.as_local() as local:
            local.call(ROLES_PUT, PutRolesRequest(text=ROLE))
            local.call(USERS_CREATE, CreateUserRequest(name="erin", roles=["everything"], password=PASSWORD))
        with node(first, tmp_path / "node"):
            (tmp_path / "erin").mkdir()
            person = log_in(Demo(first.facts, first.process), tmp_path / "erin", "erin", PASSWORD)
            # `msh config` lists what is there when it is asked.
            deadline = time.monotonic() + PATIENCE_S
            while "web-1" not in person.config.read_text():
                assert time.monotonic() < deadline, "the node did not join"
                person.config.write_text(person.done(*program("msh"), "config"))
            once_online(person)
            echo = Echo(person)
            try:
                echo.says_back(b"with the hub\n")
                first.kill()
                echo.says_back(b"without it\n" * 1_000)
                with hub.serving() as second:
                    echo.says_back(b"with the next one\n")
                    once_online(person)
                    echo.says_back(b"whose node is back\n")
                    with second.as_local() as local:
                        local.call(
                            LOCKS_CREATE, CreateLockRequest(target="user", name="erin", message="an incident")
                        )
                    assert echo.process.wait(PATIENCE_S) != 0
                    second.stop()
            finally:
                echo.close()
