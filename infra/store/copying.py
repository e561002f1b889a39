"""Copies a journal from one database to another, and verifies that they are equal."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from domain.errors import ConfigError
from infra.store import schema
from infra.store.engine import Engine
from infra.store.location import Location
from infra.store.reading import Reading, open_reading

_CHUNK = 5_000
"""Approximate number of rows in memory at once."""
_MODULUS = 1 << 256
TABLES = (
    "meta",
    "pen",
    *schema.FACT_TABLES,
    "notice",
    "delivery",
)
"""In an order in which each comes after those it refers to."""
_NUMBERED = {"fact": "id", "notice": "id", "delivery": "notice_id"}
_WHOLE = ("meta", "pen")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSum:
    """What a table holds."""

    table: str
    rows: int
    digest: str
    """Sum over all rows, independent of their order."""


def copy_journal(source: Location, target: Engine) -> list[TableSum]:
    """Copy all tables in one transaction, then read and compare both sides.

    Args:
        source: the journal; nothing may write to it meanwhile.
        target: a database with empty tables; in a connected thread.

    Returns:
        What each table holds, on both sides.

    Raises:
        ConfigError: the target is not empty, or differs afterwards.
        JournalError: one of the two cannot be used.
    """
    with closing(open_reading(source)) as reading, reading.snapshot():
        with target.writing(is_durable=True) as database:
            for table in TABLES:
                _copy(reading, database, table)
            target.renumber()
        copied = sums(reading)
    with closing(open_reading(target.location)) as again:
        found = sums(again)
    wrong = [ours.table for ours, theirs in zip(copied, found, strict=True) if ours != theirs]
    if wrong:
        raise ConfigError(f"{target.location}: differs from {source} in {', '.join(wrong)}")
    return copied


def demand_empty(location: Location) -> None:
    """Refuse a target that holds facts.

    Raises:
        ConfigError: it does.
    """
    with closing(open_reading(location)) as reading:
        (row,) = reading.rows("SELECT COUNT(*) AS n FROM fact")
    if row["n"]:
        raise ConfigError(f"{location}: holds {row['n']} facts; copy to an empty place")


def sums(reading: Reading, through_fact: int | None = None) -> list[TableSum]:
    """Return what each table holds; if a fact id is given, only facts up to it."""
    return [table_sum(table, _rows(reading, table, through_fact)) for table in TABLES]


def table_sum(table: str, rows: Iterable[Mapping[str, Any]]) -> TableSum:
    """Return the sum of rows, independent of their order."""
    summing = Summing(table)
    for row in rows:
        summing.add(row)
    return summing.result()


class Summing:
    """Sums up the rows of a table, one after another."""

    def __init__(self, table: str) -> None:
        self._table = table
        self._rows, self._total = 0, 0

    def add(self, row: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(repr(sorted(row.items())).encode()).digest()
        self._total = (self._total + int.from_bytes(digest, "big")) % _MODULUS
        self._rows += 1

    def result(self) -> TableSum:
        """Return the sum so far."""
        return TableSum(table=self._table, rows=self._rows, digest=f"{self._total:064x}")


def _copy(reading: Reading, database: Any, table: str) -> None:
    into = schema.table(table)
    add = schema.replace_row if table in _WHOLE else schema.insert_row
    for row in _rows(reading, table):
        add(database, into, row)


def _rows(
    reading: Reading, table: str, through_fact: int | None = None
) -> Iterator[dict[str, Any]]:
    if table in _WHOLE:
        yield from reading.rows(f"SELECT * FROM {table}")  # noqa: S608 (our own names)
        return
    key = _NUMBERED.get(table, "fact_id")
    (row,) = reading.rows(f"SELECT COALESCE(MAX({key}), 0) AS newest FROM {table}")  # noqa: S608
    newest = row["newest"]
    if through_fact is not None and table in schema.FACT_TABLES:
        newest = min(newest, through_fact)
    query = f"SELECT * FROM {table} WHERE {key} > %s AND {key} <= %s ORDER BY {key}"  # noqa: S608
    for start in range(0, newest, _CHUNK):
        yield from reading.rows(query, start, min(start + _CHUNK, newest))
