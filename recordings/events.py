"""What a recording is made of: four kinds of events, each at a time.

Times are microseconds since the recording began, on the recorder's monotonic clock; they never run backwards.
There is no input event: what a user types is recorded only as far as the terminal shows it.
How events become bytes is `payload`; how bytes become a file is `format`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Output:
    """Bytes the terminal was sent, exactly; a character may be cut between two of them."""

    at_us: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """The terminal took another size."""

    at_us: int
    columns: int
    rows: int


@dataclass(frozen=True, slots=True)
class Marker:
    """Something worth finding again: `label` says what kind (command, join, pause, note), `text` which."""

    at_us: int
    label: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Exit:
    """What was recorded ended by itself. `status` is the exit status, or 128 + signal as a shell counts."""

    at_us: int
    status: int


Event = Output | Resize | Marker | Exit
