"""Files through the agent: sftp, both protocols of scp, rsync; with the login's rights, each one told of."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from daemons.agent import reports
from mezite.api.tunnel.orders import Ask, Told
from mezite.model.role import FileCopy
from tests.support.openssh import MISSING
from tests.support.sshd import Node, alice, dev, node, rights, run

pytestmark = [pytest.mark.skipif(bool(MISSING), reason=MISSING)]

CONTENT = bytes(range(256)) * 3_000


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Node]:
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    (tmp_path / "here" / "up").write_bytes(CONTENT)
    (tmp_path / "there" / "down").write_bytes(CONTENT)
    async with node(tmp_path) as served:
        yield served


def rule(served: Node, allowed: FileCopy) -> None:
    served.standing = lambda: rights(alice(), dev(file_copy=allowed))


@pytest.mark.parametrize("protocol", ["-s", "-O"])
async def test_scp_up_and_down(served: Node, protocol: str) -> None:
    here, there = served.place / "here", served.place / "there"
    up = await served.program("scp", protocol, "-q", str(here / "up"), f"NODE:{there}/up")
    down = await served.program("scp", protocol, "-q", f"NODE:{there}/down", str(here / "down"))
    assert (up.returncode, down.returncode) == (0, 0), (up, down)
    assert (there / "up").read_bytes() == (here / "down").read_bytes() == CONTENT
    told = served.tells(Told.FILE)
    assert [(each["direction"], each["ok"], each["path"]) for each in told] == [
        ("upload", True, f"{there}/up"),
        ("download", True, f"{there}/down"),
    ]
    assert [each["bytes"] for each in told] == [len(CONTENT)] * 2


@pytest.mark.parametrize("protocol", ["-s", "-O"])
async def test_a_directory_is_an_event_for_each_file_in_it(served: Node, protocol: str) -> None:
    here, there = served.place / "here", served.place / "there"
    (here / "deep").mkdir()
    (here / "deep" / "a b").write_bytes(b"")
    up = await served.program("scp", protocol, "-q", "-r", str(here), f"NODE:{there}")
    down = await served.program("scp", protocol, "-q", "-r", f"NODE:{there}/here", str(served.place / "back"))
    assert (up.returncode, down.returncode) == (0, 0), (up, down)
    told = {(each["direction"], each["path"], each["bytes"], each["ok"]) for each in served.tells(Told.FILE)}
    assert told == {
        (direction, f"{there}/here/{name}", size, True)
        for direction in ("upload", "download")
        for name, size in (("up", len(CONTENT)), ("deep/a b", 0))
    }


async def test_sftp_tells_each_file_once(served: Node) -> None:
    here, there = served.place / "here", served.place / "there"
    batch = f"put {here}/up {there}/one\nput {here}/up {there}/two\nget {there}/down {here}/got\n"
    done = await served.program("sftp", "-b", "-", "NODE:", stdin=batch.encode())
    assert done.returncode == 0, done
    assert [(each["path"], each["bytes"], each["ok"]) for each in served.tells(Told.FILE)] == [
        (f"{there}/one", len(CONTENT), True),
        (f"{there}/two", len(CONTENT), True),
        (f"{there}/down", len(CONTENT), True),
    ]


async def test_a_file_that_cannot_be_opened_is_told_of_as_such(served: Node) -> None:
    done = await served.program("sftp", "-b", "-", "NODE:", stdin=b"get /no/such/file\n")
    assert done.returncode != 0
    batch = f"put {served.place}/here/up /no/such/place\n"
    await served.program("sftp", "-b", "-", "NODE:", stdin=batch.encode())
    assert [(each["path"], each["ok"]) for each in served.tells(Told.FILE)] == [("/no/such/place", False)]


@pytest.mark.parametrize("protocol", ["-s", "-O"])
async def test_only_downloads(served: Node, protocol: str) -> None:
    rule(served, FileCopy.DOWNLOAD)
    here, there = served.place / "here", served.place / "there"
    up = await served.program("scp", protocol, "-q", str(here / "up"), f"NODE:{there}/up")
    assert up.returncode != 0
    assert b"ermission denied" in up.stderr or b"not allowed here" in up.stderr
    assert not (there / "up").exists()
    down = await served.program("scp", protocol, "-q", f"NODE:{there}/down", str(here / "down"))
    assert down.returncode == 0, down


@pytest.mark.parametrize("protocol", ["-s", "-O"])
async def test_only_uploads(served: Node, protocol: str) -> None:
    rule(served, FileCopy.UPLOAD)
    here, there = served.place / "here", served.place / "there"
    down = await served.program("scp", protocol, "-q", f"NODE:{there}/down", str(here / "down"))
    assert down.returncode != 0
    assert not (here / "down").exists()
    up = await served.program("scp", protocol, "-q", str(here / "up"), f"NODE:{there}/up")
    assert up.returncode == 0, up


async def test_downloads_change_nothing_on_the_way(served: Node) -> None:
    rule(served, FileCopy.DOWNLOAD)
    there = served.place / "there"
    for order in (
        f"rm {there}/down",
        f"mkdir {there}/new",
        f"rename {there}/down {there}/x",
        f"chmod 777 {there}/down",
    ):
        done = await served.program("sftp", "-b", "-", "NODE:", stdin=f"{order}\n".encode())
        assert done.returncode != 0, order
    assert [path.name for path in there.iterdir()] == ["down"]


async def test_files_that_cannot_be_told_of_are_not_opened(
    served: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = served.place / "here", served.place / "there"
    decide = served.decide

    def full_once_begun(ask: Ask) -> str | None:
        monkeypatch.setattr(reports, "MAX_BYTES", 0)
        return decide(ask)

    served.decide = full_once_begun
    done = await served.program("sftp", "-b", "-", "NODE:", stdin=f"get {there}/down {here}/got\n".encode())
    assert done.returncode != 0
    assert b"ermission denied" in done.stderr
    assert not (here / "got").exists()


async def test_no_copying_at_all(served: Node) -> None:
    rule(served, FileCopy.NONE)
    done = await served.program("sftp", "-b", "-", "NODE:", stdin=b"pwd\n")
    assert done.returncode != 0
    assert b"copying files is not allowed here" in done.stderr


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync")
async def test_rsync_is_one_event_a_run(served: Node) -> None:
    here, there = served.place / "here", served.place / "there"
    shell = " ".join(served.ssh_words())
    done = await run(["rsync", "-a", "-e", shell, f"{here}/", f"{served.login}@127.0.0.1:{there}/"])
    assert done.returncode == 0, done
    assert (there / "up").read_bytes() == CONTENT
    [told] = served.tells(Told.FILE)
    assert (told["tool"], told["direction"], told["ok"]) == ("rsync", "upload", True)
