"""One record, three forms: what is text, what is json, what is yaml."""

from __future__ import annotations

import io
import json
import os
import sys
from datetime import UTC, datetime

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mezite.cli.output import Form, cell, show_data, show_list, show_one

COLUMNS = (("HOSTNAME", "hostname"), ("LABELS", "labels"), ("VERSION", "version"))
NODES: list[dict[str, object]] = [
    {"hostname": "web-server-01", "labels": {"team": "platform", "env": "production"}, "version": "0.1.0"},
    {"hostname": "日本", "labels": {}, "version": None},
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_columns_are_aligned_two_apart_and_labels_sorted(capsys: pytest.CaptureFixture[str]) -> None:
    show_list(NODES, COLUMNS, Form.TEXT)
    assert capsys.readouterr().out == (
        "HOSTNAME       LABELS                        VERSION\n"
        "web-server-01  env=production,team=platform  0.1.0\n"
        "日本           -                             -\n"
    )


def test_an_empty_list_still_has_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    show_list([], COLUMNS, Form.TEXT)
    assert capsys.readouterr().out == "HOSTNAME  LABELS  VERSION\n"
    show_list([], COLUMNS, Form.JSON)
    assert capsys.readouterr().out == "[]\n"


def test_tables_are_cut_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [{"hostname": "x" * 300}]
    show_list(rows, (("HOSTNAME", "hostname"),), Form.TEXT)
    assert "x" * 300 in capsys.readouterr().out
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setenv("COLUMNS", "40")
    show_list(rows, (("HOSTNAME", "hostname"),), Form.TEXT)
    assert max(map(len, terminal.getvalue().splitlines())) == 40


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"), ("", "-"), ([], "-"), ({}, "-"), (True, "yes"), (False, "no"), (0, "0"),
        (["a", "b"], "a,b"), ({"team": ["a", "b"]}, "team=a|b"), ("\x1b]0;x\x07", "^[]0;x^G"),
        (["\x1b"], "^["), ({"\x1b": "\x1b"}, "^[=^["),
        (datetime(2026, 3, 24, 10, tzinfo=UTC), "2026-03-24T10:00:00Z"),
    ],
)  # fmt: skip
def test_a_value_as_text(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_facts_that_are_absent_have_no_line(capsys: pytest.CaptureFixture[str]) -> None:
    show_one({"id": "1", "owner": None}, (("ID", "id"), ("Owner", "owner")), Form.TEXT)
    assert capsys.readouterr().out == "ID: 1\n"


@given(
    st.dictionaries(st.text(), st.text() | st.lists(st.text()) | st.booleans() | st.none() | st.integers())
)
def test_json_and_yaml_are_plain_ascii_and_lose_nothing(record: dict[str, object]) -> None:
    for form, read in ((Form.JSON, json.loads), (Form.YAML, yaml.safe_load)):
        shown = _printed(record, form)
        assert shown.isascii()
        assert all(letter.isprintable() or letter == "\n" for letter in shown)
        assert read(shown) == record


def _printed(record: object, form: Form) -> str:
    out, before = io.StringIO(), sys.stdout
    sys.stdout = out
    try:
        show_data(record, form)
    finally:
        sys.stdout = before
    return out.getvalue()


def test_no_colour_anywhere(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "NO_COLOR", "1")
    show_list(NODES, COLUMNS, Form.TEXT)
    assert "\x1b" not in capsys.readouterr().out
