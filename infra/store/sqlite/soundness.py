"""Checks that every fact stored in SQLite can be read as its type, before anything acts on one.

Each rule is an SQL condition, so that a journal of years is checked in a second or two.
"""

import sqlite3
from collections.abc import Iterator
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

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
from infra.store.schema import FACT_TABLES
from infra.store.sqlite import driver

_TYPES = MappingProxyType({"INTEGER": ("integer",), "TEXT": ("text",), "REAL": ("real", "integer")})
_META = (
    "(key <> 'notifier.read_through' OR value NOT GLOB '*[^0-9]*') AND "
    "(key <> 'settings' OR json_valid(value))"
)


def check_facts(database: sqlite3.Connection, file: Path) -> None:
    """Check that every fact is undamaged.

    Raises:
        ConfigError: some are damaged; the message names the first few.
    """
    database.create_function("reads_as", 3, reads_as, deterministic=True)
    try:
        (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
        found = [state] if state != "ok" else list(islice(_problems(database), MOST_TOLD))
    except driver.errors() as error:
        found = [str(error)]
    refuse_damaged(file, found)


def _problems(database: sqlite3.Connection) -> Iterator[str]:
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = [name for (name,) in database.execute(names)]
    for table in tables:
        yield from _unreadable(database, table)
    for table, row, parent, _ in database.execute("PRAGMA foreign_key_check"):
        yield f"table {table}, row {row}: belongs to no {parent}"
    for table in FACT_TABLES:
        if table in tables:
            yield from _misfiled(database, table)


def _unreadable(database: sqlite3.Connection, table: str) -> Iterator[str]:
    """Return the first row in which each column breaks its rule, after one query over all."""
    declared = database.execute(f"PRAGMA table_info({table})").fetchall()
    rules = {
        column: _rule(table, column, kind, is_needed=bool(is_needed))
        for _, column, kind, is_needed, *_ in declared
    }
    if not _broken(database, table, "1", " AND ".join(rules.values())):
        return
    for column, rule in rules.items():
        for row, value in _broken(database, table, _quoted(column), rule):
            yield f"table {table}, row {row}, column {column}: holds {value}"


def _broken(
    database: sqlite3.Connection, table: str, column: str, rule: str
) -> list[tuple[int, str]]:
    query = f"SELECT rowid, substr(quote({column}), 1, 60) FROM {table} WHERE NOT ({rule}) LIMIT 1"  # noqa: S608 (our own names)
    return database.execute(query).fetchall()


def _misfiled(database: sqlite3.Connection, table: str) -> Iterator[str]:
    query = misfiled_query(table, "IS NOT")
    for (fact_id,) in () if query is None else database.execute(query):
        yield f"table {table}, fact {fact_id}: is filed under another kind or asset"


@cache
def _rule(table: str, column: str, declared: str, *, is_needed: bool) -> str:
    """Return the rule of a column, as an SQL condition that is never NULL."""
    types = ", ".join(f"'{name}'" for name in _TYPES[declared])
    name = _quoted(column)
    rules = [f"typeof({name}) IN ({types})"]
    if column.endswith("_ms"):
        rules.append(f"{name} BETWEEN 0 AND {LATEST_MS}")
    field = FIELDS.get(column, column)
    hint = hint_of(table, field)
    rules += [f"reads_as({name}, '{table}', '{field}')"] if is_json(hint) else []
    rules += _rules_of(name, hint)
    whole = f"({' AND '.join(rules)})"
    kept = whole if is_needed else f"({name} IS NULL OR {whole})"
    more = _META if (table, column) == ("meta", "value") else "TRUE"
    return f"{kept} AND ({MORE.get(table, {}).get(column, more)})"


def _quoted(name: str) -> str:
    """Return a name quoted, as it may be an SQL keyword."""
    return f'"{name}"'


def _rules_of(column: str, hint: Any) -> list[str]:
    if hint is Decimal:
        return [
            f"length({column}) < 60",
            f"{column} GLOB '*[0-9]'",
            f"{column} NOT GLOB '*[^-0-9.]*'",
            f"{column} NOT GLOB '?*-*'",
            f"{column} NOT GLOB '*.*.*'",
        ]
    if hint is bool:
        return [f"{column} IN (0, 1)"]
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return [f"{column} IN ({', '.join(repr(member.value) for member in hint)})"]
    return []
