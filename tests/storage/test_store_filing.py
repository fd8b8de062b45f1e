"""Below the shelves: bodies of nouns, index columns, and the arithmetic of where a chain ends."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mezite.audit.chain import link
from mezite.errors import Damaged, Invalid
from mezite.storage.codec import Codec
from mezite.storage.ends import Ends, file, is_misfiled
from mezite.storage.shelves import MAX_INDEXED_CHARS, PLANS, USERS, findable, indexable
from tests.support.stores import NOON, event, user

any_text = st.text(st.characters(codec=None, categories=None), max_size=400)
USER = Codec(type(user()), "users")


@given(any_text)
def test_every_text_can_be_indexed_and_stays_so(text: str) -> None:
    column = indexable(text)
    assert len(column) <= MAX_INDEXED_CHARS
    assert "\0" not in column
    column.encode()
    assert indexable(column) == column
    assert findable(column)
    assert findable(text) == (column == text)


@pytest.mark.parametrize(
    ("number", "fits"), [(0, True), (2**63 - 1, True), (2**63, False), (-(2**63) - 1, False)]
)
def test_whole_numbers_have_64_bits(number: int, fits: bool) -> None:
    assert findable(number) == fits


@given(st.binary(max_size=200) | any_text.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_a_body_reads_or_is_damaged(junk: bytes) -> None:
    with pytest.raises(Damaged, match="users 'user_1'"):
        USER.decode("user_1", 1, junk.decode("utf-8", "replace"))


@pytest.mark.parametrize("missing", ["id", "name", "roles", "created_at", "created_by"])
def test_a_body_without_a_field_is_damaged(missing: str) -> None:
    fields = msgspec.json.decode(USER.encode(user(revision=1)))
    del fields[missing]
    with pytest.raises(Damaged):
        USER.decode("user_0001", 1, msgspec.json.encode(fields).decode())


def test_a_field_that_a_later_version_added_does_no_harm() -> None:
    fields = msgspec.json.decode(USER.encode(user(revision=1)))
    fields["shoe_size"] = 44
    assert USER.decode("user_0001", 1, msgspec.json.encode(fields).decode()) == user(revision=1)


def test_text_without_a_byte_form_is_not_stored() -> None:
    with pytest.raises(Invalid, match="users"):
        USER.encode(user(created_by="\udcff"))


def test_plans_do_not_overlap() -> None:
    assert len({plan.table for plan in PLANS}) == len(PLANS)
    for plan in PLANS:
        names = [plan.key, *(column.name for column in plan.columns)]
        assert len(set(names)) == len(names)
        assert set(names) <= set(plan.noun.__dataclass_fields__)


def test_looking_up_by_what_is_no_column_is_a_bug() -> None:
    with pytest.raises(TypeError, match="created_by"):
        USERS.names({"created_by": "admin"})


@given(st.lists(st.integers(-(10**6), 10**6), min_size=1, max_size=30))
def test_the_ends_bound_every_time(offsets: list[int]) -> None:
    """The two implications that searches by time rest on."""
    ends = Ends()
    filed = []
    for number, offset in enumerate(offsets):
        row, after = file(ends, event(number, time=NOON + timedelta(microseconds=offset)))
        assert row.record == link(ends.hash, ends.seq + 1, row.record.body)
        assert not is_misfiled(row.record.body, row.columns, row.highest_us, ends.highest_us)
        assert is_misfiled(row.record.body, row.columns, row.highest_us + 1, ends.highest_us)
        filed.append(row)
        ends = after
    highs = [row.highest_us for row in filed]
    assert highs == sorted(highs)
    for row in filed:
        time_us = int(row.columns[1])
        assert time_us <= row.highest_us <= time_us + ends.widest_lag_us
    assert ends.highest_us == highs[-1]
    assert ends.seq == len(filed)
