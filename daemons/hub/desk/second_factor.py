"""The second factor: enrolled, asked for, removed. The arithmetic is in `proof.totp`."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from daemons.hub.desk.desk import Desk
from daemons.hub.desk.users import end_logins
from daemons.hub.desk.who import Caller, Standing
from daemons.hub.proof import totp
from daemons.hub.proof.passwords import Passwords
from daemons.hub.proof.throttle import Throttle
from mezite.audit.events import Kind
from mezite.errors import Conflict, Denied, NotFound, NotLoggedIn, OtpRequired
from mezite.model.user import Credential, Totp, User
from mezite.storage.ports import Reading, Writing

R = TypeVar("R")

WRONG_CODE = "wrong code; wait for the next one and try again"


def check_otp(
    desk: Desk, tx: Writing, user: User, credential: Credential, otp: str
) -> tuple[Credential, bool]:
    """Holds `otp` against the enrolled factor and spends it: (credential after, whether one was proved)."""
    factor = credential.totp
    if factor is None or not factor.confirmed:
        return credential, False
    if not otp:
        raise OtpRequired("a one-time code is required; give the six digits your authenticator shows")
    if len(otp) > totp.LONGEST:
        raise NotLoggedIn(WRONG_CODE, code="wrong_otp", evidence="one-time code of a length that none has")
    now = desk.clock.now()
    step = totp.matching_step(_secret(desk, user, factor), otp, now, after=factor.last_step)
    if step is not None:
        return tx.credentials.replace(replace(credential, totp=replace(factor, last_step=step))), True
    hashed = totp.recovery_hash(otp)
    left = tuple(known for known in credential.recovery_hashes if not hmac.compare_digest(known, hashed))
    if len(left) < len(credential.recovery_hashes):
        event = desk.event(
            Kind.MFA_RECOVERY_USED, user=user.name, user_id=user.id, now=now, details={"left": len(left)}
        )
        tx.record(event)
        return tx.credentials.replace(replace(credential, recovery_hashes=left)), True
    raise NotLoggedIn(WRONG_CODE, code="wrong_otp", evidence="wrong or used one-time code")


@dataclass(slots=True)
class SecondFactor:
    """What users do with their own factor and password. Every step asks for what is proved already."""

    desk: Desk
    passwords: Passwords
    throttle: Throttle = field(default_factory=Throttle)

    async def begin(self, caller: Caller, password: str, otp: str) -> tuple[bytes, str]:
        """A fresh secret, unconfirmed: (secret, otpauth uri). An enrolled factor has to be removed first."""
        proven = await self._password_holds(caller, password)

        def unit(tx: Writing, who: Standing) -> tuple[bytes, str]:
            user, credential = _own(tx, who, proven)
            credential, _ = check_otp(self.desk, tx, user, credential, otp)
            if credential.totp is not None and credential.totp.confirmed:
                raise Conflict(
                    "a second factor is enrolled; remove it first with `msh mfa rm`", code="mfa_enrolled"
                )
            secret = secrets.token_bytes(totp.SECRET_BYTES)
            sealed = self.desk.keyring.seal.close(secret, kind="totp", id=user.id)
            tx.credentials.replace(replace(credential, totp=Totp(sealed, confirmed=False)))
            return secret, totp.uri(secret, user=user.name, cluster=self.desk.cluster)

        return await self._guarded(caller, lambda: self.desk.act(caller, unit))

    async def confirm(self, caller: Caller, otp: str) -> tuple[str, ...]:
        """Enrols the begun factor once its first code is right; answers the recovery codes, shown once."""
        codes = totp.recovery_codes()

        def unit(tx: Writing, who: Standing) -> tuple[str, ...]:
            user, credential = _own(tx, who)
            factor = credential.totp
            if factor is None:
                raise NotFound("no second factor was begun; `msh mfa add` begins")
            if factor.confirmed:
                raise Conflict("the second factor is enrolled already", code="mfa_enrolled")
            step = totp.matching_step(_secret(self.desk, user, factor), otp, who.now, after=factor.last_step)
            if step is None:
                raise Denied(WRONG_CODE, code="wrong_otp")
            confirmed = replace(factor, confirmed=True, last_step=step)
            hashes = tuple(totp.recovery_hash(code) for code in codes)
            tx.credentials.replace(replace(credential, totp=confirmed, recovery_hashes=hashes))
            tx.record(who.event(Kind.MFA_ADDED, resource=user.name, factor="totp"))
            return codes

        return await self._guarded(caller, lambda: self.desk.act(caller, unit))

    async def remove(self, caller: Caller, otp: str) -> None:
        def unit(tx: Writing, who: Standing) -> None:
            user, credential = _own(tx, who)
            if credential.totp is None:
                raise NotFound("no second factor is enrolled")
            credential, _ = check_otp(self.desk, tx, user, credential, otp)
            tx.credentials.replace(replace(credential, totp=None, recovery_hashes=()))
            tx.record(who.event(Kind.MFA_REMOVED, resource=user.name, factor="totp"))

        await self._guarded(caller, lambda: self.desk.act(caller, unit))

    async def change_password(self, caller: Caller, old: str, fresh: str, otp: str) -> None:
        """Ends every other login: what somebody else may hold under the old password is worth nothing now."""
        proven = await self._password_holds(caller, old)
        hashed = await self.passwords.hash(fresh, address=caller.client_ip)

        def unit(tx: Writing, who: Standing) -> None:
            user, credential = _own(tx, who, proven)
            credential, _ = check_otp(self.desk, tx, user, credential, otp)
            tx.credentials.replace(replace(credential, password_hash=hashed))
            end_logins(tx, user, who.now)
            tx.record(who.event(Kind.PASSWORD_CHANGED, resource=user.name))

        await self._guarded(caller, lambda: self.desk.act(caller, unit))

    async def _password_holds(self, caller: Caller, password: str) -> str:
        """The stored hash that `password` matched; the unit must find the same one."""

        def query(tx: Reading, who: Standing) -> str | None:
            credential = tx.credentials.get(who.person.id)
            return credential.password_hash if credential else None

        now = self.desk.clock.monotonic()
        with self.throttle.guess(f"own {caller.identity.id}", caller.client_ip, now) as guess:
            stored = await self.desk.look(caller, query)
            if stored is not None and await self.passwords.verify(stored, password, address=caller.client_ip):
                guess.right()
                return stored
            guess.wrong()
        event = self.desk.event(
            Kind.PASSWORD_CHANGE_FAILED,
            user=caller.identity.name,
            user_id=caller.identity.id,
            success=False,
            reason="wrong password",
            client_ip=caller.client_ip,
        )
        await self.desk.store.write(lambda tx: tx.record(event))
        raise Denied("wrong password", code="wrong_password")

    async def _guarded(self, caller: Caller, step: Callable[[], Awaitable[R]]) -> R:
        """A wrong code counts like a wrong password: six digits must not be tried through."""
        now = self.desk.clock.monotonic()
        with self.throttle.guess(f"otp {caller.identity.id}", caller.client_ip, now) as guess:
            try:
                done = await step()
            except (NotLoggedIn, Denied) as refusal:
                if refusal.code != "wrong_otp":
                    raise
                guess.wrong()
                raise Denied(WRONG_CODE, code="wrong_otp") from None
            guess.right()
            return done


def _own(tx: Reading, who: Standing, proven_hash: str | None = None) -> tuple[User, Credential]:
    user = who.person
    credential = tx.credentials.get(user.id)
    if credential is None:
        raise Denied(
            "you have no password; an administrator can `mezctl users reset` you", code="no_password"
        )
    if proven_hash is not None and credential.password_hash != proven_hash:
        raise Denied("the password was changed meanwhile", code="wrong_password")
    return user, credential


def _secret(desk: Desk, user: User, factor: Totp) -> bytes:
    return desk.keyring.seal.open(factor.sealed_secret, kind="totp", id=user.id)
