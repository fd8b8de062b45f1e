from __future__ import annotations

from dataclasses import replace

import pytest

from daemons.hub.desk.forwarding import refusal, target
from mezite.api.tunnel.orders import Ask, Asked
from mezite.model.role import JoinRequirement, Options, Role
from mezite.rbac.options import combine

PLAIN = combine((), ())


def question(what: str = "direct", host: str = "db", address: str = "10.0.0.7", port: int = 5432) -> Ask:
    return Ask(
        number=1,
        connection_id="c" * 36,
        kind=Asked.FORWARD,
        what=what,
        login="ana",
        host=host,
        address=address,
        port=port,
    )


UNIX = question("unix", host="/run/db.sock", address="", port=0)


def why(asked: Ask, *options: Options, here: Options | None = None) -> str | None:
    held = tuple(Role(f"r{number}", options=each) for number, each in enumerate(options))
    session = combine((Role("here", options=here),), held) if here else PLAIN
    return refusal(asked, session, combine(held, held))


FREE = Options(port_forwarding=True)


@pytest.mark.parametrize("asked", [question(), question("remote"), UNIX])
def test_ports_are_forwarded_by_any_role_that_says_so_and_by_no_other(asked: Ask) -> None:
    assert why(asked, Options(port_forwarding=False), FREE) is None
    assert why(asked, Options()) == "no role of yours forwards ports"
    assert why(asked) == "no role of yours forwards ports"


@pytest.mark.parametrize(
    ("targets", "asked", "allowed"),
    [
        (("db:5432",), question(), True),
        (("10.0.0.7:5432",), question(), True),
        (("db:*",), question(), True),
        (("*:443",), question(), False),
        (("db:5432",), question(host="evil"), False),
        (("db:5432",), question(port=22), False),
        (("^db-[0-9]+:5432$",), question(host="db-7"), True),
        (("[::1]:80",), question(host="::1", address="::1", port=80), True),
        (("db:5432",), question(address="127.0.0.1"), False),
        (("db:5432",), question(address="169.254.169.254"), False),
        (("db:5432",), question(address="::ffff:127.0.0.1"), False),
        (("db:5432",), question(address="0.0.0.0"), False),  # noqa: S104  asked for, not bound
        (("db:5432",), question(address="no address"), False),
        (("db:5432",), question(address=""), True),
        (("10.0.0.7:5432",), question(address=""), False),
        (("db:5432", "127.0.0.1:5432"), question(address="127.0.0.1"), True),
        (("*:*",), question(address="127.0.0.1"), False),
        (("*:*",), question(host="127.0.0.1", address="127.0.0.1"), True),
        (("*:*",), question(host="a.b.c"), True),
        (("localhost:5432",), question(host="localhost", address="127.0.0.1"), True),
        (("localhost:5432",), question(host="localhost", address="::1"), True),
        (("db-*:5432",), question(host="db-1"), True),
        (("db-*:5432",), question(host="db-1.of.somebody.else"), False),
        (("*.corp:*",), question(host="a.corp"), True),
        (("*.corp:*",), question(host="b.a.corp"), False),
        (("10.*:5432",), question(host="other"), True),
        (("10.*:5432",), question(host="10.evil.example", address="192.0.2.1"), False),
        (("10.*:5432",), question(host="10.evil.example", address=""), False),
        (("10.*:5432",), question(host="10.1.2.3", address=""), True),
        (("unix:/run/db.sock",), UNIX, True),
        (("db:5432",), UNIX, False),
        (("*:*",), UNIX, False),
    ],
)
def test_named_targets_are_the_only_ones(targets: tuple[str, ...], asked: Ask, allowed: bool) -> None:
    answer = why(asked, replace(FREE, port_forwarding_targets=targets))
    assert answer == (None if allowed else f"no role of yours forwards to {target(asked)}")


def test_agent_and_x11_follow_the_roles_of_the_session_and_not_all_that_are_held() -> None:
    for what, option in (
        ("agent", Options(agent_forwarding=True)),
        ("x11", Options(x11_forwarding=True)),
    ):
        assert why(question(what), FREE, here=option) is None
        assert why(question(what), option, FREE) is not None


def test_what_others_must_attend_forwards_nothing() -> None:
    attended = Options(port_forwarding=True, require_session_join=(JoinRequirement("four eyes"),))
    assert why(question(), FREE, here=attended) == "a session that others must attend forwards nothing"


def test_what_is_not_known_is_not_forwarded() -> None:
    assert why(question("tun"), FREE) == "this kind of forwarding is not known here"


def test_a_target_is_shown_as_it_was_asked_for() -> None:
    assert target(question()) == "db:5432"
    assert target(question(host="")) == "10.0.0.7:5432"
    assert target(question("agent")) == "agent"
    assert target(UNIX) == "unix:/run/db.sock"
