"""The second factor: asked for once it is enrolled, each step good once, and guesses are counted."""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from daemons.hub.desk import oneself, users
from daemons.hub.desk.logins import WRONG
from daemons.hub.proof import totp
from daemons.hub.proof.throttle import FREE_PER_NAME
from mezite.audit.events import Kind
from mezite.clock import to_us
from mezite.errors import Conflict, Denied, Invalid, NotFound, NotLoggedIn, OtpRequired, Throttled
from mezite.model.user import UserKind
from tests.support.desk import PASSWORD, Office

FRESH = "another battery staple"


def code(office: Office, secret: bytes, *, steps: int = 0) -> str:
    present = to_us(office.clock.now()) // 1_000_000 // totp.STEP_S
    return totp.code_at(secret, present + steps)


async def enrolled(office: Office, name: str) -> tuple[bytes, tuple[str, ...]]:
    """Enrols the user's factor: (secret, recovery codes). The step of this moment is spent."""
    caller = await office.caller(name)
    secret, _ = await office.second_factor.begin(caller, PASSWORD, "")
    codes = await office.second_factor.confirm(caller, code(office, secret))
    return secret, codes


async def log_in(office: Office, otp: str = "", name: str = "alice", password: str = PASSWORD) -> str:
    secret, _ = await office.logins.web_token(office.proof(name, password, otp))
    return secret


async def test_enrolment_tells_the_secret_once_and_takes_effect_when_confirmed(office: Office) -> None:
    alice = await office.person("alice")
    secret, uri = await office.second_factor.begin(alice, PASSWORD, "")
    fields = parse_qs(urlsplit(uri).query)
    assert base64.b32decode(fields["secret"][0] + "=" * (-len(fields["secret"][0]) % 8)) == secret
    assert "alice" in uri
    await log_in(office)  # not confirmed: not asked for
    assert not (await oneself.describe(office.desk, alice)).mfa_enrolled

    with pytest.raises(Denied, match="wrong code"):
        await office.second_factor.confirm(alice, "000000" if code(office, secret) != "000000" else "111111")
    codes = await office.second_factor.confirm(alice, code(office, secret))
    assert len(set(codes)) == totp.RECOVERY_CODES
    assert (await oneself.describe(office.desk, alice)).mfa_enrolled
    with pytest.raises(OtpRequired):
        await log_in(office)

    credential = await office.credential("alice")
    assert credential.totp is not None
    assert secret not in credential.totp.sealed_secret
    told = repr(await office.events()) + repr(credential)
    for hidden in (totp.base32(secret), *codes):
        assert hidden not in told


async def test_a_code_is_asked_for_only_after_the_password_held(office: Office) -> None:
    await office.user("alice")
    secret, _ = await enrolled(office, "alice")
    office.pass_time(seconds=60)
    for otp in ("", "000000", code(office, secret)):
        with pytest.raises(NotLoggedIn) as refusal:
            await log_in(office, otp, password="not the password")
        assert (refusal.value.message, refusal.value.code) == (WRONG, "not_logged_in")
    before = len(await office.events())
    with pytest.raises(OtpRequired) as asked:
        await log_in(office)
    assert asked.value.code == "otp_required"
    [half] = (await office.events())[before:]
    assert (half.kind, half.user, half.success) == (Kind.USER_LOGIN_FAILED, "alice", False)
    assert half.reason == "password held, code missing"
    await log_in(office, code(office, secret))


async def test_a_login_with_a_code_says_so(office: Office) -> None:
    from tests.support.desk import keys

    await office.user("alice")
    secret, _ = await enrolled(office, "alice")
    office.pass_time(seconds=30)
    issued = await office.logins.certificates(
        office.proof("alice", otp=code(office, secret)), keys(), timedelta(hours=1)
    )
    assert issued.identity.mfa
    assert (await office.newest()).details["mfa"] is True


async def test_a_step_is_good_once(office: Office) -> None:
    await office.user("alice")
    secret, _ = await enrolled(office, "alice")
    with pytest.raises(NotLoggedIn):
        await log_in(office, code(office, secret))  # spent by the confirmation
    office.pass_time(seconds=30)
    otp = code(office, secret)
    await log_in(office, otp)
    with pytest.raises(NotLoggedIn, match=WRONG):
        await log_in(office, otp)
    # An older step than the newest that was accepted is no better, though it is still near.
    with pytest.raises(NotLoggedIn):
        await log_in(office, code(office, secret, steps=-1))
    await log_in(office, code(office, secret, steps=1))


async def test_of_many_with_one_code_exactly_one_gets_in(office: Office) -> None:
    await office.user("alice")
    secret, _ = await enrolled(office, "alice")
    office.pass_time(seconds=30)
    otp = code(office, secret)
    results = await asyncio.gather(
        *(log_in(office, otp) for _ in range(FREE_PER_NAME)), return_exceptions=True
    )
    assert sum(isinstance(result, str) for result in results) == 1
    assert sum(isinstance(result, NotLoggedIn) for result in results) == FREE_PER_NAME - 1
    assert len(await office.store.read(lambda tx: tx.access_tokens.all())) == 1


@pytest.mark.parametrize(("steps", "good"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
async def test_clocks_may_drift_by_one_step(office: Office, steps: int, *, good: bool) -> None:
    await office.user("alice")
    secret, _ = await enrolled(office, "alice")
    office.pass_time(minutes=10)
    if good:
        await log_in(office, code(office, secret, steps=steps))
    else:
        with pytest.raises(NotLoggedIn):
            await log_in(office, code(office, secret, steps=steps))


async def test_a_recovery_code_opens_once_however_it_is_typed(office: Office) -> None:
    await office.user("alice")
    _, codes = await enrolled(office, "alice")
    await log_in(office, codes[3].upper().replace("-", " "))
    [event] = await office.events(Kind.MFA_RECOVERY_USED)
    assert event.details["left"] == totp.RECOVERY_CODES - 1
    with pytest.raises(NotLoggedIn):
        await log_in(office, codes[3])
    await log_in(office, codes[4])


async def test_a_recovery_code_raced_for_opens_once(office: Office) -> None:
    await office.user("alice")
    _, codes = await enrolled(office, "alice")
    results = await asyncio.gather(
        *(log_in(office, codes[0]) for _ in range(FREE_PER_NAME)), return_exceptions=True
    )
    assert sum(isinstance(result, str) for result in results) == 1
    assert len(await office.events(Kind.MFA_RECOVERY_USED)) == 1


@pytest.mark.parametrize(
    "otp", ["0", "12345", "1234567", "abcdef", "１２３４５６", "\0" * 6, "\ud800", "-", " "]
)
async def test_codes_that_are_none(office: Office, otp: str) -> None:
    await office.user("alice")
    await enrolled(office, "alice")
    office.pass_time(seconds=60)
    with pytest.raises(NotLoggedIn, match=WRONG):
        await log_in(office, otp)


async def test_codes_cannot_be_tried_through(office: Office) -> None:
    alice = await office.person("alice")
    await enrolled(office, "alice")
    office.pass_time(seconds=60)
    for _ in range(FREE_PER_NAME):
        with pytest.raises(Denied, match="wrong code"):
            await office.second_factor.remove(alice, "000000")
    with pytest.raises(Throttled):
        await office.second_factor.remove(alice, "000000")
    assert (await office.credential("alice")).totp is not None


async def test_too_long_a_code_is_no_code(office: Office) -> None:
    alice = await office.person("alice")
    await enrolled(office, "alice")
    with pytest.raises(Denied, match="wrong code"):
        await office.second_factor.remove(alice, "0" * 1_000_000)


async def test_beginning_asks_for_the_password_and_refuses_a_second_factor_beside_the_first(
    office: Office,
) -> None:
    alice = await office.person("alice")
    with pytest.raises(Denied, match="wrong password"):
        await office.second_factor.begin(alice, "not it", "")
    assert (await office.newest()).kind is Kind.PASSWORD_CHANGE_FAILED
    with pytest.raises(NotFound, match="msh mfa add"):
        await office.second_factor.confirm(alice, "000000")
    secret, _ = await enrolled(office, "alice")
    before = await office.credential("alice")
    office.pass_time(seconds=30)
    with pytest.raises(OtpRequired):
        await office.second_factor.begin(alice, PASSWORD, "")
    with pytest.raises(Conflict, match="msh mfa rm"):
        await office.second_factor.begin(alice, PASSWORD, code(office, secret))
    with pytest.raises(Conflict, match="already"):
        await office.second_factor.confirm(alice, code(office, secret))
    # The refusals spent nothing.
    assert await office.credential("alice") == before


async def test_removing_needs_a_code_and_takes_the_recovery_codes_along(office: Office) -> None:
    alice = await office.person("alice")
    secret, codes = await enrolled(office, "alice")
    office.pass_time(seconds=30)
    with pytest.raises(OtpRequired):
        await office.second_factor.remove(alice, "")
    await office.second_factor.remove(alice, code(office, secret))
    credential = await office.credential("alice")
    assert (credential.totp, credential.recovery_hashes) == (None, ())
    await log_in(office)
    with pytest.raises(NotFound):
        await office.second_factor.remove(alice, codes[0])


async def test_a_changed_password_ends_every_other_login(office: Office) -> None:
    alice, elsewhere = await office.person("alice"), await office.caller("alice")
    bearer = await log_in(office)
    office.pass_time(seconds=1)
    with pytest.raises(Denied, match="wrong password"):
        await office.second_factor.change_password(alice, "not it", FRESH, "")
    await office.second_factor.change_password(alice, PASSWORD, FRESH, "")
    with pytest.raises(NotLoggedIn):
        await oneself.describe(office.desk, elsewhere)
    with pytest.raises(NotLoggedIn):
        await office.logins.who_bears(bearer)
    with pytest.raises(NotLoggedIn):
        await log_in(office)
    fresh = await log_in(office, password=FRESH)
    assert (await office.logins.who_bears(fresh)).name == "alice"
    assert Kind.PASSWORD_CHANGED in await office.kinds()


async def test_changing_the_password_asks_for_the_enrolled_factor(office: Office) -> None:
    alice = await office.person("alice")
    secret, _ = await enrolled(office, "alice")
    office.pass_time(seconds=30)
    with pytest.raises(OtpRequired):
        await office.second_factor.change_password(alice, PASSWORD, FRESH, "")
    with pytest.raises(Denied):
        await office.second_factor.change_password(alice, PASSWORD, FRESH, "000000")
    otp = code(office, secret)
    await office.second_factor.change_password(alice, PASSWORD, FRESH, otp)
    with pytest.raises(NotLoggedIn):
        await log_in(office, otp, password=FRESH)


@pytest.mark.parametrize("fresh", ["short", "", "x" * 1025, "with\nnewline in it"])
async def test_passwords_that_cannot_be_chosen(office: Office, fresh: str) -> None:
    alice = await office.person("alice")
    with pytest.raises(Invalid):
        await office.second_factor.change_password(alice, PASSWORD, fresh, "")
    await log_in(office)


async def test_of_two_changes_at_once_one_wins(office: Office) -> None:
    alice = await office.person("alice")
    results = await asyncio.gather(
        *(office.second_factor.change_password(alice, PASSWORD, f"{FRESH} {n}", "") for n in range(2)),
        return_exceptions=True,
    )
    assert sum(result is None for result in results) == 1
    winner = next(n for n, result in enumerate(results) if result is None)
    await log_in(office, password=f"{FRESH} {winner}")


async def test_only_people_have_passwords(office: Office) -> None:
    node = office.node_caller(await office.node("web-1"))
    for caller in (office.local, node):
        with pytest.raises(Denied, match="not a user"):
            await office.second_factor.change_password(caller, PASSWORD, FRESH, "")
        with pytest.raises(Denied, match="not a user"):
            await office.second_factor.begin(caller, PASSWORD, "")
        with pytest.raises(Denied, match="not a user"):
            await office.second_factor.remove(caller, "000000")
    await office.user("ci", kind=UserKind.MACHINE)
    with pytest.raises(Denied, match="wrong password"):
        await office.second_factor.change_password(await office.caller("ci"), "", FRESH, "")


async def test_a_reset_may_take_the_factor_too(office: Office) -> None:
    await office.user("alice")
    await enrolled(office, "alice")
    _, invitation = await users.reset(office.desk, office.local, "alice", mfa=False)
    await office.logins.enrol(invitation.token, FRESH, "")
    with pytest.raises(OtpRequired):
        await log_in(office, password=FRESH)
    _, invitation = await users.reset(office.desk, office.local, "alice", mfa=True)
    await office.logins.enrol(invitation.token, FRESH, "")
    await log_in(office, password=FRESH)


async def test_a_password_without_its_code_is_counted_and_a_login_with_one_forgets_it(office: Office) -> None:
    await office.user("alice")
    secret, _ = await enrolled(office, "alice")
    for _ in range(4):
        with pytest.raises(OtpRequired):
            await log_in(office)
    office.pass_time(seconds=60)
    await log_in(office, code(office, secret))
    for _ in range(FREE_PER_NAME):
        with pytest.raises(OtpRequired):
            await log_in(office)
    with pytest.raises(Throttled):
        await log_in(office)
    await office.user("bob")
    await log_in(office, name="bob")
