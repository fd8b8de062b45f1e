"""docs/settings.md says of every key what the code says, and of no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mezite.config import AgentSettings, HubSettings
from mezite.config.document import Document, parse
from mezite.config.load import resolve
from mezite.config.schema import Key, keys_of

PAGE = (Path(__file__).parents[2] / "docs/settings.md").read_text()


def cells(key: Key) -> str:
    """The part of a row that is the same in both tables."""
    shown = "" if key.default is None else key.show(key.default)
    default = f"`{shown}`" if shown else "unset"
    return f"| `{key.variable}` | {key.kind.wants} | {default} | {key.about} |"


@pytest.mark.parametrize("key", list(keys_of(HubSettings)), ids=lambda key: key.name)
def test_the_page_says_what_a_key_of_the_hub_is(key: Key) -> None:
    assert f"| `{key.name}` {cells(key)}" in PAGE.splitlines()


@pytest.mark.parametrize("key", list(keys_of(AgentSettings)), ids=lambda key: key.name)
def test_the_page_says_what_a_key_of_the_agent_is(key: Key) -> None:
    assert cells(key) in PAGE.splitlines()


def test_the_page_lists_no_other() -> None:
    rows = [line for line in PAGE.splitlines() if re.match(r"\| `", line)]
    assert len(rows) == len([*keys_of(HubSettings), *keys_of(AgentSettings)])


def test_the_example_on_the_page_is_accepted() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    file = Document("example", tuple(parse(example.encode(), place="example")))
    assert resolve(HubSettings, file, {}).settings.cluster_name == "production"
