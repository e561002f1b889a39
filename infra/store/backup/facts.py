"""The facts added to a journal since a point, in pieces that end at transaction boundaries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.store import schema
from infra.store.backup.segment import Row, Rows
from infra.store.deliveries import WAITING
from infra.store.reading import Reading

PIECE_FACTS = 10_000
"""Most facts in one segment, unless a single transaction has more."""
WHOLE = ("meta", "pen")
"""Tables stored whole in a segment, not only their new rows."""
_UNIT = ("writer", "trace_id", "message_id", "recorded_ms")
"""Columns that are equal within a transaction and hardly ever across two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """How far a backup covers a journal."""

    fact: int = 0
    notice: int = 0
    waiting: Sequence[tuple[str, int]] = ()
    """Channel and notice of the deliveries still waiting then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """What was added after a point."""

    rows: Rows
    through: Point
    recorded_ms: int
    """When its newest fact was stored; 0: it holds no fact."""
    is_last: bool
    """It reaches the end of the journal and also holds the tables that are not facts."""


def read_piece(reading: Reading, after: Point, most: int) -> Piece | None:
    """Return what was added since a point, or the first part of it; None: nothing was.

    Args:
        reading: the journal; facts stored after the start of this call are not seen.
        after: the point.
        most: facts to read.

    Raises:
        JournalError: the journal cannot be read.
    """
    with reading.snapshot():
        if not _is_behind(reading, after):
            return None
        query = "SELECT * FROM fact WHERE id > %s ORDER BY id LIMIT %s"
        found = reading.rows(query, after.fact, most + 1)
        is_last = len(found) <= most
        if not is_last:
            found = found[: last_of_unit(found, most - 1) or most]
        fact = found[-1]["id"] if found else after.fact
        rows = {"fact": found} | _parts(reading, after.fact, fact)
        point = Point(fact=fact, notice=after.notice, waiting=after.waiting)
        if is_last:
            more, point = _others(reading, point)
            rows |= more
    newest_ms = found[-1]["recorded_ms"] if found else 0
    kept = {table: held for table, held in rows.items() if held}
    return Piece(rows=kept, through=point, recorded_ms=newest_ms, is_last=is_last)


def last_of_unit(facts: Sequence[Row], index: int) -> int:
    """Return how many facts up to an index form complete transactions.

    Args:
        facts: in order of id.
        index: of the last fact that may be taken.
    """
    while 0 <= index < len(facts) - 1 and _unit(facts[index]) == _unit(facts[index + 1]):
        index -= 1
    return index + 1


def _is_behind(reading: Reading, point: Point) -> bool:
    query = (
        "SELECT COALESCE((SELECT MAX(id) FROM fact), 0) AS fact, "
        "COALESCE((SELECT MAX(id) FROM notice), 0) AS notice"
    )
    (newest,) = reading.rows(query)
    return bool(newest["fact"] > point.fact or newest["notice"] > point.notice)


def _unit(fact: Row) -> tuple[Any, ...]:
    return tuple(fact[name] for name in _UNIT)


def _parts(reading: Reading, after: int, through: int) -> dict[str, list[dict[str, Any]]]:
    where = "WHERE fact_id > %s AND fact_id <= %s ORDER BY fact_id"
    return {
        table: reading.rows(f"SELECT * FROM {table} {where}", after, through)  # noqa: S608 (our own names)
        for table in schema.FACT_TABLES
        if table != "fact"
    }


def _others(reading: Reading, after: Point) -> tuple[Mapping[str, list[dict[str, Any]]], Point]:
    """Return rows that are not facts: whole tables, or what is new or has changed in them."""
    notices = reading.rows("SELECT * FROM notice WHERE id > %s ORDER BY id", after.notice)
    deliveries = [
        row
        # The status is a literal in the query: only then is the partial index used.
        for which in (f"notice_id <= %s AND status = '{WAITING}'", "notice_id > %s")
        for row in reading.rows(f"SELECT * FROM delivery WHERE {which}", after.notice)  # noqa: S608 (our own text)
    ]
    waiting = [(r["channel"], r["notice_id"]) for r in deliveries if r["status"] == WAITING]
    known = {(row["channel"], row["notice_id"]) for row in deliveries}
    for ended in (each for each in after.waiting if tuple(each) not in known):
        query = "SELECT * FROM delivery WHERE channel = %s AND notice_id = %s"
        deliveries += reading.rows(query, *ended)
    rows = {table: reading.rows(f"SELECT * FROM {table}") for table in WHOLE}  # noqa: S608 (our own names)
    notice = notices[-1]["id"] if notices else after.notice
    point = Point(fact=after.fact, notice=notice, waiting=waiting)
    return rows | {"notice": notices, "delivery": deliveries}, point
