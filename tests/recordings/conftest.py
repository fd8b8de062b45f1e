"""Fixtures for recordings; the workshop itself is `tests.support.recordings`."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from recordings.chain import Ed25519Signer, Signer
from recordings.events import Event, Exit, Marker, Output, Resize
from tests.support.recordings import Workshop


@pytest.fixture(scope="session")
def shop() -> Workshop:
    def signer(seed: int) -> Signer:
        return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32))

    return Workshop(X25519PrivateKey.from_private_bytes(bytes(range(32))), signer(1), signer(2), signer(3))


@pytest.fixture(scope="session")
def story() -> list[list[Event]]:
    """Five chunks in which everything happens once."""
    return [
        [Output(0, b"$ "), Output(400_000, b"ls\r\n")],
        [
            Marker(900_000, "command", "ls --color"),
            Output(1_000_000, b"\x1b[1;34mbin\x1b[0m  caf\xc3\xa9.txt\r\n$ "),
        ],
        [Resize(61_000_000, 100, 30), Output(61_000_500, b"\x1b[2J\x1b[H$ ")],
        [Marker(90_000_000, "join", "olivia"), Output(95_000_000, "日本語 🔒\r\n".encode())],
        [Output(100_000_000, b"logout\r\n"), Exit(100_250_000, 0)],
    ]
