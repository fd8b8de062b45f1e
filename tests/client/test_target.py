"""What people call nodes."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.client.profile import Profile
from mezite.client.profiles import Profiles
from mezite.client.target import Target, parse, parse_with_port, profile_for
from mezite.errors import Invalid, MeziteError, NotFound
from tests.support.profiles import hub_at, login_of

UUID = "4b5a6d8e-0000-4000-8000-000000000001"


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("web-1", Target("web-1")),
        ("WEB-1.", Target("web-1")),
        ("ubuntu@web-1", Target("web-1", "ubuntu")),
        ("web-1.mezite", Target("web-1")),
        ("web-1.production", Target("web-1", cluster="production")),
        ("web-1.production.mezite", Target("web-1", cluster="production")),
        ("web-1.mezite.mezite", Target("web-1", cluster="mezite")),
        ("mezite", Target("mezite")),
        (UUID, Target(UUID)),
        (f"root@{UUID}.production", Target(UUID, "root", "production")),
    ],
)
def test_names(text: str, target: Target) -> None:
    assert parse(text) == target
    assert parse_with_port(f"{text}:22") == target
    assert parse_with_port(text) == target


@pytest.mark.parametrize(
    "text",
    [
        "",
        "@web-1",
        "a b@web-1",
        "a@b@web-1",
        "web_1",
        "-web",
        "a..b",
        "a.b.c",
        "a.b.c.mezite",
        ".mezite",
        "wéb",
    ],
)
def test_what_is_no_name(text: str) -> None:
    with pytest.raises(Invalid):
        parse(text)


@given(st.text())
def test_any_text_is_a_target_or_one_line(text: str) -> None:
    try:
        target = parse_with_port(text)
    except MeziteError as error:
        assert error.message.isprintable()
    else:
        assert target.node
        assert "." not in target.node + target.cluster


@pytest.fixture
def profiles(tmp_path: Path) -> Profiles:
    """Two hubs are known; `production` is the active one."""
    known = Profiles(tmp_path / "home")
    known.save(Profile(hub_at("two:3080", cluster="staging"), login_of()))
    known.save(Profile(hub_at("one:3080", cluster="production"), login_of()))
    return known


@pytest.mark.parametrize(
    ("text", "proxy"),
    [("web-1", "one:3080"), ("web-1.production", "one:3080"), ("web-1.staging.mezite", "two:3080")],
)
def test_a_cluster_in_the_name_finds_its_profile(profiles: Profiles, text: str, proxy: str) -> None:
    assert profile_for(parse(text), profiles).hub.proxy == proxy


def test_of_two_clusters_with_one_name_the_active_one_is_meant(profiles: Profiles) -> None:
    profiles.save(Profile(hub_at("three:3080", cluster="production"), login_of()))
    assert profile_for(parse("web-1.production"), profiles).hub.proxy == "three:3080"
    profiles.use("one:3080")
    assert profile_for(parse("web-1.production"), profiles).hub.proxy == "one:3080"


def test_an_unknown_cluster_and_no_profile_say_how_to_log_in(profiles: Profiles, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r'no cluster "elsewhere" is known here; run: msh login'):
        profile_for(parse("web-1.elsewhere"), profiles)
    with pytest.raises(NotFound, match="no profile is active; run: msh login"):
        profile_for(parse("web-1"), Profiles(tmp_path / "empty"))


def test_a_damaged_profile_hides_no_other(profiles: Profiles) -> None:
    (profiles.home / "profiles/one_3080/profile.json").write_text("{")
    profiles.use("two:3080")
    assert profile_for(parse("web-1.staging"), profiles).hub.proxy == "two:3080"
