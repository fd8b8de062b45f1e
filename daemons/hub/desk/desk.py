"""What all use cases share: the store, the clock, the keys, and the one way to run a unit for a caller."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

from daemons.hub.desk.who import Caller, Standing, standing
from daemons.hub.keyring import Keyring
from mezite.audit.events import Detail, Event, Kind
from mezite.clock import Clock
from mezite.errors import Denied, MeziteError, NotLoggedIn
from mezite.ids import mint_uuid
from mezite.model.identity import IdentityKind
from mezite.storage.ports import Reading, Store, Writing

R = TypeVar("R")

DENIALS_PER_MINUTE: Final = 60
"""Of one caller, written down. Whoever is refused must not be able to fill the log; the rest is counted."""


@dataclass(slots=True)
class Desk:
    store: Store
    clock: Clock
    keyring: Keyring
    cluster: str
    hub_id: str
    denials: DenialLog = field(init=False)

    def __post_init__(self) -> None:
        self.denials = DenialLog()

    async def look(self, caller: Caller, query: Callable[[Reading, Standing], R]) -> R:
        """Runs a query in the caller's name; the caller's standing is judged in the same view."""
        try:
            return await self.store.read(lambda tx: query(tx, standing(tx, caller, self.clock.now())))
        except (Denied, NotLoggedIn) as refusal:
            await self.note_refusal(caller, refusal)
            raise

    async def act(self, caller: Caller, unit: Callable[[Writing, Standing], R]) -> R:
        """Runs a unit in the caller's name; the caller's standing is judged in the same unit."""
        try:
            return await self.store.write(lambda tx: unit(tx, standing(tx, caller, self.clock.now())))
        except (Denied, NotLoggedIn) as refusal:
            await self.note_refusal(caller, refusal)
            raise

    async def note_refusal(
        self, caller: Caller, refusal: MeziteError, *, node: str = "", login: str = ""
    ) -> None:
        """Writes a refusal down, with evidence the caller does not get. Expiry and questions are none."""
        if refusal.code in ("expired", "otp_required"):
            return
        identity = caller.identity
        unwritten = self.denials.admit(f"{identity.kind}:{identity.id}", self.clock.monotonic())
        if unwritten is None:
            return
        prefix = "" if identity.kind is IdentityKind.USER else f"{identity.kind}:"
        event = self.event(
            Kind.ACCESS_DENIED,
            user=f"{prefix}{identity.name}",
            user_id=identity.id if identity.kind is IdentityKind.USER else "",
            success=False,
            reason=refusal.evidence or refusal.message,
            client_ip=caller.client_ip,
            node=node,
            details={"code": refusal.code, "unwritten": unwritten} if unwritten else {"code": refusal.code},
        )
        event = replace(event, login=login)
        await self.store.write(lambda tx: tx.record(event))

    def event(
        self,
        kind: Kind,
        *,
        user: str,
        now: datetime | None = None,
        user_id: str = "",
        success: bool = True,
        resource: str = "",
        reason: str = "",
        client_ip: str = "",
        node: str = "",
        details: dict[str, Detail] | None = None,
    ) -> Event:
        """An event whose actor has no standing: a failed login, a refused node, the hub itself."""
        return Event(
            id=mint_uuid(),
            time=now or self.clock.now(),
            kind=kind,
            user=user,
            user_id=user_id,
            success=success,
            resource=resource,
            reason=reason,
            client_ip=client_ip,
            node=node,
            details=details or {},
        )


class DenialLog:
    """Lets so many denials of one caller a minute into the log; beyond that only counts."""

    CALLERS: Final = 10_000

    def __init__(self) -> None:
        self._windows: dict[str, tuple[float, int]] = {}

    def admit(self, who: str, now: float) -> int | None:
        """None: do not write. Else write, and say how many went unwritten in the window before."""
        started, count = self._windows.get(who, (now, 0))
        unwritten = 0
        if now - started >= 60:
            unwritten, started, count = max(0, count - DENIALS_PER_MINUTE), now, 0
        self._windows.pop(who, None)
        self._windows[who] = (started, count + 1)
        if len(self._windows) > self.CALLERS:
            self._windows.pop(next(iter(self._windows)))
        return unwritten if count < DENIALS_PER_MINUTE else None
