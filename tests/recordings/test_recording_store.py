"""The promises of a recording store: resumable uploads, one finish, tombstones, quarantine."""

from __future__ import annotations

from pathlib import Path

import pytest

from recordings.errors import (
    MalformedInput,
    RecordingFinished,
    RecordingRemoved,
    UnknownRecording,
    UploadConflict,
)
from recordings.keys import rewrap
from recordings.reader import Recording
from recordings.store import DirectoryStore
from recordings.verify import verify
from tests.support.recordings import Chunks, Workshop

ID = "0f6d3c1e-9a52-4a43-8d0e-2f4f3a1b7c11"


@pytest.fixture
def store(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "store")


def test_an_upload_in_pieces_is_the_file(store: DirectoryStore, shop: Workshop, story: Chunks) -> None:
    raw = shop.write(story)
    for at in range(0, len(raw), 100):
        assert store.received(ID) == at
        assert store.append(ID, at, raw[at : at + 100]) == min(at + 100, len(raw))
    assert list(store.ids()) == []
    store.finish(ID)
    assert list(store.ids()) == [ID]
    with store.open(ID) as source:
        assert verify(source, ring=shop.ring).intact


def test_a_piece_sent_again_changes_nothing(store: DirectoryStore) -> None:
    store.append(ID, 0, b"abcdef")
    assert store.append(ID, 0, b"abc") == 6
    assert store.append(ID, 3, b"defghi") == 9
    assert store.append(ID, 9, b"") == 9
    with store.open(ID) as source:
        assert source.read_at(0, 99) == b"abcdefghi"


def test_a_gap_or_other_bytes_are_refused(store: DirectoryStore) -> None:
    store.append(ID, 0, b"abc")
    with pytest.raises(UploadConflict, match="send from there"):
        store.append(ID, 4, b"x")
    with pytest.raises(UploadConflict, match="acknowledged"):
        store.append(ID, 1, b"xxx")
    assert store.received(ID) == 3


def test_a_finished_recording_is_never_written_again(store: DirectoryStore) -> None:
    store.append(ID, 0, b"abc")
    store.finish(ID)
    for again in (lambda: store.append(ID, 3, b"d"), lambda: store.finish(ID), lambda: store.received(ID)):
        with pytest.raises(RecordingFinished):
            again()


def test_what_is_not_there_is_unknown(store: DirectoryStore) -> None:
    for ask in (
        lambda: store.open(ID),
        lambda: store.finish(ID),
        lambda: store.quarantine(ID, "x"),
        lambda: store.remove(ID, by="root", reason="", at_us=0),
    ):
        with pytest.raises(UnknownRecording):
            ask()
    assert store.received(ID) == 0
    assert store.tombstone(ID) is None
    assert store.wraps(ID) == ()


def test_a_removed_recording_leaves_a_tombstone(store: DirectoryStore, shop: Workshop) -> None:
    store.append(ID, 0, b"abc")
    store.finish(ID)
    store.add_wraps(ID, shop.header().keys)
    stone = store.remove(ID, by="olivia", reason="retention", at_us=7)
    assert (stone.size, stone.removed_by) == (3, "olivia")
    assert stone.sha256.startswith("ba7816bf")
    assert store.tombstone(ID) == stone
    assert list(store.ids()) == []
    for ask in (lambda: store.open(ID), lambda: store.append(ID, 0, b"abc"), lambda: store.received(ID)):
        with pytest.raises(RecordingRemoved):
            ask()
    assert store.wraps(ID) == ()


def test_quarantine_blocks_nothing(store: DirectoryStore, tmp_path: Path) -> None:
    store.append(ID, 0, b"garbage")
    store.quarantine(ID, "not a recording")
    assert store.received(ID) == 0
    assert (tmp_path / "store/quarantine" / f"{ID}.mzr").read_bytes() == b"garbage"
    assert (tmp_path / "store/quarantine" / f"{ID}.reason").read_text() == "not a recording\n"
    store.append(ID, 0, b"good")
    store.finish(ID)
    assert list(store.ids()) == [ID]


@pytest.mark.parametrize("name", ["", "ab", "../../etc/passwd", "a/b", ".." * 3, "in\0", "x" * 200, "ab\n"])
def test_an_id_cannot_leave_the_store(store: DirectoryStore, name: str) -> None:
    for ask in (store.received, store.open, store.finish, store.tombstone):
        with pytest.raises(MalformedInput):
            ask(name)
    with pytest.raises(MalformedInput):
        store.append(name, 0, b"x")


def test_wraps_for_a_later_key_are_kept_beside(store: DirectoryStore, shop: Workshop, story: Chunks) -> None:
    store.append(ID, 0, shop.write(story))
    store.finish(ID)
    header = shop.header()
    later = rewrap(header.keys, header.id, shop.ring, shop.cluster_key.public_key().public_bytes_raw())
    store.add_wraps(ID, [later])
    assert store.wraps(ID) == (later,)
    with store.open(ID) as source:
        assert next(Recording(source, shop.ring, more_wraps=store.wraps(ID)).events()) == story[0][0]


def test_files_are_private(store: DirectoryStore, tmp_path: Path) -> None:
    store.append(ID, 0, b"x")
    store.finish(ID)
    for path in (tmp_path / "store").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path
