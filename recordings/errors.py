"""Every error a recording can raise, in one tree, so that a caller maps it once.

    RecordingError                 code
      DamagedRecording             damaged        the file is not what its writer wrote; says what, where
      MalformedInput               malformed      a value handed to a codec is out of its bounds: its caller's
      KeyUnavailable               no_key         nothing in the keyring opens this recording
      BadKeyFile                   bad_key_file   a key file cannot be read as one
      RecordingLost                lost           the recorder can no longer promise to keep what it is given
        DiskFull                   disk_full      ... because the disk is full
      SpoolBusy                    busy           another process is writing this spool file
      StoreError                   store
        UnknownRecording           not_found
        RecordingRemoved           removed        a tombstone stands where it was
        RecordingFinished          finished       it is complete; nothing may be added
        UploadConflict             conflict       not the bytes, or not at the place, that was acknowledged
      BadSnapshot                  bad_snapshot   bytes that are no screen snapshot

Messages never hold recorded content or key material. They may hold names from a header, which come from
outside: whoever prints them escapes them.
"""

from __future__ import annotations

from enum import Enum
from typing import ClassVar


class Fault(Enum):
    """What can be wrong with a recording. The values are published and never reused."""

    MALFORMED = "malformed"
    """Bytes that are no record of this format, or fields outside their bounds."""
    TRUNCATED = "truncated"
    """The file stops inside a record, or before the chunk its end record names as last."""
    UNFINISHED = "unfinished"
    """Whole records up to the end of the file, but no end record: still being written, or its writer died."""
    MISSING = "missing"
    """A chunk number is skipped and the chunk is nowhere in the file."""
    REORDERED = "reordered"
    """Chunks of this recording stand in another order, or twice."""
    FOREIGN = "foreign"
    """A record of another recording."""
    ALTERED = "altered"
    """Bits changed after they were signed or chained."""
    UNSIGNED = "unsigned"
    """No signature where one is needed to know who wrote it."""
    UNTRUSTED = "untrusted"
    """Signed, but by a key nobody asked vouches for."""
    UNREADABLE = "unreadable"
    """The key fits, yet a sealed chunk does not open or holds no events."""
    TRAILING = "trailing"
    """Bytes after the end record."""
    UNACKNOWLEDGED = "unacknowledged"
    """Not the length or the last digest its receiver acknowledged."""


class RecordingError(Exception):
    """Base of everything this package raises on purpose."""

    code: ClassVar[str] = "recording"


class DamagedRecording(RecordingError):
    """The file is not what its writer wrote."""

    code = "damaged"

    def __init__(self, fault: Fault, detail: str, *, offset: int = 0, chunk: int | None = None) -> None:
        where = f"byte {offset}" if chunk is None else f"chunk {chunk}, byte {offset}"
        super().__init__(f"{fault.value} at {where}: {detail}")
        self.fault = fault
        self.detail = detail
        self.offset = offset
        self.chunk = chunk


class MalformedInput(RecordingError, ValueError):
    """A value handed to a codec is out of its bounds."""

    code = "malformed"


class KeyUnavailable(RecordingError):
    """Nothing in the keyring opens this recording."""

    code = "no_key"


class BadKeyFile(RecordingError):
    """A key file cannot be read as one."""

    code = "bad_key_file"


class RecordingLost(RecordingError):
    """The recorder can no longer promise to keep what it is given."""

    code = "lost"


class DiskFull(RecordingLost):
    """The disk that holds the spool is full."""

    code = "disk_full"


class SpoolBusy(RecordingError):
    """Another process is writing this spool file."""

    code = "busy"


class StoreError(RecordingError):
    """A recording store refuses."""

    code = "store"


class UnknownRecording(StoreError):
    """The store has no recording of that id."""

    code = "not_found"


class RecordingRemoved(StoreError):
    """A tombstone stands where the recording was."""

    code = "removed"


class RecordingFinished(StoreError):
    """The recording is complete; nothing may be added."""

    code = "finished"


class UploadConflict(StoreError):
    """Bytes differ from, or leave a gap after, what was acknowledged."""

    code = "conflict"


class BadSnapshot(RecordingError):
    """Bytes that are no screen snapshot."""

    code = "bad_snapshot"
