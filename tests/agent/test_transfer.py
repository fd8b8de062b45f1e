"""SFTP packets in passing: pieces of any size, files followed to their end, refusals, and nonsense."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemons.agent.copying import Direction
from daemons.agent.sftp_packets import MAX_PACKET, Fields, Flag, Kind, Packets, status
from daemons.agent.transfer import MAX_PENDING, RunSieve, SftpSieve, Transfer
from mezite.errors import Invalid
from mezite.model.role import FileCopy


def u32(value: int) -> bytes:
    return value.to_bytes(4, "big")


def text(value: bytes) -> bytes:
    return u32(len(value)) + value


def packet(kind: int, body: bytes) -> bytes:
    return u32(len(body) + 1) + bytes([kind]) + body


def opening(request: int, path: bytes, flags: int) -> bytes:
    return packet(Kind.OPEN, u32(request) + text(path) + u32(flags) + u32(0))


def handle(request: int, name: bytes) -> bytes:
    return packet(Kind.HANDLE, u32(request) + text(name))


def write(request: int, name: bytes, data: bytes) -> bytes:
    return packet(Kind.WRITE, u32(request) + text(name) + bytes(8) + text(data))


def close(request: int, name: bytes) -> bytes:
    return packet(Kind.CLOSE, u32(request) + text(name))


class Watched:
    def __init__(self, rule: FileCopy = FileCopy.ALL) -> None:
        self.rule = rule
        self.told: list[Transfer] = []
        self.sieve = SftpSieve(lambda: self.rule, self.told.append)


@given(st.lists(st.binary(min_size=1, max_size=50), max_size=8), st.data())
def test_packets_come_out_whole_whatever_the_pieces(bodies: list[bytes], data: st.DataObject) -> None:
    stream = b"".join(u32(len(body)) + body for body in bodies)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, got = Packets(), []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        got += reader.feed(stream[start:end])
    assert b"".join(got) == stream
    assert [one[4:] for one in got] == bodies


@pytest.mark.parametrize("length", [0, MAX_PACKET + 1, 2**32 - 1])
def test_a_length_that_is_none_is_refused_for_good(length: int) -> None:
    reader = Packets()
    with pytest.raises(Invalid):
        reader.feed(u32(length))
    with pytest.raises(Invalid):
        reader.feed(packet(Kind.STATUS, bytes(4)))


def test_an_upload_is_told_of_when_it_is_closed_with_what_was_confirmed() -> None:
    watched = Watched()
    sieve = watched.sieve
    asked = opening(1, b"/srv/a", Flag.WRITE | Flag.CREATE)
    assert sieve.from_client(asked) == (asked, b"")
    sieve.from_program(handle(1, b"h"))
    sieve.from_client(write(2, b"h", b"x" * 10) + write(3, b"h", b"y" * 5))
    sieve.from_program(status(2, 0, "") + status(3, 4, "disk full"))
    assert watched.told == []
    sieve.from_client(close(4, b"h"))
    sieve.from_program(status(4, 0, ""))
    assert watched.told == [Transfer("/srv/a", Direction.UPLOAD, 10, ok=False)]


def test_the_end_of_a_file_is_no_fault() -> None:
    watched = Watched()
    sieve = watched.sieve
    sieve.from_client(opening(1, b"/srv/a", Flag.READ))
    sieve.from_program(handle(1, b"h"))
    for request in (2, 3):
        sieve.from_client(packet(Kind.READ, u32(request) + text(b"h") + bytes(8) + u32(100)))
    sieve.from_program(packet(Kind.DATA, u32(2) + text(b"z" * 70)) + status(3, 1, "eof"))
    sieve.from_client(close(4, b"h"))
    sieve.from_program(status(4, 0, ""))
    assert watched.told == [Transfer("/srv/a", Direction.DOWNLOAD, 70, ok=True)]


def test_a_refused_open_never_reaches_the_server() -> None:
    watched = Watched(FileCopy.DOWNLOAD)
    allowed = opening(8, b"/b", Flag.READ)
    passed, answer = watched.sieve.from_client(opening(7, b"/a", Flag.WRITE) + allowed)
    assert passed == allowed
    fields = Fields(answer)
    assert (fields.kind, fields.number(), fields.number()) == (Kind.STATUS, 7, 3)
    assert watched.told == [Transfer("/a", Direction.UPLOAD, 0, ok=False)]


@pytest.mark.parametrize("flags", [Flag.WRITE, Flag.READ | Flag.APPEND, Flag.READ | Flag.TRUNCATE, 0x40])
def test_whatever_may_change_a_file_is_no_download(flags: int) -> None:
    passed, answer = Watched(FileCopy.DOWNLOAD).sieve.from_client(opening(1, b"/a", flags))
    assert (passed, bool(answer)) == (b"", True)


@pytest.mark.parametrize("flags", [Flag.READ, Flag.READ | Flag.WRITE, 0])
def test_whatever_may_read_a_file_is_no_upload(flags: int) -> None:
    passed, answer = Watched(FileCopy.UPLOAD).sieve.from_client(opening(1, b"/a", flags))
    assert (passed, bool(answer)) == (b"", True)


def test_extended_requests_not_known_to_be_harmless_are_changes() -> None:
    unknown = packet(Kind.EXTENDED, u32(1) + text(b"posix-rename@openssh.com") + text(b"a") + text(b"b"))
    known = packet(Kind.EXTENDED, u32(2) + text(b"limits@openssh.com"))
    passed, answer = Watched(FileCopy.DOWNLOAD).sieve.from_client(unknown + known)
    assert passed == known
    assert answer


def test_a_change_of_rights_holds_from_the_next_file_on() -> None:
    watched = Watched()
    assert watched.sieve.from_client(opening(1, b"/a", Flag.WRITE))[0]
    watched.rule = FileCopy.NONE
    assert not watched.sieve.from_client(opening(2, b"/b", Flag.WRITE))[0]


def test_files_still_open_at_the_end_were_cut_off() -> None:
    watched = Watched()
    watched.sieve.from_client(opening(1, b"/a", Flag.WRITE) + opening(2, b"/b", Flag.READ))
    watched.sieve.from_program(handle(1, b"h"))
    watched.sieve.over(ok=True)
    watched.sieve.over(ok=True)
    assert {(each.path, each.ok) for each in watched.told} == {("/a", False), ("/b", False)}
    assert len(watched.told) == 2


def test_requests_without_end_are_refused() -> None:
    sieve = Watched().sieve
    for request in range(MAX_PENDING):
        sieve.from_client(close(request, b"h"))
    with pytest.raises(Invalid):
        sieve.from_client(close(MAX_PENDING, b"h"))


def test_noise_is_followed_or_refused_and_breaks_nothing(rng: random.Random) -> None:
    kinds = [kind.value for kind in Kind]
    for _ in range(2_000):
        sieve = Watched(rng.choice(list(FileCopy))).sieve
        try:
            for _ in range(10):
                body = rng.randbytes(rng.randrange(40))
                sieve.from_client(packet(rng.choice(kinds), body))
                sieve.from_program(packet(rng.choice(kinds), rng.randbytes(rng.randrange(40))))
        except Invalid:
            pass
        sieve.over(ok=True)


@pytest.mark.parametrize(("direction", "counted"), [(Direction.UPLOAD, 3), (Direction.DOWNLOAD, 5)])
def test_a_run_passes_everything_and_is_one_event(direction: Direction, counted: int) -> None:
    told: list[Transfer] = []
    sieve = RunSieve(direction, "/srv", told.append)
    assert sieve.from_client(b"abc") == (b"abc", b"")
    assert sieve.from_program(b"12345") == b"12345"
    sieve.over(ok=True)
    sieve.over(ok=False)
    assert told == [Transfer("/srv", direction, counted, ok=True)]
