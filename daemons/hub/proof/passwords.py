"""Passwords, hashed by Argon2id off the event loop.

Every check costs one run, also for a user who does not exist: the stand-in hash makes the work the same.
Runs are few at a time (each takes 64 MiB), the waiting line is bounded and fair between addresses, and beyond
it callers are told to come back: a flood of logins from some addresses slows theirs, and nothing else.
"""

from __future__ import annotations

import asyncio
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from daemons.hub.proof.fair_line import FairLine
from daemons.hub.proof.throttle import source_of
from mezite.errors import Invalid

R = TypeVar("R")

SHORTEST: Final = 12
LONGEST: Final = 1024
WAITING_LIMIT: Final = 64
"""Full policy: that of `FairLine`. A longer line would outlast the callers' own time-outs."""
WAITING_PER_ADDRESS: Final = 32
"""An office that logs in all at once has one address; a full line takes from whoever has most in it."""


class Passwords:
    def __init__(self, *, hasher: PasswordHasher | None = None, lanes: int = 2) -> None:
        self._hasher = hasher or PasswordHasher()
        self._lanes = ThreadPoolExecutor(lanes, thread_name_prefix="argon2")
        self._line = FairLine(lanes=lanes, overall=WAITING_LIMIT, per_source=WAITING_PER_ADDRESS)
        self._stand_in = self._hasher.hash("nobody has this password")

    def close(self) -> None:
        self._lanes.shutdown(wait=False, cancel_futures=True)

    async def hash(self, password: str, *, address: str) -> str:
        return await self._run(address, self._hasher.hash, acceptable(password))

    async def verify(self, stored: str | None, password: str, *, address: str) -> bool:
        """One Argon2 run, whether or not there is a stored hash; false without one."""
        right = await self._run(address, self._matches, stored or self._stand_in, password[:LONGEST])
        return right and stored is not None and len(password) <= LONGEST

    def _matches(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password.encode("utf-8", "surrogatepass"))
        except (VerificationError, InvalidHashError):
            return False

    async def _run(self, address: str, work: Callable[..., R], *arguments: str) -> R:
        await self._line.enter(source_of(address))
        job = asyncio.get_running_loop().run_in_executor(self._lanes, work, *arguments)
        # A caller who goes away does not free the lane: the thread goes on until the hash is done.
        job.add_done_callback(lambda _: self._line.leave())
        return await asyncio.shield(job)


def acceptable(password: str) -> str:
    """The password, if it may be set: long enough, bounded, and typeable."""
    if not SHORTEST <= len(password) <= LONGEST:
        raise Invalid(f"a password has {SHORTEST} to {LONGEST} characters", code="invalid_password")
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in password):
        raise Invalid(
            "a password has no control characters and no halves of characters", code="invalid_password"
        )
    return password
