"""Checks that every fact stored in PostgreSQL can be read as its type, before anything acts on one.

The server itself ensures types, references and NOT NULL; what is checked here is texts.
"""

from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from itertools import islice
from typing import Any

import msgspec

from infra.store.codec import is_json
from infra.store.columns import (
    FIELDS,
    LATEST_MS,
    MORE,
    MOST_TOLD,
    hint_of,
    misfiled_query,
    reads_as,
    refuse_damaged,
)
from infra.store.location import PostgresAddress
from infra.store.postgres.database import PostgresDatabase
from infra.store.schema import FACT_TABLES

_COLUMNS = (
    "SELECT c.table_name, c.column_name FROM information_schema.columns c "
    "JOIN information_schema.tables t USING (table_schema, table_name) "
    "WHERE table_schema = %s AND t.table_type = 'BASE TABLE' "
    "ORDER BY c.table_name, c.ordinal_position"
)


def check_facts(database: PostgresDatabase, address: PostgresAddress) -> None:
    """Check that every fact is undamaged.

    Raises:
        ConfigError: some are damaged; the message names the first few.
    """
    refuse_damaged(address, list(islice(_problems(database, address), MOST_TOLD)))


def _problems(database: PostgresDatabase, address: PostgresAddress) -> Iterator[str]:
    for table, column in list(database.execute_sql(_COLUMNS, (address.schema,))):
        yield from _unreadable(database, table, column)
    yield from _unreadable_notes(database)
    for table in FACT_TABLES:
        query = misfiled_query(table, "IS DISTINCT FROM")
        for (fact_id,) in () if query is None else database.execute_sql(query):
            yield f"table {table}, fact {fact_id}: is filed under another kind or asset"


def _unreadable(database: PostgresDatabase, table: str, column: str) -> Iterator[str]:
    """Yield the first row in which a column breaks its rule."""
    field = FIELDS.get(column, column)
    hint = hint_of(table, field)
    name = f'"{column}"'
    rules = [*_rules_of(column, name, hint), MORE.get(table, {}).get(column, "TRUE")]
    if rules != ["TRUE"]:
        query = (
            f"SELECT ctid::text, left({name}::text, 60) FROM {table} "  # noqa: S608 (our own names)
            f"WHERE NOT (({name} IS NULL OR ({' AND '.join(rules[:-1]) or 'TRUE'})) "
            f"AND ({rules[-1]})) LIMIT 1"
        )
        for row, value in database.execute_sql(query):
            yield f"table {table}, row {row}, column {column}: holds {value!r}"
    if is_json(hint):
        query = f"SELECT DISTINCT {name} FROM {table} WHERE {name} IS NOT NULL"  # noqa: S608 (our own names)
        texts = (text for (text,) in database.execute_sql(query))
        for text in islice((text for text in texts if not reads_as(text, table, field)), 1):
            yield f"table {table}, column {column}: holds {text[:60]!r}"


def _rules_of(column: str, name: str, hint: Any) -> list[str]:
    rules = [f"{name} BETWEEN 0 AND {LATEST_MS}"] if column.endswith("_ms") else []
    if hint is Decimal:
        rules += [f"length({name}) < 60", f"{name} ~ '^-?[0-9]*[.]?[0-9]+$'"]
    elif hint is bool:
        rules.append(f"{name} IN (0, 1)")
    elif isinstance(hint, type) and issubclass(hint, StrEnum):
        rules.append(f"{name} IN ({', '.join(repr(member.value) for member in hint)})")
    return rules


def _unreadable_notes(database: PostgresDatabase) -> Iterator[str]:
    notes = dict(database.execute_sql("SELECT key, value FROM meta"))
    if not notes.get("notifier.read_through", "0").isdecimal():
        yield f"table meta, notifier.read_through: holds {notes['notifier.read_through'][:60]!r}"
    try:
        msgspec.json.decode(notes.get("settings", "{}"))
    except ValueError:
        yield "table meta, settings: is not JSON"
