"""Which login is meant where none is named."""

from __future__ import annotations

import pytest

from mezite.api.generated.nodes_pb2 import Node
from mezite.client.nodes import login_at, usual_login
from mezite.errors import Denied, Invalid


@pytest.mark.parametrize(
    ("allowed", "login"),
    [
        (["deploy"], "deploy"),
        (["deploy", "here", "alice"], "here"),
        (["deploy", "alice"], "alice"),
        (["deploy", "root"], None),
        ([], None),
    ],
)
def test_the_only_one_then_the_os_users_then_ones_own(allowed: list[str], login: str | None) -> None:
    assert usual_login(allowed, os_user="here", user="alice") == login


def test_when_it_is_unclear_they_are_listed() -> None:
    with pytest.raises(Invalid, match="at web-1 you may be deploy, root; say LOGIN@web-1 or --login=LOGIN"):
        login_at(Node(name="web-1", logins=["root", "deploy"]), "here", "alice")


def test_where_there_is_none_that_is_said() -> None:
    with pytest.raises(Denied, match="your roles allow no login at web-1"):
        login_at(Node(name="web-1"), "here", "alice")
