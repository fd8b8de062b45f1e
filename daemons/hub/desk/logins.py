"""Logging in: a password, a second factor, and what one gets for them.

1. Every failure says the same words, whatever its cause: no such user, wrong password, locked, a machine.
   The log knows the cause.
2. Every attempt that is not throttled costs exactly one Argon2 run, done off the loop, before anything is
   decided; the decision and its event are then one unit.
3. The second factor is asked for only after the first held: who learns that it is asked knew the password,
   and that somebody knew it is written down and counted.
4. What was proved is proved again inside the unit: the hash that was checked must still be the stored one.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, TypeVar

from daemons.hub.desk.certs import TOKEN_TTL, Issued, PublicKeys, issue
from daemons.hub.desk.desk import Desk
from daemons.hub.desk.second_factor import check_otp
from daemons.hub.desk.users import end_logins, token_hash
from daemons.hub.desk.who import check_current
from daemons.hub.proof import totp
from daemons.hub.proof.passwords import Passwords
from daemons.hub.proof.throttle import Throttle
from mezite import ids
from mezite.audit.events import Detail, Event, Kind
from mezite.client.access_token import AccessToken as ShownToken
from mezite.errors import Invalid, MeziteError, NotLoggedIn, OtpRequired, Throttled
from mezite.model.identity import Identity, IdentityKind, Origin
from mezite.model.user import AccessToken, AccessTokenKind, Credential, EnrolmentPurpose, User, UserKind
from mezite.storage.ports import Reading, Writing

R = TypeVar("R")

WRONG: Final = "wrong user name or password"
CODE_MISSING: Final = "password held, code missing"
"""Why a login failed, for the log: the first half of one with a code, or a thief of the password alone."""
WEB_TTL: Final = timedelta(hours=12)
WEB_LOGINS: Final = 50
"""Of one user at a time; one more ends the oldest."""
ENDED: Final = "this token is not known or has ended; log in again"


@dataclass(frozen=True, slots=True)
class Proof:
    """What somebody typed. Bounded here, so that nothing longer reaches a hash or the log."""

    name: str
    password: str = field(repr=False)
    otp: str = field(default="", repr=False)
    client_ip: str = ""

    def __post_init__(self) -> None:
        if len(self.name) > 256 or len(self.password) > 1024 or len(self.otp) > totp.LONGEST:
            raise Invalid("a user name, password or code is too long")


@dataclass(slots=True)
class Logins:
    desk: Desk
    passwords: Passwords
    throttle: Throttle = field(default_factory=Throttle)
    count: Callable[[str], None] = lambda _outcome: None
    """Hears what came of each attempt: `ok`, `refused`, `otp_required` or `throttled`."""

    async def certificates(self, proof: Proof, keys: PublicKeys, ttl: timedelta | None) -> Issued:
        """What `msh login` gets."""

        def grant(tx: Writing, user: User, mfa: bool) -> Issued:
            now = self.desk.clock.now()
            issued, event = issue(
                self.desk, tx, user, keys, now=now, ttl=ttl, mfa=mfa, client_ip=proof.client_ip, why="login"
            )
            tx.record(event)
            return issued

        return await self._prove(proof, grant, "certificates")

    async def web_token(self, proof: Proof) -> tuple[str, AccessToken]:
        """A bearer for the web routes; the text is nowhere else."""
        secret = f"mzw_{secrets.token_urlsafe(32)}"

        def grant(tx: Writing, user: User, mfa: bool) -> AccessToken:
            now = self.desk.clock.now()
            _make_room(tx, user)
            return tx.access_tokens.insert(
                AccessToken(
                    id=ids.mint("tok"),
                    token_hash=token_hash(secret),
                    kind=AccessTokenKind.WEB,
                    user_id=user.id,
                    created_at=now,
                    expires_at=now + WEB_TTL,
                    mfa=mfa,
                    client_ip=proof.client_ip,
                )
            )

        return secret, await self._prove(proof, grant, "web")

    async def _prove(self, proof: Proof, grant: Callable[[Writing, User, bool], R], way: str) -> R:
        try:
            granted = await self._guessed(proof, grant, way)
        except (NotLoggedIn, Throttled) as refusal:
            self.count("refused" if type(refusal) is NotLoggedIn else refusal.code)
            raise
        self.count("ok")
        return granted

    async def _guessed(self, proof: Proof, grant: Callable[[Writing, User, bool], R], way: str) -> R:
        with self.throttle.guess(proof.name, proof.client_ip, self.desk.clock.monotonic()) as guess:
            try:
                granted = await self._granted(proof, grant, way)
            except OtpRequired:
                guess.half()
                await self._note_failure(proof, CODE_MISSING)
                raise
            except NotLoggedIn as refusal:
                guess.wrong()
                await self._note_failure(proof, refusal.evidence or refusal.message)
                raise NotLoggedIn(WRONG) from None
            guess.right()
            return granted

    async def _granted(self, proof: Proof, grant: Callable[[Writing, User, bool], R], way: str) -> R:
        seen = await self.desk.store.read(lambda tx: _credential_of(tx, proof.name))
        stored = seen.password_hash if seen else None
        right = await self.passwords.verify(stored, proof.password, address=proof.client_ip)

        def unit(tx: Writing) -> R:
            user, credential = self._proven_user(tx, proof.name, stored if right else None)
            credential, mfa = check_otp(self.desk, tx, user, credential, proof.otp)
            granted = grant(tx, user, mfa)
            tx.record(self._event(Kind.USER_LOGIN, user.name, proof, user_id=user.id, way=way, mfa=mfa))
            return granted

        return await self.desk.store.write(unit)

    def _proven_user(self, tx: Reading, name: str, proven_hash: str | None) -> tuple[User, Credential]:
        user = tx.users.one(name=name)
        if user is None:
            raise NotLoggedIn(WRONG, evidence="no such user")
        credential = tx.credentials.get(user.id)
        if credential is None or credential.password_hash is None or user.kind is UserKind.MACHINE:
            raise NotLoggedIn(WRONG, evidence="has no password")
        if proven_hash is None:
            raise NotLoggedIn(WRONG, evidence="wrong password")
        if not hmac.compare_digest(proven_hash, credential.password_hash):
            raise NotLoggedIn(WRONG, evidence="the password was changed meanwhile")
        now = self.desk.clock.now()
        check_current(tx, user, now, now, roles=user.roles)
        return user, credential

    async def _note_failure(self, proof: Proof, reason: str) -> None:
        name = proof.name if ids.USER_NAME.fullmatch(proof.name) else "(not a name)"
        event = self._event(Kind.USER_LOGIN_FAILED, name, proof, success=False, reason=reason)
        await self.desk.store.write(lambda tx: tx.record(event))

    def _event(
        self,
        kind: Kind,
        name: str,
        proof: Proof,
        *,
        success: bool = True,
        reason: str = "",
        user_id: str = "",
        way: str = "",
        mfa: bool = False,
    ) -> Event:
        details: dict[str, Detail] = {"way": way, "mfa": mfa} if success else {}
        return self.desk.event(
            kind,
            user=name,
            user_id=user_id,
            success=success,
            reason=reason,
            client_ip=proof.client_ip,
            details=details,
        )

    async def enrol(self, token: str, password: str, client_ip: str) -> User:
        """Sets the password of whoever the one-time token was made for; the token is spent."""
        source = f"enrol {token_hash(token)[:16]}"
        with self.throttle.guess(source, client_ip, self.desk.clock.monotonic()) as guess:
            hashed = await self.passwords.hash(password, address=client_ip)
            try:
                user = await self.desk.store.write(lambda tx: self._enrol(tx, token, hashed, client_ip))
            except NotLoggedIn as refusal:
                guess.wrong()
                await self._note_unknown(Kind.USER_ENROL_FAILED, refusal, client_ip)
                raise
            guess.right()
            return user

    def _enrol(self, tx: Writing, token: str, hashed: str, client_ip: str) -> User:
        now = self.desk.clock.now()
        enrolment = tx.enrolments.get(token_hash(token))
        user = tx.users.get(enrolment.user_id) if enrolment else None
        if enrolment is None or user is None or enrolment.expires_at <= now:
            raise NotLoggedIn(
                "this enrolment is used, expired or unknown; ask for a new one", code="bad_enrolment"
            )
        credential = tx.credentials.get(user.id) or tx.credentials.insert(Credential(user.id))
        tx.credentials.replace(replace(credential, password_hash=hashed))
        tx.enrolments.delete(enrolment)
        if enrolment.purpose is not EnrolmentPurpose.INVITE:
            user = end_logins(tx, user, now)
        event = self.desk.event(
            Kind.USER_ENROLLED,
            user=user.name,
            user_id=user.id,
            client_ip=client_ip,
            reason=enrolment.purpose.value,
        )
        tx.record(event)
        return user

    async def exchange(self, shown: ShownToken, keys: PublicKeys, client_ip: str) -> Issued:
        """Certificates of a few minutes for an access token of `mezctl login`."""

        def unit(tx: Writing) -> Issued:
            user, token = bearer(tx, shown.secret, AccessTokenKind.CTL, self.desk)
            if token.id != shown.id:
                raise NotLoggedIn(ENDED, evidence="token id does not match")
            issued, event = issue(
                self.desk,
                tx,
                user,
                keys,
                now=self.desk.clock.now(),
                ttl=TOKEN_TTL,
                mfa=token.mfa,
                client_ip=client_ip,
                why=f"token {token.id}",
                origin=Origin.TOKEN,
                until=token.expires_at,
            )
            tx.record(event)
            return issued

        with self.throttle.guess(f"token {shown.id}", client_ip, self.desk.clock.monotonic()) as guess:
            try:
                issued = await self.desk.store.write(unit)
            except NotLoggedIn as refusal:
                guess.wrong()
                await self._note_unknown(Kind.CERT_REFUSED, refusal, client_ip)
                raise
            guess.right()
            return issued

    async def _note_unknown(self, kind: Kind, refusal: MeziteError, client_ip: str) -> None:
        """A failure of somebody who did not even say who they are."""
        reason = refusal.evidence or refusal.message
        event = self.desk.event(kind, user="(unknown)", success=False, reason=reason, client_ip=client_ip)
        await self.desk.store.write(lambda tx: tx.record(event))

    async def who_bears(self, secret: str) -> Identity:
        """The identity behind a web bearer, with the roles the user has at this moment."""

        def query(tx: Reading) -> Identity:
            user, token = bearer(tx, secret, AccessTokenKind.WEB, self.desk)
            return Identity(
                kind=IdentityKind.USER,
                id=user.id,
                name=user.name,
                serial=0,
                issued_at=token.created_at,
                expires_at=token.expires_at,
                roles=user.roles,
                traits=user.traits,
                mfa=token.mfa,
            )

        return await self.desk.store.read(query)

    async def logout(self, secret: str, client_ip: str) -> None:
        def unit(tx: Writing) -> None:
            user, token = bearer(tx, secret, AccessTokenKind.WEB, self.desk)
            tx.access_tokens.delete(token)
            tx.record(self.desk.event(Kind.USER_LOGOUT, user=user.name, user_id=user.id, client_ip=client_ip))

        await self.desk.store.write(unit)


def bearer(tx: Reading, secret: str, kind: AccessTokenKind, desk: Desk) -> tuple[User, AccessToken]:
    """The user and the token behind a bearer secret, if both still hold."""
    now = desk.clock.now()
    token = tx.access_tokens.one(token_hash=token_hash(secret))
    if token is None or token.kind is not kind or token.expires_at <= now:
        evidence = "no such token" if token is None else "token ended or of another kind"
        raise NotLoggedIn(ENDED, evidence=evidence)
    user = tx.users.get(token.user_id)
    if user is None:
        raise NotLoggedIn(ENDED, evidence="its user was deleted")
    check_current(tx, user, token.created_at, now, roles=user.roles)
    return user, token


def _make_room(tx: Writing, user: User) -> None:
    """Whoever logs in again and again, as scripts do, must not fill the table."""
    mine = [token for token in tx.access_tokens.all(user_id=user.id) if token.kind is AccessTokenKind.WEB]
    too_many = max(0, len(mine) - WEB_LOGINS + 1)
    for token in sorted(mine, key=lambda token: token.created_at)[:too_many]:
        tx.access_tokens.delete(token)


def _credential_of(tx: Reading, name: str) -> Credential | None:
    user = tx.users.one(name=name)
    return tx.credentials.get(user.id) if user else None
