"""The cluster's keys: made once, opened only by what sealed them, and every refusal one clear line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509

from daemons.hub.keyring import SEAL_KEY_BYTES, claim_cluster, open_keyring, seal_key_file
from daemons.hub.server_tls import RENEW_AFTER, ServerTls
from mezite.audit import body
from mezite.audit.events import Kind
from mezite.ca.keys import Seal
from mezite.errors import Damaged, MeziteError, SettingsError
from mezite.model.authority import Authority, AuthorityKind
from mezite.storage.memory import open_memory
from mezite.storage.ports import Store
from tests.support.clock import FakeClock

CHEAP = 2**4
SALT = bytes(16)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def store(clock: FakeClock) -> AsyncIterator[Store]:
    async with open_memory(clock) as store:
        yield store


def passphrase(text: str) -> Seal:
    return Seal.from_passphrase(text, SALT, cost=CHEAP)


async def test_the_first_start_makes_the_keys_and_others_open_the_same(
    store: Store, clock: FakeClock
) -> None:
    first = await open_keyring(store, passphrase("one"), "here", clock)
    again = await open_keyring(store, passphrase("one"), "here", clock)
    assert first.ca_pin == again.ca_pin
    for kind in (AuthorityKind.USER, AuthorityKind.HOST, AuthorityKind.AUDIT):
        assert first.public_line(kind) == again.public_line(kind)
    records = await store.read(lambda tx: tx.audit.records(after=0, limit=99))
    events = [body.decode(record.body) for record in records]
    assert [event.kind for event in events] == [Kind.AUTHORITY_CREATED] * len(AuthorityKind)
    assert {event.resource for event in events} == {kind.value for kind in AuthorityKind}


async def test_no_private_key_is_shown(store: Store, clock: FakeClock) -> None:
    keyring = await open_keyring(store, passphrase("one"), "here", clock)
    assert "PRIVATE" not in repr(keyring)
    assert "sealed" not in repr(keyring)
    pair = keyring.server_pair("hub_1", clock.now(), ["localhost"])
    assert "PRIVATE" not in repr(pair)


@pytest.mark.parametrize("other", [passphrase("two"), Seal.from_key(bytes(32))], ids=["passphrase", "key"])
async def test_another_seal_opens_nothing(store: Store, clock: FakeClock, other: Seal) -> None:
    await open_keyring(store, passphrase("one"), "here", clock)
    with pytest.raises(SettingsError) as refusal:
        await open_keyring(store, other, "here", clock)
    assert len(refusal.value.faults) == 1
    assert "ca_key_passphrase" in refusal.value.faults[0]
    assert "\n" not in str(refusal.value)


async def test_a_key_that_was_changed_is_damage_and_not_used(store: Store, clock: FakeClock) -> None:
    await open_keyring(store, passphrase("one"), "here", clock)
    for authority in await store.read(lambda tx: tx.authorities.all()):
        sealed = authority.sealed_private
        changed = await _replace(
            store, replace(authority, sealed_private=sealed[:-1] + bytes([sealed[-1] ^ 1]))
        )
        with pytest.raises(Damaged):
            await open_keyring(store, passphrase("one"), "here", clock)
        await _replace(store, replace(authority, revision=changed.revision))
    await open_keyring(store, passphrase("one"), "here", clock)


async def _replace(store: Store, authority: Authority) -> Authority:
    return await store.write(lambda tx: tx.authorities.replace(authority))


async def test_data_belongs_to_one_cluster(store: Store, clock: FakeClock) -> None:
    first = await claim_cluster(store, "here", clock)
    assert await claim_cluster(store, "here", clock) == first
    with pytest.raises(SettingsError, match="belongs to cluster here, not there"):
        await claim_cluster(store, "there", clock)
    assert await store.read(lambda tx: tx.clusters.count()) == 1


async def test_a_clock_before_the_cluster_is_refused_before_anything_is_signed(
    store: Store, clock: FakeClock
) -> None:
    await claim_cluster(store, "here", clock)
    clock.set_wall(clock.now() - timedelta(seconds=30))  # another hub's clock may be a little behind
    await claim_cluster(store, "here", clock)
    clock.set_wall(clock.now() - timedelta(days=365))
    with pytest.raises(SettingsError, match="set it right"):
        await claim_cluster(store, "here", clock)


def test_the_seal_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "seal.key"
    seal, made = seal_key_file(path, sealed_already=False)
    assert made
    assert path.stat().st_mode & 0o777 == 0o600
    assert len(path.read_bytes()) == SEAL_KEY_BYTES
    again, made = seal_key_file(path, sealed_already=True)
    assert not made
    assert again.open(seal.close(b"x", kind="k", id="i"), kind="k", id="i") == b"x"
    assert list(tmp_path.iterdir()) == [path]


def test_half_a_key_of_a_crash_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "seal.key.part").write_bytes(b"half")
    seal_key_file(tmp_path / "seal.key", sealed_already=False)
    assert [path.name for path in tmp_path.iterdir()] == ["seal.key"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
def test_a_seal_key_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "seal.key"
    seal_key_file(path, sealed_already=False)
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod 600"):
        seal_key_file(path, sealed_already=True)


def test_a_lost_seal_key_is_not_replaced_by_one_that_opens_nothing(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="put your copy of it back"):
        seal_key_file(tmp_path / "seal.key", sealed_already=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"x" * 31, b"x" * 33])
def test_a_file_that_is_no_seal_key(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "seal.key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(MeziteError) as refusal:
        seal_key_file(path, sealed_already=True)
    assert "\n" not in str(refusal.value)
    assert path.read_bytes() == content


async def test_the_servers_certificate_is_renewed_while_serving(store: Store, clock: FakeClock) -> None:
    keyring = await open_keyring(store, passphrase("one"), "here", clock)
    tls = ServerTls(keyring, "hub_1", clock, ["localhost", "127.0.0.1"])
    first = tls.pair()
    clock.advance(RENEW_AFTER - timedelta(seconds=1))
    assert tls.pair() is first
    clock.advance(timedelta(seconds=1))
    second = tls.pair()
    assert second.key != first.key
    leaf = x509.load_pem_x509_certificates(second.chain)[0]
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "hub.here.mezite" in names.get_values_for_type(x509.DNSName)
    assert leaf.not_valid_after_utc - clock.now() > RENEW_AFTER
