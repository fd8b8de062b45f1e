"""How options of several roles combine: one row of the table, one test."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.model.role import (
    Enhanced,
    FileCopy,
    JoinMode,
    JoinRequirement,
    OnGrantEnd,
    Options,
    RecordPolicy,
    Role,
    SessionMfa,
)
from mezite.rbac.options import JoinDemand, combine
from tests.support.roles import options

HOUR = timedelta(hours=1)


def combined(key: str, *said: Any, held: tuple[Any, ...] = ()) -> Any:
    """What the roles that let the session in say under `key`, and what other held ones do, come to."""
    here = [Role(f"r{index}", options=Options(**{key: value})) for index, value in enumerate(said)]
    beside = [Role(f"h{index}", options=Options(**{key: value})) for index, value in enumerate(held)]
    return getattr(combine(here, [*here, *beside]), key)


@pytest.mark.parametrize(
    ("key", "said", "comes_to"),
    [
        ("max_session_ttl", (None, None), None),
        ("max_session_ttl", (8 * HOUR, None, HOUR), HOUR),
        ("max_sessions", (3, None, 2), 2),
        ("client_idle_timeout", (2 * HOUR, HOUR, None), HOUR),
        ("require_session_mfa", (None, None), SessionMfa.OFF),
        ("require_session_mfa", (SessionMfa.OFF, SessionMfa.TOTP), SessionMfa.TOTP),
        ("require_session_mfa", (SessionMfa.TOTP, SessionMfa.WEBAUTHN, SessionMfa.OFF), SessionMfa.WEBAUTHN),
        ("port_forwarding", (None, False), False),
        ("port_forwarding", (False, True), True),
        ("agent_forwarding", (None, False), False),
        ("agent_forwarding", (None, True), True),
        ("x11_forwarding", (False, False), False),
        ("x11_forwarding", (False, True), True),
        ("file_copy", (None,), FileCopy.ALL),
        ("file_copy", (None, FileCopy.ALL), FileCopy.ALL),
        ("file_copy", (None, FileCopy.UPLOAD), FileCopy.UPLOAD),
        ("file_copy", (FileCopy.ALL, FileCopy.DOWNLOAD), FileCopy.DOWNLOAD),
        ("file_copy", (FileCopy.UPLOAD, FileCopy.DOWNLOAD), FileCopy.NONE),
        ("file_copy", (FileCopy.ALL, FileCopy.NONE), FileCopy.NONE),
        ("record", (None, None), RecordPolicy.BEST_EFFORT),
        ("record", (None, RecordPolicy.STRICT), RecordPolicy.STRICT),
        (
            "enhanced_recording",
            ((Enhanced.NETWORK,), (), (Enhanced.COMMAND, Enhanced.NETWORK)),
            (Enhanced.COMMAND, Enhanced.NETWORK),
        ),
        ("on_grant_end", (None,), OnGrantEnd.TERMINATE),
        ("on_grant_end", (OnGrantEnd.KEEP, OnGrantEnd.KEEP), OnGrantEnd.KEEP),
        ("on_grant_end", (OnGrantEnd.KEEP, OnGrantEnd.TERMINATE), OnGrantEnd.TERMINATE),
        ("on_grant_end", (OnGrantEnd.KEEP, None), OnGrantEnd.TERMINATE),
    ],
)
def test_the_table(key: str, said: tuple[Any, ...], comes_to: Any) -> None:
    assert combined(key, *said) == comes_to
    assert combined(key, *reversed(said)) == comes_to


@pytest.mark.parametrize(
    ("key", "here", "held", "comes_to"),
    [
        ("max_session_ttl", None, HOUR, HOUR),
        ("max_sessions", 5, 2, 2),
        ("port_forwarding", None, True, True),
    ],
)
def test_what_belongs_to_the_user_counts_over_all_held_roles(
    key: str, here: Any, held: Any, comes_to: Any
) -> None:
    assert combined(key, here, held=(held,)) == comes_to


@pytest.mark.parametrize(
    ("key", "held"),
    [
        ("require_session_mfa", SessionMfa.WEBAUTHN),
        ("file_copy", FileCopy.NONE),
        ("agent_forwarding", True),
        ("x11_forwarding", True),
        ("client_idle_timeout", HOUR),
        ("record", RecordPolicy.STRICT),
        ("enhanced_recording", (Enhanced.DISK,)),
        ("require_session_join", (JoinRequirement("watcher"),)),
    ],
)
def test_what_belongs_to_the_session_counts_only_where_the_role_let_it_in(key: str, held: Any) -> None:
    nothing = getattr(combine([Role("r")], [Role("r")]), key)
    here = Options().port_forwarding_targets if isinstance(held, tuple) else None
    assert combined(key, here, held=(held,)) == nothing


def forwarding(*said: tuple[bool | None, tuple[str, ...]]) -> tuple[bool, tuple[str, ...]]:
    held = [
        Role(f"r{index}", options=Options(port_forwarding=may, port_forwarding_targets=targets))
        for index, (may, targets) in enumerate(said)
    ]
    terms = combine((), held)
    return terms.port_forwarding, terms.port_forwarding_targets


def test_forwarding_targets_are_the_union_of_roles_that_forward() -> None:
    assert forwarding((True, ("db:5432",)), (True, ("web:80", "db:5432"))) == (True, ("db:5432", "web:80"))
    assert forwarding((True, ("db:5432",)), (False, ("*:*",)), (None, ("*:*",))) == (True, ("db:5432",))


def test_a_role_that_forwards_without_targets_forwards_anywhere() -> None:
    assert forwarding((True, ()), (True, ("db:5432",))) == (True, ())
    assert forwarding((False, ()), (True, ("db:5432",))) == (True, ("db:5432",))
    assert forwarding((None, ()), (False, ("db:5432",))) == (False, ())


def test_join_requirements_are_or_inside_a_role_and_and_across_roles() -> None:
    either = (JoinRequirement("auditor"), JoinRequirement("lead", modes=(JoinMode.MODERATOR,)))
    other = (JoinRequirement("dba", count=2),)
    letting_in = [
        Role("b", options=Options(require_session_join=either)),
        Role("c"),
        Role("a", options=Options(require_session_join=other)),
    ]
    assert combine(letting_in, letting_in).require_session_join == (
        JoinDemand("a", other),
        JoinDemand("b", either),
    )


_optioned = st.builds(Role, st.sampled_from("abcd"), options=options)


@given(st.lists(_optioned, max_size=3, unique_by=lambda role: role.name), st.data())
def test_order_and_repetition_do_not_matter(held: list[Role], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(held))
    assert combine(shuffled, shuffled + held[:1]) == combine(held, held)
