"""Every statement on the audit trail, the feed and their ends, built once per shape. No values here.

Parameters of a search: `low` and `high` (numbers, both outside), `limit`, `since`, `until`, `c_<column>`.
"""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from sqlalchemy import bindparam, delete, func, insert, select, update

from mezite.storage.ends import COLUMNS
from mezite.storage.executor import Statement
from mezite.storage.statements import at_most, insert_unless_taken
from mezite.storage.tables import AUDIT, CHAIN_HEAD, CHANGES, SIGNED_HEADS

_LINK = (AUDIT.c.seq, AUDIT.c.body, AUDIT.c.hash)
_ENDS = ("seq", "hash", "time_us", "highest_us", "widest_lag_us", "feed")

ADD_RECORD: Final = insert_unless_taken(
    AUDIT, {name: bindparam(f"c_{name}") for name in ("seq", "hash", "body", "highest_us", *COLUMNS)}
)
RECORDS: Final = Statement(
    at_most(select(*_LINK).where(AUDIT.c.seq > bindparam("low")).order_by(AUDIT.c.seq))
)
FILED: Final = Statement(
    at_most(
        select(AUDIT.c.seq, AUDIT.c.body, AUDIT.c.highest_us, *(AUDIT.c[name] for name in COLUMNS))
        .where(AUDIT.c.seq > bindparam("low"))
        .order_by(AUDIT.c.seq)
    )
)
FIRST_SINCE: Final = Statement(
    at_most(
        select(AUDIT.c.seq)
        .where(AUDIT.c.highest_us >= bindparam("moment"))
        .order_by(AUDIT.c.highest_us, AUDIT.c.seq)
    )
)
NEXT_TYPE: Final = Statement(
    at_most(select(AUDIT.c.type).where(AUDIT.c.type > bindparam("after")).order_by(AUDIT.c.type))
)

ENDS: Final = Statement(select(*(CHAIN_HEAD.c[name] for name in _ENDS)))
LOCK_ENDS: Final = Statement(select(*(CHAIN_HEAD.c[name] for name in _ENDS)).with_for_update())
MOVE_ENDS: Final = Statement(update(CHAIN_HEAD).values({name: bindparam(f"c_{name}") for name in _ENDS}))

ADD_CHANGE: Final = Statement(
    insert(CHANGES).values({name: bindparam(f"c_{name}") for name in CHANGES.c.keys()})  # noqa: SIM118 - not a dict
)
CHANGES_AFTER: Final = Statement(
    at_most(select(*CHANGES.c).where(CHANGES.c.revision > bindparam("low")).order_by(CHANGES.c.revision))
)
OLDEST_CHANGE: Final = Statement(select(func.min(CHANGES.c.revision)))
TRIM_CHANGES: Final = Statement(delete(CHANGES).where(CHANGES.c.revision <= bindparam("last")))

KEEP_HEAD: Final = insert_unless_taken(
    SIGNED_HEADS,
    {name: bindparam(f"c_{name}") for name in SIGNED_HEADS.c.keys()},  # noqa: SIM118 - not a dict
)
SIGNED: Final = Statement(
    at_most(
        select(*(SIGNED_HEADS.c[name] for name in ("seq", "hash", "time_us", "key_id", "signature")))
        .where(SIGNED_HEADS.c.seq > bindparam("low"))
        .order_by(SIGNED_HEADS.c.seq, SIGNED_HEADS.c.key_id)
    )
)


@cache
def search(names: tuple[str, ...], *, since: bool, until: bool, newest_first: bool) -> Statement:
    """At most 128 shapes: any of five columns, either bound in time, either direction."""
    rows: Any = select(*_LINK).where(AUDIT.c.seq > bindparam("low"), AUDIT.c.seq < bindparam("high"))
    for name in names:
        rows = rows.where(AUDIT.c[name] == bindparam(f"c_{name}"))
    if since:
        rows = rows.where(AUDIT.c.time_us >= bindparam("since"))
    if until:
        rows = rows.where(AUDIT.c.time_us < bindparam("until"))
    order = AUDIT.c.seq.desc() if newest_first else AUDIT.c.seq
    return Statement(at_most(rows.order_by(order)))
