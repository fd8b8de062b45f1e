"""Imports, where an import contract cannot judge them, and a few absences that the architecture promises."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {"mezite", "tui", "daemons", "recordings"}
MODULES = sorted(
    path for package in OURS for path in (ROOT / package).rglob("*.py") if "generated" not in path.parts
)

HEAVY = [
    "grpc",
    "cryptography",
    "yaml",
    "rich",
    "textual",
    "asyncssh",
    "sqlalchemy",
    "pydantic",
    "fastapi",
    "lark",
]

LIGHT = {
    "recordings": [*HEAVY, "mezite", "daemons", "tui"],
    "mezite.errors": [*HEAVY, "asyncio"],
    "mezite.ids": [*HEAVY, "asyncio"],
    "mezite.durations": [*HEAVY, "asyncio"],
}
"""Module -> what importing it must not bring along; the programs' own start-up is held in tests/cli."""


@cache
def imported_by(path: Path) -> frozenset[str]:
    """The modules that a file imports, wherever in the file it does so."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    whole = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module}
    return frozenset(whole | parts)


def declared() -> set[str]:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    return {_normal(re.split(r"[\[<>=~! ]", name)[0]) for name in wanted}


def _normal(distribution: str) -> str:
    return re.sub(r"[-_.]+", "-", distribution).lower()


def test_every_library_that_is_imported_is_a_declared_dependency() -> None:
    distributions = importlib.metadata.packages_distributions()
    allowed = declared()
    strangers: dict[str, set[str]] = {}
    for path in MODULES:
        for name in imported_by(path):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in OURS or name.startswith("grpc_tools"):
                continue
            if not allowed & {_normal(owner) for owner in distributions.get(top, [])}:
                strangers.setdefault(name, set()).add(str(path.relative_to(ROOT)))
    assert not strangers


def test_every_dependency_has_its_reason_on_its_line() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = text.partition("dependencies = [")[2].partition("\n]")[0]
    lines = [line for line in block.splitlines() if line.strip()]
    assert lines
    assert all(re.fullmatch(r'\s+"[^"]+",\s+# \S.*', line) for line in lines)


@pytest.mark.parametrize("module", sorted(LIGHT))
def test_importing_it_brings_nothing_heavy_along(module: str) -> None:
    told = subprocess.check_output(
        [sys.executable, "-c", f"import sys, {module}; print(*sys.modules)"], cwd=ROOT, text=True
    )
    assert not set(told.split()) & set(LIGHT[module])


WALL_CLOCK = re.compile(r"\b(datetime\.(now|utcnow|today)|date\.today|time\.time(_ns)?)\(")


def test_no_decision_reads_the_wall_clock() -> None:
    # One that did could not be tested at its edge, nor made again from the log. A command at a prompt is an
    # edge of the process itself.
    names = [str(path.relative_to(ROOT)) for path in MODULES if WALL_CLOCK.search(path.read_text())]
    assert [name for name in names if not name.startswith("mezite/cli/")] == ["mezite/clock.py"]


@pytest.mark.parametrize("module", ["pickle", "marshal", "shelve", "dill"])
def test_nothing_reads_what_could_run(module: str) -> None:
    assert not [path for path in MODULES if any(name.split(".")[0] == module for name in imported_by(path))]


def test_every_module_opens_by_saying_what_lives_there() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if (tree := ast.parse(path.read_text())).body and not ast.get_docstring(tree)
    ]
    assert not silent


FORKS = re.compile(r"\b(os\.(fork|forkpty|posix_spawn)|pty\.fork)\(|preexec_fn")


def test_on_a_node_only_the_helper_of_sessions_forks() -> None:
    # A fork of a process with threads and a loop copies locks that nobody will open.
    ours = [path for path in MODULES if path.is_relative_to(ROOT / "daemons/agent")]
    assert [path.name for path in ours if FORKS.search(path.read_text())] == ["child.py"]
