"""The rules that both kinds of certificate share: lifetimes, serials, and words for flaws."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.ca.trust import BACKDATED, MAX_LIFETIME, Flaw, check_serial, check_validity, flawed, lifetime
from mezite.errors import Invalid, NotLoggedIn
from tests.support.authorities import ALICE, NOW

SECOND = timedelta(seconds=1)


@given(st.timedeltas(SECOND, MAX_LIFETIME))
def test_a_certificate_never_outlasts_its_identity(ttl: timedelta) -> None:
    begins, ends = lifetime(replace(ALICE, issued_at=NOW, expires_at=NOW + ttl))
    assert NOW - BACKDATED - SECOND < begins <= NOW - BACKDATED
    assert NOW + ttl - SECOND < ends <= NOW + ttl
    assert begins.microsecond == ends.microsecond == 0


def test_a_lifetime_is_told_in_utc() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert lifetime(replace(ALICE, issued_at=east)) == lifetime(ALICE)


@pytest.mark.parametrize("ttl", [timedelta(0), -SECOND, timedelta(milliseconds=800)])
def test_a_certificate_lasts_a_second_at_least(ttl: timedelta) -> None:
    with pytest.raises(Invalid, match="a second or more"):
        lifetime(replace(ALICE, expires_at=NOW + ttl))


def test_a_certificate_lasts_a_day_at_most() -> None:
    lifetime(replace(ALICE, expires_at=NOW + MAX_LIFETIME))
    with pytest.raises(Invalid, match="at most"):
        lifetime(replace(ALICE, expires_at=NOW + MAX_LIFETIME + SECOND))


@pytest.mark.parametrize("serial", [0, -1, 2**63, 2**64])
def test_a_serial_fits_both_kinds(serial: int) -> None:
    with pytest.raises(Invalid, match="63 bits"):
        check_serial(serial)
    assert check_serial(2**63 - 1) == 2**63 - 1


def test_validity_begins_with_its_first_moment_and_ends_before_its_last() -> None:
    check_validity(NOW, NOW + SECOND, NOW)
    with pytest.raises(NotLoggedIn, match="not valid yet"):
        check_validity(NOW, NOW + SECOND, NOW - timedelta(microseconds=1))
    with pytest.raises(NotLoggedIn, match="run out"):
        check_validity(NOW, NOW + SECOND, NOW + SECOND)


def test_every_flaw_has_its_own_code_and_words() -> None:
    refusals = [flawed(flaw) for flaw in Flaw]
    assert (
        len({refusal.code for refusal in refusals})
        == len({str(refusal) for refusal in refusals})
        == len(Flaw)
    )
    assert all(refusal.code.startswith("cert_") for refusal in refusals)
