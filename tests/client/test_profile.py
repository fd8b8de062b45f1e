"""The document of a profile: what was written is read back, and anything else is refused by its own error."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.ca.tls_certs import hub_name
from mezite.client.profile import Profile, describe, digests, directory_name, understand
from mezite.errors import NotLoggedIn
from tests.support.profiles import hub_at, login_of, profile_of

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
whole_seconds = st.integers(0, 2**32).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


@given(
    st.text(min_size=1), st.lists(st.text()), whole_seconds, st.booleans(), st.none() | st.text(min_size=1)
)
def test_what_is_described_is_understood(
    name: str, logins: list[str], moment: datetime, public: bool, ssh_addr: str | None
) -> None:
    hub = replace(hub_at(), cluster=name, public_web=public, ssh_addr=ssh_addr)
    profile = Profile(hub, replace(login_of(), user=name, logins=tuple(logins), expires_at=moment))
    assert profile.login
    text = describe(profile, {"keys/ssh_key": "ab"})
    assert understand(text, hub.tls_authorities, profile.login.keys) == profile
    assert digests(text) == {"keys/ssh_key": "ab"}


def test_a_profile_may_lack_a_login() -> None:
    profile = Profile(hub_at())
    assert understand(describe(profile, {}), profile.hub.tls_authorities, None) == profile
    with pytest.raises(NotLoggedIn, match=r"msh login --proxy=mezite\.example\.com:3080"):
        profile.as_pass()


@given(json_values)
def test_any_other_json_is_refused_by_value_error(value: object) -> None:
    text = json.dumps(value)
    for read in (lambda: understand(text, "", None), lambda: digests(text)):
        try:
            read()
        except ValueError:
            continue
        raise AssertionError("nothing but a whole document is taken")


@given(
    st.sampled_from(["proxy", "cluster", "auth_addr", "host_authorities", "login", "version"]), json_values
)
def test_one_wrong_fact_is_refused_by_value_error_or_harmless(key: str, value: object) -> None:
    profile = profile_of()
    assert profile.login
    facts = json.loads(describe(profile, {})) | {key: value}
    try:
        read = understand(json.dumps(facts), profile.hub.tls_authorities, profile.login.keys)
    except ValueError:
        return
    assert isinstance(read.hub.proxy, str)
    assert all(isinstance(line, str) for line in read.hub.host_authorities)


def test_no_key_is_in_the_document_or_in_a_repr() -> None:
    profile = profile_of()
    for text in (describe(profile, {}), repr(profile), repr(profile.as_pass())):
        assert "tls key" not in text
        assert "ssh key" not in text


@given(st.text())
def test_a_directory_name_is_one_plain_component(proxy: str) -> None:
    name = directory_name(proxy)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name) <= 200
    assert directory_name(name) == name


def test_directory_names_as_documented() -> None:
    assert directory_name("mezite.example.com:3080") == "mezite.example.com_3080"
    assert directory_name("[::1]:3080") == "___1__3080"
    assert directory_name("../etc") == "_._etc"


def test_a_login_ends_at_its_end() -> None:
    login = login_of(lasts=timedelta(hours=1))
    assert login.valid(login.expires_at - timedelta(microseconds=1))
    assert not login.valid(login.expires_at)


def test_the_name_of_a_hub_is_the_one_in_its_certificate() -> None:
    assert hub_at(cluster="production").server_name == hub_name("production")
