"""Plain values out of YAML and JSON: as written, bounded, and refused with a place."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.errors import Invalid, TooLarge
from mezite.rbac.loading import DEPTH, DOCUMENTS, TEXT_BYTES, VALUES, Plain, load_documents


@pytest.mark.parametrize(
    ("text", "documents"),
    [
        ("a: off\nb: [no, yes, 1.10, 007, 1e3, 2026-01-01, 1:30, true]", [
            {"a": "off", "b": ["no", "yes", "1.10", "007", "1e3", "2026-01-01", "1:30", "true"]}
        ]),
        ("a:\nb: ~\nc: null\nd: ''\ne: 'null'", [{"a": None, "b": None, "c": None, "d": "", "e": "null"}]),
        ("a: 1\n---\nb: 2\n---\n", [{"a": "1"}, {"b": "2"}]),
        ("- a: 1\n- b: 2", [{"a": "1"}, {"b": "2"}]),
        ('{"a": 1,\t"b": [true, null, "\\ud83d\\ude00", 1.5]}', [{"a": "1", "b": [True, None, "😀", "1.5"]}]),
        ('[{"a": "x"}, {"b": -2}]', [{"a": "x"}, {"b": "-2"}]),
        ("{a: 1, b: [x]}", [{"a": "1", "b": ["x"]}]),
        ("<<: {a: 1}", [{"<<": {"a": "1"}}]),
        ("", []),
        ("# nothing\n---\n---\n", []),
        ("just text", ["just text"]),
    ],
)  # fmt: skip
def test_values_are_as_written(text: str, documents: list[Plain]) -> None:
    assert load_documents(text) == documents


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a: 1\nb: 2\na: 3", 'line 3, column 1: the key "a" is said twice; say it once'),
        ('a: 1\n"a": 3', 'line 2, column 1: the key "a" is said twice; say it once'),
        ('{"a": {"b": 1, "b": 2}}', 'the key "b" is said twice; say it once'),
        ("a: &x 1\nb: *x", "line 1, column 4: anchors and aliases are not read here; write the value out"),
        ("a: *x", "line 1, column 4: anchors and aliases are not read here; write the value out"),
        (
            "a: !!python/object/apply:os.system [id]",
            "line 1, column 4: tags are not read here; write the plain value",
        ),
        ("a: !!bool no", "line 1, column 4: tags are not read here; write the plain value"),
        ("? [a, b]\n: c", "column 8: a key is a word, not a list or a mapping"),
        ("~: x", "a key is a word, not a list or a mapping"),
        ("a: b: c", "line 1, column 5: not YAML: mapping values are not allowed in this context"),
        ("a:\n\tb: 1", "line 2, column 1: not YAML: found character that cannot start any token"),
        ("a: [1, 2", "not YAML: did not find expected"),
        ("a: 'x", "not YAML: found unexpected end of stream"),
        ("a: \x1b", "not YAML: control characters are not allowed"),
        ("a: \ud800", "the text holds what is not Unicode; save it as UTF-8"),
    ],
)
def test_faults_have_a_place(text: str, fault: str) -> None:
    with pytest.raises(Invalid) as refusal:
        load_documents(text)
    assert fault in refusal.value.message
    assert refusal.value.message.isprintable()


def test_an_alias_bomb_is_refused_where_it_starts() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(20)
    )
    with pytest.raises(Invalid, match="line 1, column 4: anchors and aliases"):
        load_documents(bomb)


@pytest.mark.parametrize(
    "text",
    [
        "x" * (TEXT_BYTES + 1),
        "é" * (TEXT_BYTES // 2 + 1),
        "[" * (DEPTH + 1) + "]" * (DEPTH + 1),
        '{"a":' * (DEPTH + 1) + "1" + "}" * (DEPTH + 1),
        f"[{','.join('1' * VALUES)}]",
        "--- x\n" * (DOCUMENTS + 1),
    ],
)
def test_too_much_is_refused(text: str) -> None:
    with pytest.raises(TooLarge):
        load_documents(text)


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 40_000, "- " * 100_000, "? " * 100_000, "{" * 100_000]
)
def test_depth_is_no_burden(text: str) -> None:
    with pytest.raises(Invalid):
        load_documents(text)


def _as_text(value: object) -> object:
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    if isinstance(value, dict):
        return {key: _as_text(each) for key, each in value.items()}
    return value


_json_values = st.recursive(
    st.none() | st.booleans() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text(max_size=5), _json_values, max_size=4))
def test_json_is_read_as_it_is(document: dict[str, object]) -> None:
    assert load_documents(json.dumps(document)) == [document]


@given(st.text(max_size=80) | st.text(alphabet="ab:-[]{}&*!'\"#|>?, \n\t~", max_size=80))
def test_any_text_loads_or_is_refused(text: str) -> None:
    try:
        load_documents(text)
    except Invalid as refusal:
        assert refusal.message.isprintable()
