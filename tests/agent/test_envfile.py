from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.agent import envfile
from mezite.api.tunnel.proof import parse_token
from mezite.config import load_agent
from mezite.errors import SettingsError


def test_a_file_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / "agent.env"
    path.write_text(
        "# where the hub is\n"
        "MEZITE_PROXY_ADDR=hub.example.com:3024\n"
        "\n"
        "; quoted, or not\n"
        'MEZITE_NODE_LABELS="env=production,team=platform"\n'
        "export MEZITE_NODE_NAME='web-1'\n"
        "  MEZITE_JOIN_TOKEN = no\n".replace(" = ", "=")
        + "EMPTY=\n"
        "HASH=a#b\n"
    )
    assert envfile.read(path) == {
        "MEZITE_PROXY_ADDR": "hub.example.com:3024",
        "MEZITE_NODE_LABELS": "env=production,team=platform",
        "MEZITE_NODE_NAME": "web-1",
        "MEZITE_JOIN_TOKEN": "no",
        "EMPTY": "",
        "HASH": "a#b",
    }


def test_every_line_that_is_none_is_named_and_not_quoted(tmp_path: Path) -> None:
    path = tmp_path / "agent.env"
    path.write_text("A=1\nMEZITE_JOIN_TOKEN secret-token\n1B=2\n")
    with pytest.raises(SettingsError) as refusal:
        envfile.read(path)
    assert refusal.value.faults == (f"{path} line 2: not NAME=value", f"{path} line 3: not NAME=value")
    assert "secret-token" not in str(refusal.value)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"A=1\n" * 20_000, None])
def test_what_is_no_such_file_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "agent.env"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SettingsError) as refusal:
        envfile.read(path)
    assert len(refusal.value.faults) == 1
    assert str(path) in str(refusal.value)


def test_a_token_that_lies_open_is_said(tmp_path: Path) -> None:
    path = tmp_path / "agent.env"
    path.write_text("MEZITE_JOIN_TOKEN=x\n")
    path.chmod(0o644)
    (warning,) = envfile.warnings(path, envfile.read(path))
    assert f"chmod 600 {path}" in warning
    path.chmod(0o600)
    assert envfile.warnings(path, envfile.read(path)) == ()
    path.chmod(0o644)
    assert envfile.warnings(path, {"MEZITE_NODE_NAME": "web-1"}) == ()


def test_the_example_in_the_documentation_is_a_set_of_settings() -> None:
    said = envfile.read(Path(__file__).parents[2] / "docs/agent.env.example")
    loaded = load_agent(said)
    assert loaded.warnings == ()
    assert loaded.settings.node_name == "web-server-01"
    assert loaded.settings.join_token is not None
    parse_token(loaded.settings.join_token.reveal())


@given(st.text(max_size=200))
def test_whatever_stands_there_is_read_or_refused(text: str) -> None:
    try:
        found = envfile.parse(text, "agent.env")
    except SettingsError:
        return
    assert all(name.isidentifier() and name.isascii() for name in found)
