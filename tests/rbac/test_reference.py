"""`docs/roles.md` holds: its documents are accepted, its tables name what there is, its truths are true."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from mezite.model.role import Options, RequestRule
from mezite.predicate.contexts import ADMIN_WHERE, JOIN_FILTER, REVIEW
from mezite.predicate.functions import FUNCTIONS
from mezite.predicate.predicate import compile_predicate
from mezite.predicate.vocabulary import Vocabulary
from mezite.rbac.builtin import BUILTIN
from mezite.rbac.decide import RESOURCES
from mezite.rbac.document import parse_roles, to_yaml

TEXT = (Path(__file__).parents[2] / "docs" / "roles.md").read_text(encoding="utf-8")
DOCUMENTS = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)


def section(title: str) -> str:
    return TEXT.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def test_there_are_documents() -> None:
    assert len(DOCUMENTS) >= 4


@pytest.mark.parametrize("text", DOCUMENTS)
def test_every_document_is_accepted(text: str) -> None:
    roles = parse_roles(text)
    assert parse_roles(to_yaml(roles)) == roles


def test_every_option_has_its_row() -> None:
    rows = [line.split("|")[1] for line in section("Options").splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)`", "".join(rows))
    assert sorted(named) == sorted(option.name for option in fields(Options))


def test_every_key_of_requests_is_named() -> None:
    named = set(re.findall(r"\b\w+\b", section("Requests and reviews")))
    assert {key.name for key in fields(RequestRule)} <= named


def test_every_resource_and_built_in_role_is_named() -> None:
    assert set(RESOURCES) <= set(re.findall(r"`(\w+)`", section("Sessions and administration")))
    assert set(BUILTIN) == set(re.findall(r"^\| `(\w+)`", section("Built-in roles"), re.MULTILINE))


def test_every_function_is_named() -> None:
    table = section("Predicates")
    for name in FUNCTIONS:
        assert f"{name}(" in table or f"`{name}`" in table or f" {name} " in table


@pytest.mark.parametrize("vocabulary", [JOIN_FILTER, REVIEW, ADMIN_WHERE], ids=lambda one: one.name)
def test_every_selector_is_named(vocabulary: Vocabulary) -> None:
    words = set(re.findall(r"[a-z_]+", section("Predicates")))
    for selector in vocabulary.selectors:
        assert set(selector.removesuffix(".*").split(".")) <= words


def test_the_truths_are_true() -> None:
    rows = re.findall(
        r"^\| `(contains\(user\.traits\.team.*|!contains.*)` \| (.*) \|$", section("Predicates"), re.MULTILINE
    )
    assert len(rows) == 5
    answers = {True: "true", False: "false", None: "not known"}
    for source, said in rows:
        predicate = compile_predicate(source.replace("\\|", "|"), ADMIN_WHERE)
        assert answers[predicate.holds({"user.name": "alice"}).answer] == said
