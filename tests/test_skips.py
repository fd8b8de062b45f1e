"""The rule about skips, tried on a suite of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.skips import LIST, is_allowed, parse

ROOT = Path(__file__).parents[1]

SUITE = """
import pytest

def test_runs(): pass

@pytest.mark.skip(reason="no tmux here")
def test_skipped(): pass

@pytest.mark.xfail(reason="known")
def test_expected_to_fail(): assert False
"""
WHOLE_FILE = "import pytest\npytest.skip('no PostgreSQL here', allow_module_level=True)\n"


def outcome(suite: str, where: Path, *, ci: str) -> tuple[int, str]:
    (where / "test_suite.py").write_text(suite)
    (where / "pytest.ini").write_text("[pytest]\n")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "tests.support.skips",
            "-p",
            "no:cacheprovider",
            str(where),
        ],
        capture_output=True,
        text=True,
        cwd=where,
        env=os.environ | {"CI": ci, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
    )
    return done.returncode, done.stdout


def test_outside_ci_a_skip_is_a_skip(tmp_path: Path) -> None:
    status, told = outcome(SUITE, tmp_path, ci="")
    assert status == 0
    assert "1 passed, 1 skipped, 1 xfailed" in told


def test_in_ci_a_skip_fails_with_its_reason(tmp_path: Path) -> None:
    status, told = outcome(SUITE, tmp_path, ci="true")
    assert status == 1
    assert "1 failed, 1 passed, 1 error" in told
    assert "tests/skips.txt does not allow that: test_suite.py::test_skipped: Skipped: no tmux here" in told
    assert "test_suite.py::test_expected_to_fail: known" in told


def test_in_ci_a_file_that_skips_itself_fails(tmp_path: Path) -> None:
    status, told = outcome(WHOLE_FILE, tmp_path, ci="true")
    assert status != 0
    assert "no PostgreSQL here" in told


def test_the_list_allows_by_node_and_wants_a_reason() -> None:
    allowed = parse("# comment\n\ntests/a.py::test_x # no such kernel\ntests/b/* # needs root\n")
    assert allowed == {"tests/a.py::test_x": "no such kernel", "tests/b/*": "needs root"}
    assert is_allowed("tests/a.py::test_x", allowed)
    assert is_allowed("tests/b/c.py::test_y[1]", allowed)
    assert not is_allowed("tests/a.py::test_xy", allowed)
    with pytest.raises(ValueError, match="line 2 gives no reason"):
        parse("\ntests/a.py::test_x\n")


def test_the_list_names_only_files_that_exist() -> None:
    for pattern in parse(LIST.read_text()):
        assert list(ROOT.glob(pattern.partition("::")[0])), pattern
