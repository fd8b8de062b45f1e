"""Who `mezctl` acts as: the first that applies, and nobody else."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mezite.client import identity, local
from mezite.client.identity import Acting, find
from mezite.client.profile import Pass, Profile
from mezite.client.profiles import Profiles
from mezite.errors import NotLoggedIn, Unavailable
from tests.support.profiles import NOW, hub_at, profile_of

BY_TOKEN = Pass(hub_at("token:1"), "", "", NOW)
BY_SOCKET = Pass(hub_at("socket:1"), "", "", NOW)


@pytest.fixture(autouse=True)
def doors(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies behind the token and the socket is other tests' subject."""
    monkeypatch.setattr(identity, "by_token", lambda text: BY_TOKEN)
    monkeypatch.setattr(identity, "_local", lambda data_dir: BY_SOCKET)


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    return Profiles(tmp_path / "mezite")


def acting(profiles: Profiles, *, local: bool = False, token: str = "") -> Acting:
    return Acting(profiles, Path("/nowhere"), local, {"MEZITE_AUTH_TOKEN": token} if token else {})


def test_the_token_comes_first(profiles: Profiles) -> None:
    profiles.save(profile_of())
    assert find(acting(profiles, token="mzt_x"), NOW) is BY_TOKEN


def test_then_the_active_profile(profiles: Profiles) -> None:
    profiles.save(profile_of())
    assert find(acting(profiles), NOW) == profile_of().as_pass()


def test_then_the_socket(profiles: Profiles) -> None:
    assert find(acting(profiles), NOW) is BY_SOCKET
    profiles.save(Profile(hub_at()))
    assert find(acting(profiles), NOW) is BY_SOCKET, "a hub that is known is no login"


def test_local_goes_before_all(profiles: Profiles) -> None:
    profiles.save(profile_of())
    assert find(acting(profiles, local=True, token="mzt_x"), NOW) is BY_SOCKET


def test_a_login_that_has_run_out_is_nobody_else(profiles: Profiles) -> None:
    profiles.save(profile_of())
    with pytest.raises(NotLoggedIn, match="has run out; run: msh login") as refused:
        find(acting(profiles), NOW + timedelta(hours=12))
    assert refused.value.code == "expired"


def test_a_damaged_profile_is_nobody_else(profiles: Profiles) -> None:
    profiles.save(profile_of())
    (profiles.path(profile_of()) / "profile.json").write_text("")
    with pytest.raises(NotLoggedIn, match="damaged"):
        find(acting(profiles), NOW)


def test_who_asked_for_nobody_is_told_of_logging_in(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def absent(data_dir: Path) -> Pass:
        raise Unavailable(f"no hub is here at {data_dir}", code=local.NO_HUB)

    monkeypatch.setattr(identity, "_local", absent)
    with pytest.raises(NotLoggedIn, match="run: msh login"):
        find(acting(profiles), NOW)
    with pytest.raises(Unavailable, match="no hub is here"):
        find(acting(profiles, local=True), NOW)


def test_a_hub_that_does_not_answer_is_no_lack_of_login(
    profiles: Profiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(data_dir: Path) -> Pass:
        raise Unavailable("it does not answer")

    monkeypatch.setattr(identity, "_local", silent)
    with pytest.raises(Unavailable, match="does not answer"):
        find(acting(profiles), NOW)
