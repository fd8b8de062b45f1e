"""`mezd` as a process."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest

from daemons.hub.desk import nodes
from mezite import __version__
from mezite.api.tunnel.proof import mint_token
from mezite.model.node import NodeStatus
from tests.support.nodes import tunnel_hub

LISTENING = "0A"


async def mezd(*arguments: str, **environment: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "daemons.agent.main",
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def ends(process: asyncio.subprocess.Process) -> tuple[int | None, str, str]:
    async with asyncio.timeout(30):
        out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


async def until_said(process: asyncio.subprocess.Process, words: str) -> str:
    """Everything on stderr up to the line with these words."""
    assert process.stderr is not None
    heard = ""
    async with asyncio.timeout(30):
        while words not in heard:
            line = await process.stderr.readline()
            assert line, f"mezd ended: {heard}"
            heard += line.decode()
    return heard


def listening_sockets(pid: int) -> list[str]:
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(entry)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    found = []
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/{pid}/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[9] in inodes and fields[3] == LISTENING:
                found.append(line)
    return found


@pytest.mark.slow
async def test_an_agent_env_joins_a_node_which_listens_nowhere_and_leaves_when_told(tmp_path: Path) -> None:
    async with tunnel_hub() as hub:
        token = await hub.token()
        env = tmp_path / "agent.env"
        env.write_text(
            f"MEZITE_PROXY_ADDR=127.0.0.1:{hub.port}\nMEZITE_JOIN_TOKEN={token.text}\n"
            f"MEZITE_NODE_NAME=web-server-01\nMEZITE_NODE_LABELS=env=production,team=platform,os=ubuntu\n"
            f"MEZITE_DATA_DIR={tmp_path / 'data'}\nMEZITE_CA_PIN={hub.desk.keyring.ca_pin}\n"
        )
        process = await mezd("start", "--config", str(env))
        heard = await until_said(process, "online as web-server-01")
        view = await nodes.get(hub.desk, hub.admin, "web-server-01")
        assert view.status is NodeStatus.ONLINE
        assert listening_sockets(process.pid) == []
        process.send_signal(signal.SIGTERM)
        code, _, err = await ends(process)
        assert code == 0
        assert token.secret not in heard + err
        async with asyncio.timeout(5):
            while await hub.desk.store.read(lambda tx: tx.presence.count()):  # noqa: ASYNC110  what is watched is in storage
                await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({}, ["proxy_addr", "not set"]),
        ({"MEZITE_PROXY_ADDR": "127.0.0.1:1"}, ["join_token", "mezctl tokens create --roles=node"]),
        (
            {"MEZITE_PROXY_ADDR": "127.0.0.1:1", "MEZITE_JOIN_TOKEN": "hunter2"},
            ["join_token", "not a join token"],
        ),
        (
            {
                "MEZITE_PROXY_ADDR": "127.0.0.1:1",
                "MEZITE_JOIN_TOKEN": mint_token().text,
                "MEZITE_NODE_LABELS": ",".join(f"k{number}={'é' * 255}é"[:260] for number in range(64)),
            },
            ["node_labels"],
        ),
    ],
)
async def test_what_cannot_start_says_why_in_lines_and_leaves(
    tmp_path: Path, environment: dict[str, str], words: list[str]
) -> None:
    code, out, err = await ends(await mezd("start", MEZITE_DATA_DIR=str(tmp_path / "data"), **environment))
    assert code == 2
    assert out == ""
    assert "Traceback" not in err
    assert "hunter2" not in err
    assert all(word in err for word in words)


async def test_the_version_is_printed() -> None:
    assert await ends(await mezd("version")) == (0, f"{__version__}\n", "")
