"""Can every stored fact be read as what it is? Asked before anybody acts on one.

Each rule is a condition of SQL, so that a journal of years is looked through in a second or two:
what a column may hold follows from its declaration and from the field that it is read into.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType, NoneType, UnionType
from typing import Any, get_args, get_type_hints

import msgspec

from domain.errors import ConfigError
from domain.market.instruments import Candle, Instrument
from domain.operator.notices import Notice
from domain.portfolio.protection import ProtectionState
from domain.rules import AssetRules
from domain.trading.decisions import Approval, Close, Denial, Protection
from domain.trading.orders import Intent, OrderRequest, OrderUpdate
from domain.trading.positions import Execution, Trade
from domain.trading.trailing import StopMoved
from domain.trading.transfers import Transfer
from infra.store.codec import is_json
from infra.store.schema import FACT_TABLES

_MOST_TOLD = 10
_LATEST_MS = 10**14
_KINDS: Mapping[str, tuple[type, ...]] = MappingProxyType(
    {
        "asset": (AssetRules, Instrument),
        "candle": (Candle,),
        "decision": (Protection,),
        "decision_close": (Close,),
        "decision_grant": (Approval,),
        "decision_refusal": (Denial,),
        "equity_sample": (ProtectionState,),
        "execution": (Execution,),
        "intent": (Intent, OrderRequest),
        "notice": (Notice,),
        "order_update": (OrderUpdate,),
        "stop_move": (StopMoved,),
        "trade": (Trade,),
        "transfer": (Transfer,),
    }
)
"""What the rows of a table are read into."""
_PARTS = ("fact", "decision_close", "decision_grant")
"""Tables of facts whose rows have no head of their own."""
_FIELDS = MappingProxyType({"protection_reason": "reason"})
"""Columns whose field has another name."""
_TYPES = MappingProxyType({"INTEGER": ("integer",), "TEXT": ("text",), "REAL": ("real", "integer")})
_MORE: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "candle": {
            "low": "low > 0 AND low <= min(open, close)",
            "high": "high < 1e300 AND high >= max(open, close)",
            "close_time_ms": "close_time_ms > open_time_ms",
        },
        "decision": {
            "protection_reason": "protection_reason IS NULL OR (epoch IS NOT NULL AND "
            "cooldown_end_ms IS NOT NULL AND figures IS NOT NULL)"
        },
        "decision_grant": {"qty": "CAST(qty AS REAL) > 0", "price": "CAST(price AS REAL) > 0"},
        "execution": {
            "qty": "kind = 'FUNDING' OR CAST(qty AS REAL) > 0",
            "price": "kind = 'FUNDING' OR CAST(price AS REAL) > 0",
        },
        "intent": {"qty": "CAST(qty AS REAL) > 0"},
        "meta": {
            "value": "(key <> 'notifier.read_through' OR value NOT GLOB '*[^0-9]*') AND "
            "(key <> 'settings' OR json_valid(value))"
        },
        "order_update": {"filled_qty": "CAST(filled_qty AS REAL) >= 0"},
        "trade": {"qty": "CAST(qty AS REAL) > 0"},
    }
)
"""What columns keep besides."""


def check_facts(database: sqlite3.Connection, file: Path) -> None:
    """Refuse a journal of which a fact cannot be what was stored; names the first few.

    Raises:
        ConfigError: so it is.
    """
    database.create_function("reads_as", 3, _reads_as, deterministic=True)
    try:
        (state,) = database.execute("PRAGMA quick_check(1)").fetchone()
        found = [state] if state != "ok" else list(islice(_problems(database), _MOST_TOLD))
    except sqlite3.Error as error:
        found = [str(error)]
    if found:
        lines = "".join(f"\n- {problem}" for problem in found)
        raise ConfigError(
            f"{file}: the journal is damaged, so nothing is done on it:{lines}\n"
            "Put a copy of it back that is whole, or start anew with another --run-dir: what is "
            "open at the exchange then counts as opened by hand."
        )


def _problems(database: sqlite3.Connection) -> Iterator[str]:
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    tables = [name for (name,) in database.execute(names)]
    for table in tables:
        yield from _unreadable(database, table)
    for table, row, parent, _ in database.execute("PRAGMA foreign_key_check"):
        yield f"table {table}, row {row}: belongs to no {parent}"
    for table in FACT_TABLES:
        if table in tables and table not in _PARTS:
            yield from _misfiled(database, table)


def _unreadable(database: sqlite3.Connection, table: str) -> Iterator[str]:
    """Return the first row in which each column breaks its rule, after one look at all of them."""
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
    """Return a fact whose head is of another kind or asset than the fact itself."""
    kinds = f"'{table}'" if table != "decision_refusal" else "'decision_refusal', 'decision'"
    has_asset = table in ("asset", "candle", "execution", "intent", "trade")
    asset = " OR f.asset IS NOT t.asset" if has_asset else ""
    query = (
        f"SELECT f.id FROM {table} t JOIN fact f ON f.id = t.fact_id "  # noqa: S608 (our own names)
        f"WHERE f.kind NOT IN ({kinds}){asset} LIMIT 1"
    )
    for (fact_id,) in database.execute(query):
        yield f"table {table}, fact {fact_id}: is filed under another kind or asset"


def _rule(table: str, column: str, declared: str, *, is_needed: bool) -> str:
    """Return what a column keeps, as a condition of SQL that is never NULL."""
    types = ", ".join(f"'{name}'" for name in _TYPES[declared])
    name = _quoted(column)
    rules = [f"typeof({name}) IN ({types})"]
    if column.endswith("_ms"):
        rules.append(f"{name} BETWEEN 0 AND {_LATEST_MS}")
    field = _FIELDS.get(column, column)
    hint = _hint(table, field)
    rules += [f"reads_as({name}, '{table}', '{field}')"] if is_json(hint) else []
    rules += _rules_of(name, hint)
    whole = f"({' AND '.join(rules)})"
    kept = whole if is_needed else f"({name} IS NULL OR {whole})"
    return f"{kept} AND ({_MORE.get(table, {}).get(column, 'TRUE')})"


def _quoted(name: str) -> str:
    """Return a name that may be a word of SQL."""
    return f'"{name}"'


def _hint(table: str, field: str) -> Any:
    for kind in _KINDS.get(table, ()):
        hints = get_type_hints(kind)
        if field in hints:
            hint = hints[field]
            if not isinstance(hint, UnionType):
                return hint
            return next(part for part in get_args(hint) if part is not NoneType)
    return None


def _reads_as(found: object, table: str, field: str) -> bool:
    """Tell whether the text of a column can be read; SQL calls it."""
    try:
        _decoder(table, field)(found)
    except (TypeError, ValueError):
        return False
    return True


@cache
def _decoder(table: str, field: str) -> Callable[[Any], Any]:
    return msgspec.json.Decoder(_hint(table, field)).decode


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
