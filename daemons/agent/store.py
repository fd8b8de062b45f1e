"""The agent's data directory: two private keys, one file of what was issued for them, one lock.

    mezd.lock        held while an agent runs on this directory
    ssh_host_key     Ed25519, as OpenSSH writes it
    tls_key.pem      P-256
    identity.json    certificates and whom to trust, replaced as one

The directory is 0700, its files 0600, written beside and renamed, so that a crash leaves the old or the new.
A file that others could read or that does not read back is refused: an agent that quietly made fresh keys
would be another node.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_ssh_private_key

from daemons.agent import identity
from daemons.agent.identity import Membership, NodeKeys
from mezite.errors import Conflict, Damaged, SettingsError, Unavailable

MAX_FILE: Final = 256 * 1024


class NodeStore:
    """An open data directory, held by this process alone."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def keys(self) -> NodeKeys:
        """This node's keys; made if there are none."""
        host, tls = self._read("ssh_host_key"), self._read("tls_key.pem")
        if host is None and tls is None:
            made = NodeKeys.generate()
            self._write("ssh_host_key", made.host_pem)
            self._write("tls_key.pem", made.tls_pem)
            return made
        if host is None or tls is None:
            missing = "ssh_host_key" if host is None else "tls_key.pem"
            raise self._damaged(missing, "it is missing, while the other key is there")
        return NodeKeys(self._host_key(host), self._tls_key(tls))

    def membership(self) -> Membership | None:
        """What the cluster issued; None before the node has joined."""
        text = self._read("identity.json")
        if text is None:
            return None
        try:
            return identity.decode(text)
        except Damaged as damage:
            raise self._damaged("identity.json", str(damage)) from None

    def save(self, membership: Membership) -> None:
        self._write("identity.json", identity.encode(membership))

    def _host_key(self, text: bytes) -> Ed25519PrivateKey:
        with contextlib.suppress(ValueError, UnsupportedAlgorithm, TypeError):
            key = load_ssh_private_key(text, password=None)
            if isinstance(key, Ed25519PrivateKey):
                return key
        raise self._damaged("ssh_host_key", "it is no Ed25519 key")

    def _tls_key(self, text: bytes) -> ec.EllipticCurvePrivateKey:
        with contextlib.suppress(ValueError, UnsupportedAlgorithm, TypeError):
            key = load_pem_private_key(text, password=None)
            if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
                return key
        raise self._damaged("tls_key.pem", "it is no P-256 key")

    def _read(self, name: str) -> bytes | None:
        path = self.directory / name
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise SettingsError([f"data_dir: cannot read {path}: {error.strerror}"]) from None
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode) or mode & 0o077:
                raise SettingsError(
                    [f"{path} can be read by others; chmod 600 it, or remove it and join again"]
                )
            return file.read(MAX_FILE)

    def _write(self, name: str, content: bytes) -> None:
        """Whole or not at all, and on disk when this returns."""
        beside = self.directory / f".{name}.fresh"
        try:
            with contextlib.suppress(FileNotFoundError):
                beside.unlink()
            descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with open(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            beside.replace(self.directory / name)
            _sync_directory(self.directory)
        except OSError as error:
            raise Unavailable(f"cannot write {self.directory / name}: {error.strerror}") from None

    def _damaged(self, name: str, why: str) -> Damaged:
        return Damaged(
            f"{self.directory / name}: {why}; restore it, or move {self.directory} away and join again"
        )


@contextmanager
def open_store(directory: Path) -> Iterator[NodeStore]:
    """The data directory, made if missing, for this process alone."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        if directory.stat().st_mode & 0o077:
            directory.chmod(0o700)
        descriptor = os.open(
            directory / "mezd.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600
        )
    except OSError as error:
        raise SettingsError([f"data_dir: cannot use {directory}: {error.strerror}"]) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Conflict(
                f"another mezd runs on {directory}; give this one its own MEZITE_DATA_DIR"
            ) from None
        yield NodeStore(directory)
    finally:
        os.close(descriptor)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
