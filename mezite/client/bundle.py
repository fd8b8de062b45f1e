"""Keys and certificates of a machine as plain files, for programs that know nothing of profiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from mezite.api.generated.authorities_pb2 import SignedCertificates
from mezite.client import home as files
from mezite.client.keypairs import SshPair, TlsPair
from mezite.client.known_hosts import authority_lines
from mezite.client.login import certificate_line, key_line
from mezite.client.profile import KnownHub
from mezite.errors import Conflict

NAMES: Final = (
    "ssh_key", "ssh_key.pub", "ssh_key-cert.pub", "tls_key.pem", "tls_cert.pem", "tls_ca.pem", "known_hosts",
)  # fmt: skip


def check_free(directory: Path) -> None:
    """Raises `Conflict` when any of the files is there: keys are never written over."""
    for name in NAMES:
        if (directory / name).exists():
            raise Conflict(f"{directory / name} is there already; name another directory with --out")


def write_bundle(
    directory: Path, hub: KnownHub, ssh: SshPair, tls: TlsPair, signed: SignedCertificates
) -> None:
    """Makes `directory` (0700) if need be and writes every file, none of which may exist."""
    known = replace(hub, host_authorities=tuple(key_line(line) for line in signed.host_authorities))
    texts = (
        ssh.private,
        ssh.public + "\n",
        certificate_line(signed.ssh_certificate),
        tls.private,
        signed.tls_certificate,
        signed.tls_authorities,
        authority_lines(known, bare_names=True),
    )
    files.prepare(directory)
    for name, text in zip(NAMES, texts, strict=True):
        files.write_fresh(directory / name, text)
    files.sync_directory(directory)
