"""Which public keys are certified."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mezite.ca.ssh_keys import MAX_KEY_CHARS, authority_line, load_public_key, public_line
from mezite.errors import Invalid

ED25519 = public_line(Ed25519PrivateKey.generate().public_key())
P256 = public_line(ec.generate_private_key(ec.SECP256R1()).public_key())


def _line(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


@pytest.mark.parametrize("line", [ED25519, P256])
@pytest.mark.parametrize("around", ["{}", "{}\n", "{} alice@laptop", "  {}\ta comment of words\r\n"])
def test_the_two_kinds_load_whatever_the_comment(line: str, around: str) -> None:
    assert public_line(load_public_key(around.format(line))) == line


def test_what_ssh_keygen_makes_loads(tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "id"], check=True)
    line = (tmp_path / "id.pub").read_text()
    assert line.startswith(public_line(load_public_key(line)))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ssh-ed25519",
        "ssh-ed25519 !!!!",
        "ssh-ed25519 AAAA",
        ED25519[:-4],
        ED25519.replace("ssh-ed25519", "ecdsa-sha2-nistp256"),
        _line(ec.generate_private_key(ec.SECP384R1())),
        _line(rsa.generate_private_key(65537, 2048)),
        "sk-ssh-ed25519@openssh.com " + ED25519.split()[1],
        "ssh-ed25519-cert-v01@openssh.com " + ED25519.split()[1],
        "ssh-dss AAAA",
        'command="rm -rf /" ' + ED25519,
        ED25519 + " " * MAX_KEY_CHARS,
        "ssh-ed25519 naïve",
    ],
)
def test_anything_else_is_refused(line: str) -> None:
    with pytest.raises(Invalid, match=r"certify|damaged") as refused:
        load_public_key(line)
    assert refused.value.code == "invalid_public_key"


def test_an_authority_is_written_as_any_key() -> None:
    key = Ed25519PrivateKey.generate().public_key()
    assert authority_line(key.public_bytes_raw()) == public_line(key)
