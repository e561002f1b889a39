"""The facts in order of their ids, and how far another program has received them."""

import contextlib
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import msgspec
import peewee
from peewee import SQL

from domain.errors import JournalError
from infra.store import schema
from infra.store.codec import Row, is_json
from infra.store.columns import hint_of
from infra.store.journal import JournalStore

_FACT = schema.table("fact")
_PARTS = {
    "decision": {
        "approvals": "decision_grant",
        "denials": "decision_refusal",
        "closes": "decision_close",
    }
}
"""Tables with further rows of some kinds of facts, by the name of the list they become."""
_PLUMBING = ("fact_id", "place")
_FLAGS = frozenset({("operator_command", "is_done")})
"""Boolean columns of tables whose columns have no declared type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFact:
    """A fact as stored in its rows."""

    fact_id: int
    kind: str
    asset: str | None
    recorded_ms: int
    trace_id: int | None
    data: Row
    """Its columns by name: money as text, times in milliseconds; parts as lists of mappings."""


class FactFeed:
    """All facts for one reader, whose position outlives the process.

    The facts of a journal are committed in order of their ids, so a reader that has read up to an
    id has missed none below it.
    """

    def __init__(self, journals: JournalStore, reader: str) -> None:
        """Remember the reader; nothing is read yet.

        Args:
            journals: the database.
            reader: whose position is kept.
        """
        self._journals = journals
        self._key = f"events.{reader}"

    def read_through(self) -> int:
        """Return the id up to which the reader has all facts; in a connected thread.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._errors():
            return int(self._journals.read_meta(self._key) or 0)

    def read_on(self, fact_id: int) -> None:
        """Store that the reader has all facts up to this one.

        Raises:
            JournalError: it cannot be stored.
        """
        self._journals.write_meta(self._key, str(fact_id))

    def after(self, fact_id: int, count: int) -> list[StoredFact]:
        """Return the next facts, at most so many, oldest first; in a connected thread.

        Raises:
            JournalError: the journal cannot be read.
        """
        with self._errors():
            query = _FACT.select(SQL("*")).where(_FACT.c.id > fact_id)
            heads = self._rows(query.order_by(_FACT.c.id).limit(count))
            if not heads:
                return []
            span = heads[0]["id"], heads[-1]["id"]
            data = {
                kind: self._data(kind, span) for kind in sorted({head["kind"] for head in heads})
            }
        return [
            StoredFact(
                fact_id=head["id"],
                kind=head["kind"],
                asset=head["asset"],
                recorded_ms=head["recorded_ms"],
                trace_id=head["trace_id"],
                data=data[head["kind"]].get(head["id"], {}),
            )
            for head in heads
        ]

    def _data(self, kind: str, span: tuple[int, int]) -> dict[int, Row]:
        """Return the facts of a kind in a range of ids, by id."""
        found = {fact_id: rows[0] for fact_id, rows in self._by_fact(kind, span).items()}
        for name, table in _PARTS.get(kind, {}).items():
            parts = self._by_fact(table, span)
            for fact_id, row in found.items():
                row[name] = parts.get(fact_id, [])
        return found

    def _by_fact(self, name: str, span: tuple[int, int]) -> dict[int, list[Row]]:
        table = schema.table(name)
        order = (table.c.fact_id, table.c.place) if _has_places(name) else (table.c.fact_id,)
        query = table.select(SQL("*")).where(table.c.fact_id.between(*span)).order_by(*order)
        found: defaultdict[int, list[Row]] = defaultdict(list)
        for row in self._rows(query):
            found[row["fact_id"]].append(_plain(name, row))
        return found

    def _rows(self, query: peewee.Query) -> list[Row]:
        return list(query.execute(self._journals.database))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (peewee.PeeweeException, sqlite3.DatabaseError) as error:
            raise JournalError(f"{self._key}: the facts cannot be read: {error}") from error


def _has_places(table: str) -> bool:
    return any(table in parts.values() for parts in _PARTS.values())


def _plain(table: str, row: Row) -> Row:
    """Return a row as other programs read it: with booleans and JSON decoded."""
    return {
        name: value if value is None else _converter(table, name)(value)
        for name, value in row.items()
        if name not in _PLUMBING
    }


@cache
def _converter(table: str, name: str) -> Callable[[Any], Any]:
    hint = bool if (table, name) in _FLAGS else hint_of(table, name)
    if hint is bool:
        return bool
    return msgspec.json.decode if is_json(hint) else _same


def _same(value: Any) -> Any:
    return value
