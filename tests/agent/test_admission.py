"""What the rules of admission come to without a server: lent roles, ends, and whatever must not help."""

from __future__ import annotations

from dataclasses import replace

import pytest

from daemons.agent import admission
from mezite.api.tunnel.orders import GrantInForce, Rights
from mezite.ca.ssh_certs import UserCertificate
from mezite.clock import to_us
from mezite.errors import Denied
from tests.support.roles import ssh_role
from tests.support.sshd import LABELS, alice, dev, rights

LENT = ssh_role("lent", labels={"env": ("staging",)}, logins=("root",))


def carrying(*roles: str) -> UserCertificate:
    return UserCertificate(replace(alice(), roles=roles), "production", "", (), frozenset())


def lent(seconds: float) -> Rights:
    grant = GrantInForce(request_id="req_1", roles=("lent",), seconds_left=seconds)
    return rights(alice(), LENT, grants=(grant,))


def may(shown: UserCertificate, said: Rights, *, lent_s: float = 0.0, login: str = "root") -> bool:
    try:
        admission.terms(shown, login, said, LABELS, lent_s=lent_s)
    except Denied:
        return False
    return True


def test_a_role_counts_that_is_in_the_certificate_and_in_the_rights() -> None:
    both = carrying("dev")
    assert may(both, rights(alice(), dev("root")))
    assert not may(carrying("other"), rights(alice(), dev("root")))
    assert not may(both, rights(alice()))


@pytest.mark.parametrize(("lent_s", "allowed"), [(0.0, True), (9.9, True), (10.0, False), (1e9, False)])
def test_a_lent_role_counts_while_it_is_lent(lent_s: float, *, allowed: bool) -> None:
    assert may(carrying("lent"), lent(10.0), lent_s=lent_s) is allowed


def test_a_denial_wins_whoever_else_allows() -> None:
    denial = ssh_role("no", deny_logins=("root",))
    shown = carrying("dev", "no")
    assert not may(shown, rights(alice(), dev("root"), denial))


def test_the_end_is_the_sooner_of_both() -> None:
    who = alice()
    admitted = admission.Admitted(
        "root", carrying("dev"), admission.terms(carrying("dev"), "root", rights(who, dev("root")), LABELS)
    )
    assert admission.runs_out_at(rights(who, dev()), admitted) == admitted.expires_at
    sooner = rights(who, dev(), certificate_expires_us=to_us(who.issued_at))
    assert admission.runs_out_at(sooner, admitted) == who.issued_at
