"""Content keys open for the cluster's private key, in their own recording, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from recordings.errors import BadKeyFile, KeyUnavailable
from recordings.keys import ContentKey, Keyring, dump_private_key, key_id, load_keyring, rewrap, wrap

OLD = X25519PrivateKey.from_private_bytes(b"\x01" * 32)
NEW = X25519PrivateKey.from_private_bytes(b"\x02" * 32)
ID = b"recording id 016"
CONTENT = ContentKey(b"k" * 32)


def public(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def test_a_wrapped_key_opens_for_its_private_key() -> None:
    assert Keyring([NEW, OLD]).unwrap([wrap(CONTENT, public(OLD), ID)], ID) == CONTENT


def test_two_wraps_of_one_key_share_nothing() -> None:
    one, two = wrap(CONTENT, public(OLD), ID), wrap(CONTENT, public(OLD), ID)
    assert one.ephemeral != two.ephemeral
    assert one.sealed != two.sealed


def test_a_stranger_is_told_which_key_it_takes() -> None:
    with pytest.raises(KeyUnavailable, match=key_id(public(OLD))):
        Keyring([NEW]).unwrap([wrap(CONTENT, public(OLD), ID)], ID)


def test_a_wrap_moved_to_another_recording_does_not_open() -> None:
    with pytest.raises(KeyUnavailable, match="another recording"):
        Keyring([OLD]).unwrap([wrap(CONTENT, public(OLD), ID)], b"another recordin")


@pytest.mark.parametrize("ephemeral", [bytes(32), b"\x09" + bytes(31)])
def test_a_wrap_with_another_ephemeral_key_does_not_open(ephemeral: bytes) -> None:
    wrapped = replace(wrap(CONTENT, public(OLD), ID), ephemeral=ephemeral)
    with pytest.raises(KeyUnavailable):
        Keyring([OLD]).unwrap([wrapped], ID)


def test_a_damaged_wrap_does_not_hide_a_good_one() -> None:
    good = wrap(CONTENT, public(OLD), ID)
    assert Keyring([OLD]).unwrap([replace(good, sealed=bytes(48)), good], ID) == CONTENT


def test_rotation_wraps_again_without_the_old_private_key() -> None:
    again = rewrap([wrap(CONTENT, public(OLD), ID)], ID, Keyring([OLD]), public(NEW))
    assert Keyring([NEW]).unwrap([again], ID) == CONTENT


def test_the_content_key_is_not_shown() -> None:
    assert "k" * 8 not in repr(CONTENT)
    assert ContentKey.fresh() != ContentKey.fresh()


def test_a_key_file_holds_several_keys_and_prose() -> None:
    pem = b"# recording keys\n" + dump_private_key(OLD) + b"\n# rotated\n" + dump_private_key(NEW)
    assert load_keyring(pem).key_ids == {key_id(public(OLD)), key_id(public(NEW))}


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\n",
        b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        Ed25519PrivateKey.from_private_bytes(b"e" * 32).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        bytes(300_000),
    ],
)
def test_what_is_no_key_file_is_refused(pem: bytes) -> None:
    with pytest.raises(BadKeyFile):
        load_keyring(pem)
