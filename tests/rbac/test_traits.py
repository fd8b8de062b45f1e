"""Templates in logins: what they come to, and what can never come of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite import ids
from mezite.errors import Invalid
from mezite.rbac.subject import Subject
from mezite.rbac.traits import check_login_entry, expand_login

ALICE = Subject(
    "u1",
    "alice",
    logins=("ubuntu", "deploy"),
    traits={"unix": ("alice1", "root"), "mail": ("alice@corp.example",), "cost-centre": ("x9",)},
)


@pytest.mark.parametrize(
    ("entry", "logins"),
    [
        ("root", ("root",)),
        ("{{user.name}}", ("alice",)),
        ("{{ user.name }}", ("alice",)),
        ("{{user.logins}}", ("ubuntu", "deploy")),
        ("{{user.traits.unix}}", ("alice1", "root")),
        ("{{user.traits.cost-centre}}", ("x9",)),
        ("ops-{{user.name}}", ("ops-alice",)),
        ("{{user.name}}_adm", ("alice_adm",)),
        ("{{user.traits.none}}", ()),
        ("{{user.traits.mail}}", ()),
    ],
)
def test_expansion(entry: str, logins: tuple[str, ...]) -> None:
    assert check_login_entry(entry) == entry
    assert expand_login(entry, ALICE) == logins


def test_a_user_name_that_is_no_login_gives_none() -> None:
    assert expand_login("{{user.name}}", Subject("u", "alice@corp.example")) == ()
    assert expand_login("{{user.name}}", Subject("u", "7up")) == ()
    assert expand_login("u{{user.name}}", Subject("u", "7up")) == ("u7up",)


@pytest.mark.parametrize(
    "entry",
    [
        "",
        "-oProxyCommand=x",
        "root;id",
        "{{user.name}}{{user.name}}",
        "{{user.id}}",
        "{{internal.logins}}",
        "{{user.traits.}}",
        "{{user.traits.a b}}",
        "{{user.name}",
        "user.name}}",
        "{{{{user.name}}}}",
        "-{{user.name}}",
        "a/{{user.name}}",
        "{{user.name}} ",
        "{{user.name\n}}x y",
        "x" * 32 + "{{user.name}}",
    ],
)
def test_what_is_refused(entry: str) -> None:
    with pytest.raises(Invalid):
        check_login_entry(entry)


@given(st.text(), st.lists(st.text(), max_size=3), st.sampled_from(("", "x-")), st.sampled_from(("", ".y")))
def test_whatever_an_identity_provider_says_only_logins_come_out(
    name: str, values: list[str], before: str, after: str
) -> None:
    subject = Subject("u", name, logins=tuple(values), traits={"t": tuple(values)})
    for template in ("{{user.name}}", "{{user.logins}}", "{{user.traits.t}}"):
        for login in expand_login(before + template + after, subject):
            assert ids.login(login) == login
