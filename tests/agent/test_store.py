from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import load_ssh_private_key
from hypothesis import given
from hypothesis import strategies as st

from daemons.agent import identity
from daemons.agent.identity import NodeKeys, check_issued
from daemons.agent.store import NodeStore, open_store
from mezite.errors import Conflict, Damaged, Invalid, SettingsError, Unavailable
from tests.support.clock import FakeClock
from tests.support.nodes import membership_of


async def test_keys_are_made_once_and_what_was_issued_comes_back(tmp_path: Path) -> None:
    with open_store(tmp_path / "data") as store:
        keys = store.keys()
        assert store.membership() is None
        member = await membership_of(keys)
        store.save(member)
    with open_store(tmp_path / "data") as store:
        assert store.keys().host_line == keys.host_line
        assert store.keys().tls_spki == keys.tls_spki
        assert store.membership() == member
    assert load_ssh_private_key((tmp_path / "data" / "ssh_host_key").read_bytes(), None) is not None


async def test_nobody_else_can_read_any_of_it(tmp_path: Path) -> None:
    directory = tmp_path / "data"
    directory.mkdir(mode=0o755)
    with open_store(directory) as store:
        store.save(await membership_of(store.keys()))
    assert directory.stat().st_mode & 0o777 == 0o700
    assert {path.name: path.stat().st_mode & 0o777 for path in directory.iterdir()} == dict.fromkeys(
        ("mezd.lock", "ssh_host_key", "tls_key.pem", "identity.json"), 0o600
    )


@pytest.mark.parametrize("name", ["ssh_host_key", "tls_key.pem"])
def test_a_key_that_others_could_read_is_refused(tmp_path: Path, name: str) -> None:
    with open_store(tmp_path) as store:
        store.keys()
        (tmp_path / name).chmod(0o640)
        with pytest.raises(SettingsError) as refusal:
            store.keys()
    assert name in str(refusal.value)


@pytest.mark.parametrize("name", ["ssh_host_key", "tls_key.pem"])
@pytest.mark.parametrize("content", [b"", b"garbage", b"-----BEGIN OPENSSH PRIVATE KEY-----\n", None])
def test_a_damaged_or_missing_key_is_refused_and_not_replaced(
    tmp_path: Path, name: str, content: bytes | None
) -> None:
    with open_store(tmp_path) as store:
        store.keys()
        path = tmp_path / name
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)
        with pytest.raises(Damaged) as refusal:
            store.keys()
        assert name in str(refusal.value)
        assert (path.read_bytes() if path.exists() else None) == content


def test_a_key_of_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        keys = store.keys()
        (tmp_path / "tls_key.pem").write_bytes(keys.host_pem)
        with pytest.raises(Damaged):
            store.keys()


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"x")
    with open_store(tmp_path / "data") as store:
        (tmp_path / "data" / "ssh_host_key").symlink_to(elsewhere)
        with pytest.raises(SettingsError):
            store.keys()


async def test_an_identity_cut_short_anywhere_is_refused_in_one_line(tmp_path: Path) -> None:
    with open_store(tmp_path) as store:
        store.save(await membership_of(store.keys()))
        path = tmp_path / "identity.json"
        whole = path.read_bytes()
        for size in range(0, len(whole), 97):
            path.write_bytes(whole[:size])
            with pytest.raises(Damaged) as refusal:
                store.membership()
            assert "\n" not in str(refusal.value)
            assert "join again" in str(refusal.value)


@given(st.binary(max_size=300))
def test_whatever_stands_in_the_file_the_refusal_is_typed(content: bytes) -> None:
    with pytest.raises(Damaged):
        identity.decode(content)


def test_a_directory_is_one_agents(tmp_path: Path) -> None:
    with open_store(tmp_path):
        with pytest.raises(Conflict) as refusal:
            with open_store(tmp_path):
                pass
        assert str(tmp_path) in str(refusal.value)
    with open_store(tmp_path):
        pass


def test_a_directory_that_cannot_be_made_is_said_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError) as refusal:
        with open_store(tmp_path / "file" / "data"):
            pass
    assert str(refusal.value).startswith("data_dir: cannot use")


async def test_a_save_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with open_store(tmp_path) as store:
        first = await membership_of(store.keys())
        store.save(first)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(Unavailable) as refusal:
                store.save(await membership_of(store.keys()))
        assert "No space left" in str(refusal.value)
        assert store.membership() == first
        second = await membership_of(store.keys())
        store.save(second)
        assert NodeStore(tmp_path).membership() == second


async def test_certificates_of_another_are_not_taken_in() -> None:
    keys = NodeKeys.generate()
    issued = (await membership_of(keys)).issued
    check_issued(issued, keys, name="web-1", cluster="production")
    for wrong in (
        (NodeKeys.generate(), "web-1", "production"),
        (keys, "web-2", "production"),
        (keys, "web-1", "staging"),
    ):
        with pytest.raises(Invalid):
            check_issued(issued, wrong[0], name=wrong[1], cluster=wrong[2])


async def test_renewal_is_due_two_thirds_through() -> None:
    member = await membership_of(NodeKeys.generate())
    begun, ends = FakeClock().now(), member.expires_at
    assert abs(member.renewal_at(0) - (begun + (ends - begun) * 2 / 3)).total_seconds() < 1
    assert member.renewal_at(-0.05) < member.renewal_at(0) < member.renewal_at(0.05) < ends


def test_keys_do_not_show_themselves() -> None:
    keys = NodeKeys.generate()
    assert repr(keys) == "NodeKeys()"
