from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.config.document import MAX_BYTES, Written, parse, read
from mezite.errors import SettingsError


def test_values_keep_their_spelling_and_their_line() -> None:
    text = b"a: 'x'\nb:\n  c: off\n  d: [1e3, 0700]\n  e:\nf: !!int 5\n"
    assert tuple(parse(text, place="here")) == (
        Written(("a",), "x", 1),
        Written(("b",), None, 2),
        Written(("b", "c"), "off", 3),
        Written(("b", "d"), ("1e3", "0700"), 4),
        Written(("b", "e"), None, 5),
        Written(("f",), "5", 6),
    )


@pytest.mark.parametrize("text", [b"", b"# nothing set\n", b"---\n", b"~"])
def test_a_file_may_say_nothing(text: bytes) -> None:
    assert tuple(parse(text, place="here")) == ()


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (b"a: 1\nb: [", "here line 2: not YAML"),
        (b"a: &x {b: *x}", "here line 1: not YAML: aliases are not used here"),
        (b"a: &x 1\nb: *x", "here line 2: not YAML: aliases are not used here"),
        (b"a: 1\n---\nb: 2", "here line 2: not YAML: but found another document"),
        (b"- a", "here: not a settings file"),
        (b"just words", "here: not a settings file"),
        (b"a: \xff", "here: not text in UTF-8"),
        (b"a: \x1b[31m", "here: not text in UTF-8"),
        (b"{a: " * 3000, "here: nested too deeply"),
        (b"# " + b"x" * MAX_BYTES, "here: larger than 256 KiB"),
    ],
)
def test_a_file_that_is_none_is_one_clear_line(text: bytes, fault: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        tuple(parse(text, place="here"))
    assert str(refusal.value).startswith(fault)
    assert str(refusal.value).isprintable()


@given(st.binary(max_size=200) | st.text(alphabet="ab:-[]{}!&*'\"\n #|>%@\x1b", max_size=60).map(str.encode))
def test_any_bytes_are_a_document_or_a_settings_error(data: bytes) -> None:
    try:
        written = tuple(parse(data, place="here"))
    except SettingsError as error:
        assert str(error).isprintable()
    else:
        assert all(item.line >= 1 and item.path for item in written)


def test_a_missing_file_is_said_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.yaml: cannot be read: No such file"):
        read(tmp_path / "absent.yaml")
    with pytest.raises(SettingsError, match="cannot be read: Is a directory"):
        read(tmp_path)


@pytest.mark.parametrize(("mode", "open_to_all"), [(0o600, False), (0o640, False), (0o644, True)])
def test_it_notes_who_may_read_it(tmp_path: Path, mode: int, open_to_all: bool) -> None:
    path = tmp_path / "mezite.yaml"
    path.write_text("a: 1\n")
    os.chmod(path, mode)
    assert read(path).world_readable is open_to_all
