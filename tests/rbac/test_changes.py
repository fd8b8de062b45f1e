"""Changes of roles in an event's few words: where they are, how many, between which documents."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mezite.model.role import Conditions, Options, Role
from mezite.rbac.changes import LONGEST_PATH, MOST_PATHS, changed_paths, digest

ROLE = Role("db", allow=Conditions(logins=("postgres",), node_labels={"env": ("test",)}))


@pytest.mark.parametrize(
    ("after", "paths"),
    [
        (ROLE, ()),
        (replace(ROLE, revision=7), ()),
        (replace(ROLE, description="x"), ("metadata.description",)),
        (replace(ROLE, options=Options(max_sessions=1)), ("spec.options",)),
        (
            replace(
                ROLE, allow=Conditions(logins=("root",), node_labels={"env": ("test",), "tier": ("db",)})
            ),
            ("spec.allow.logins", "spec.allow.node_labels.tier"),
        ),
        (replace(ROLE, deny=Conditions(logins=("root",))), ("spec.deny",)),
    ],
)
def test_where_two_roles_differ(after: Role, paths: tuple[str, ...]) -> None:
    assert changed_paths(ROLE, after) == paths
    assert (digest(after) == digest(ROLE)) is (not paths)


def test_however_much_changed_the_words_are_bounded() -> None:
    labels = {f"{number:03}" + "k" * 400: ("v",) for number in range(MOST_PATHS + 5)}
    paths = changed_paths(ROLE, replace(ROLE, allow=Conditions(logins=("postgres",), node_labels=labels)))
    assert len(paths) == MOST_PATHS + 1
    assert paths[-1] == "and 6 more"
    assert max(map(len, paths)) == LONGEST_PATH
