"""The link: exactly this hash of exactly these bytes."""

from __future__ import annotations

import hashlib

from mezite.audit.chain import GENESIS, link


def test_a_link_hashes_domain_previous_number_and_body() -> None:
    record = link(GENESIS, 1, '{"a":1}')
    said = b"mezite audit 1\0" + bytes(32) + b"\0\0\0\0\0\0\0\x01" + b'{"a":1}'
    assert record.hash == hashlib.sha256(said).digest()
    assert (record.seq, record.body) == (1, '{"a":1}')


def test_every_part_counts() -> None:
    links = [
        link(GENESIS, 1, "a"),
        link(bytes(31) + b"\1", 1, "a"),
        link(GENESIS, 2, "a"),
        link(GENESIS, 1, "b"),
    ]
    assert len({record.hash for record in links}) == 4
