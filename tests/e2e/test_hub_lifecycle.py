"""`mezhub` as a process: what keeps it from starting is one clear line, and it stops quickly and in order."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import threading
from contextlib import closing
from pathlib import Path

import pytest

from daemons.hub.binding import bind, port_of
from mezite.api.generated import audit_pb2, common_pb2, feed_pb2, users_pb2
from mezite.audit.heads import parse_head
from mezite.client import local
from mezite.client.hub import Hub
from mezite.client.login import enrol
from mezite.client.methods import (
    AUDIT_EXPORT,
    AUDIT_VERIFY,
    FEED_WATCH,
    IDENTITY_WHO_AM_I,
    USERS_CREATE,
    USERS_LIST,
)
from mezite.config import Address
from mezite.errors import EXIT_FAILURE, EXIT_UNAVAILABLE, EXIT_USAGE
from tests.support.mezhub import Mezhub, Serving, end, environment, first_line

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"


@pytest.fixture
def mezhub(tmp_path: Path) -> Mezhub:
    mezhub = Mezhub(tmp_path / "hub")
    mezhub.configure()
    return mezhub


def refused(mezhub: Mezhub) -> tuple[int, str]:
    """(exit status, the one line) of a start that fails."""
    done = mezhub.run("start", "--announce")
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if " critical " in line or line.startswith("mezhub: ")]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def users(serving: Serving) -> list[str]:
    with serving.as_local() as hub:
        return [user.name for user in hub.call(USERS_LIST, common_pb2.Page()).users]


def create(serving: Serving, *names: str) -> None:
    with serving.as_local() as hub:
        for name in names:
            hub.call(USERS_CREATE, users_pb2.CreateUserRequest(name=name))


def sound(serving: Serving) -> bool:
    with serving.as_local() as hub:
        return hub.call(AUDIT_VERIFY, audit_pb2.VerifyRequest(), timeout_s=60).sound


def test_sigterm_leaves_quickly_even_with_watchers_and_signs_the_end(mezhub: Mezhub) -> None:
    with mezhub.serving() as serving:
        create(serving, "alice")
        with serving.as_local() as hub:
            watch = hub.stream(FEED_WATCH, feed_pb2.WatchRequest())
            next(watch)
            assert serving.stop() == 0
    assert not (mezhub.data_dir / "admin.sock").exists()
    last = parse_head((mezhub.data_dir / "audit-heads.log").read_text().splitlines()[-1])
    with closing(sqlite3.connect(mezhub.data_dir / "mezite.db")) as connection:
        seq, body = connection.execute("SELECT seq, body FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
        signed = connection.execute("SELECT count(*) FROM signed_heads WHERE seq = ?", (seq,)).fetchone()
    assert json.loads(body)["type"] == "hub.stopped"
    assert last.seq == seq
    assert last.signature
    assert signed == (1,)
    assert "Traceback" not in mezhub.log


def test_each_start_invites_the_first_administrator_until_one_came(mezhub: Mezhub) -> None:
    with mezhub.serving() as serving:
        lost = serving.facts["first_admin_token"]
        assert serving.stop() == 0
    with mezhub.serving() as serving:
        fresh = serving.facts["first_admin_token"]
        assert fresh != lost
        enrol(serving.contact, fresh, PASSWORD)
        assert serving.stop() == 0
    with mezhub.serving() as serving:
        assert serving.facts["first_admin_token"] is None
        assert serving.log_in("admin", PASSWORD).login is not None
    for secret in (lost, fresh, PASSWORD):
        assert secret not in mezhub.log


def test_without_announce_a_person_is_told_what_to_type(mezhub: Mezhub) -> None:
    process = subprocess.Popen(
        mezhub.command(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment()
    )
    try:
        assert "first administrator" in first_line(process)
        assert process.stdout is not None
        assert re.fullmatch(
            r"  msh enrol --proxy=127\.0\.0\.1:\d+ --ca-pin=sha256:[0-9a-f]{64} --token=mze_\S+\n",
            process.stdout.readline(),
        )
    finally:
        end(process)


def test_a_second_hub_on_the_same_data_is_refused_and_the_first_goes_on(mezhub: Mezhub) -> None:
    with mezhub.serving() as serving:
        status, line = refused(mezhub)
        assert status == EXIT_FAILURE
        assert f"in use by process {serving.process.pid}" in line
        create(serving, "alice")
        assert users(serving) == ["admin", "alice"]


def test_after_a_kill_nothing_is_in_the_way(mezhub: Mezhub) -> None:
    with mezhub.serving() as serving:
        create(serving, "alice")
        serving.kill()
    assert (mezhub.data_dir / "admin.sock").exists()
    with mezhub.serving() as serving:
        assert users(serving) == ["admin", "alice"]
        assert sound(serving)


@pytest.mark.parametrize("key", ["web_listen_addr", "tunnel_listen_addr"])
def test_a_port_in_use(mezhub: Mezhub, key: str) -> None:
    with bind("x", Address("127.0.0.1", 0)) as taken:
        mezhub.configure(**{key: f"127.0.0.1:{port_of(taken)}"})
        status, line = refused(mezhub)
    assert status == EXIT_UNAVAILABLE
    assert f"proxy.{key}: cannot listen on 127.0.0.1:" in line
    assert "is another hub running there?" in line


def test_an_address_that_is_not_this_machines(mezhub: Mezhub) -> None:
    mezhub.configure(web_listen_addr="192.0.2.1:3080")
    status, line = refused(mezhub)
    assert status == EXIT_UNAVAILABLE
    assert "proxy.web_listen_addr: cannot listen on 192.0.2.1:3080" in line


def test_a_data_directory_that_is_none(mezhub: Mezhub) -> None:
    mezhub.data_dir.write_text("a file")
    status, line = refused(mezhub)
    assert status == EXIT_UNAVAILABLE
    assert f"the data directory {mezhub.data_dir} cannot be used" in line
    assert mezhub.data_dir.read_text() == "a file"


def test_a_database_that_is_none(mezhub: Mezhub) -> None:
    mezhub.data_dir.mkdir()
    (mezhub.data_dir / "mezite.db").write_bytes(b"not a database, whatever it is called" * 100)
    status, _ = refused(mezhub)
    assert status != 0
    assert (mezhub.data_dir / "mezite.db").read_bytes().startswith(b"not a database")


def test_data_of_a_newer_version_is_left_alone(mezhub: Mezhub) -> None:
    with mezhub.serving() as serving:
        assert serving.stop() == 0
    database = mezhub.data_dir / "mezite.db"
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'm9999'")
    before = database.read_bytes()
    status, line = refused(mezhub)
    assert status != 0
    assert "newer" in line
    assert database.read_bytes() == before


def test_a_seal_key_that_others_can_read_and_one_that_is_gone(mezhub: Mezhub) -> None:
    with mezhub.serving() as serving:
        pin = serving.facts["ca_pin"]
        assert serving.stop() == 0
    assert f"made {mezhub.data_dir}/seal.key" in mezhub.log
    key = mezhub.data_dir / "seal.key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    status, line = refused(mezhub)
    assert (status, "chmod 600" in line) == (EXIT_USAGE, True)
    key.chmod(0o600)
    kept = key.rename(mezhub.directory / "kept")
    status, line = refused(mezhub)
    assert (status, "is missing" in line) == (EXIT_USAGE, True)
    assert not key.exists()
    kept.rename(key)
    with mezhub.serving() as serving:
        assert serving.facts["ca_pin"] == pin


def test_another_cluster_name_is_refused(mezhub: Mezhub) -> None:
    with mezhub.serving() as serving:
        assert serving.stop() == 0
    settings = json.loads(mezhub.config.read_text())
    mezhub.config.write_text(json.dumps({**settings, "cluster_name": "other"}))
    status, line = refused(mezhub)
    assert status == EXIT_USAGE
    assert "this data belongs to cluster test, not other" in line


def test_a_backup_of_a_running_hub_comes_back_as_the_same_cluster(mezhub: Mezhub, tmp_path: Path) -> None:
    with mezhub.serving() as serving:
        enrol(serving.contact, serving.facts["first_admin_token"], PASSWORD)
        create(serving, "alice", "bob")
        done = mezhub.run("backup", str(tmp_path / "backup"), "--with-keys")
        assert done.returncode == 0, done.stderr
        create(serving, "carol")
        pin = serving.facts["ca_pin"]
        busy = mezhub.run("restore", str(tmp_path / "backup"), "--force")
        assert (busy.returncode, "in use" in busy.stderr) == (EXIT_FAILURE, True)
        assert serving.stop() == 0

    other = Mezhub(tmp_path / "other")
    other.configure()
    assert other.run("restore", str(tmp_path / "backup")).returncode == 0
    with other.serving() as serving:
        assert serving.facts["ca_pin"] == pin
        assert users(serving) == ["admin", "alice", "bob"]
        assert sound(serving)
        assert serving.log_in("admin", PASSWORD).login is not None
        with serving.as_local() as hub:
            links = list(hub.stream(AUDIT_EXPORT, audit_pb2.ExportEventsRequest()))
        assert any("bob" in link.event.body for link in links)

    again = mezhub.run("restore", str(tmp_path / "backup"))
    assert again.returncode == EXIT_FAILURE
    assert "--force" in again.stderr
    assert mezhub.run("restore", str(tmp_path / "backup"), "--force").returncode == 0
    with mezhub.serving() as serving:
        assert users(serving) == ["admin", "alice", "bob"]
        assert sound(serving)


def test_a_thousand_connections_do_it_no_harm(mezhub: Mezhub) -> None:
    """Each is a handshake of its own; one with a wrong word in gRPC's ear ends the process by SIGSEGV."""
    with mezhub.serving() as serving:
        bearer = local.admit(mezhub.data_dir)
        faults: list[BaseException] = []

        def connect() -> None:
            try:
                for _ in range(125):
                    with Hub(bearer) as hub:
                        hub.call(IDENTITY_WHO_AM_I, common_pb2.Empty(), timeout_s=30)
            except BaseException as fault:  # noqa: BLE001  # told by the test's own thread
                faults.append(fault)

        callers = [threading.Thread(target=connect) for _ in range(8)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(120)
        assert not faults
        assert serving.process.poll() is None


def test_settings_with_faults_are_told_all_at_once(mezhub: Mezhub) -> None:
    mezhub.config.write_text('{"cluster_name": "No", "nonsense": 1, "auth": {"listen_addr": "x"}}')
    done = mezhub.run("start")
    assert done.returncode == EXIT_USAGE
    assert "Traceback" not in done.stderr
    for key in ("cluster_name", "nonsense", "auth.listen_addr"):
        assert key in done.stderr
