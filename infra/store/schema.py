"""The tables, and the migrations from older versions.

Money is text: SQLite would store a decimal as a float. Times are integer milliseconds. Every fact
has a row in `fact`, whose id is the one sequence over all kinds; the fact's own table continues
that row under the same id.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from peewee import SQL, Context, Database, Node, Query, Table

from infra.store.views import VIEWS

_FIRST = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE pen (address TEXT PRIMARY KEY, holder INTEGER NOT NULL);
CREATE TABLE fact (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    asset TEXT,
    writer TEXT NOT NULL,
    recorded_ms INTEGER NOT NULL,
    trace_id INTEGER,
    message_id INTEGER
);
CREATE TABLE asset (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    asset TEXT NOT NULL,
    symbol TEXT NOT NULL,
    allocation_fraction TEXT NOT NULL,
    leverage TEXT NOT NULL,
    qty_step TEXT NOT NULL,
    min_order_qty TEXT NOT NULL,
    tick_size TEXT NOT NULL,
    min_notional TEXT NOT NULL,
    max_market_order_qty TEXT NOT NULL
);
CREATE TABLE candle (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    asset TEXT NOT NULL,
    open_time_ms INTEGER NOT NULL,
    close_time_ms INTEGER NOT NULL,
    open REAL NOT NULL,
    high REAL NOT NULL,
    low REAL NOT NULL,
    close REAL NOT NULL,
    volume REAL NOT NULL,
    UNIQUE (asset, open_time_ms)
);
CREATE TABLE decision (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    t_ms INTEGER NOT NULL UNIQUE,
    protection_reason TEXT,
    epoch INTEGER,
    cooldown_end_ms INTEGER,
    figures TEXT
);
CREATE TABLE decision_grant (
    fact_id INTEGER NOT NULL REFERENCES decision (fact_id),
    place INTEGER NOT NULL,
    asset TEXT NOT NULL,
    t_ms INTEGER NOT NULL,
    qty TEXT NOT NULL,
    price TEXT NOT NULL,
    cross_ms INTEGER NOT NULL,
    protection_epoch INTEGER NOT NULL,
    PRIMARY KEY (fact_id, place)
);
CREATE TABLE decision_refusal (
    fact_id INTEGER NOT NULL REFERENCES fact (id),
    place INTEGER NOT NULL,
    asset TEXT NOT NULL,
    t_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    cross_ms INTEGER NOT NULL,
    figures TEXT NOT NULL,
    PRIMARY KEY (fact_id, place)
);
CREATE TABLE decision_close (
    fact_id INTEGER NOT NULL REFERENCES decision (fact_id),
    place INTEGER NOT NULL,
    asset TEXT NOT NULL,
    purpose TEXT NOT NULL,
    reason TEXT NOT NULL,
    PRIMARY KEY (fact_id, place)
);
CREATE TABLE intent (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    client_order_id TEXT NOT NULL UNIQUE,
    asset TEXT NOT NULL,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    reduce_only INTEGER NOT NULL,
    stop_loss TEXT,
    take_profit TEXT,
    decided_ms INTEGER NOT NULL,
    purpose TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    reason TEXT,
    cross_ms INTEGER,
    protection_epoch INTEGER
);
CREATE INDEX intent_by_asset ON intent (asset);
CREATE TABLE order_update (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    client_order_id TEXT NOT NULL REFERENCES intent (client_order_id),
    status TEXT NOT NULL,
    filled_qty TEXT NOT NULL,
    ts_ms INTEGER NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX order_update_by_order ON order_update (client_order_id);
CREATE TABLE execution (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    exec_id TEXT NOT NULL UNIQUE,
    asset TEXT NOT NULL,
    ts_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    side TEXT NOT NULL,
    qty TEXT NOT NULL,
    price TEXT NOT NULL,
    fee TEXT NOT NULL,
    funding TEXT NOT NULL,
    client_order_id TEXT,
    decided_ms INTEGER,
    reason TEXT,
    cross_ms INTEGER
);
CREATE INDEX execution_by_asset ON execution (asset);
CREATE TABLE trade (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    asset TEXT NOT NULL,
    side TEXT NOT NULL,
    entry_ms INTEGER NOT NULL,
    exit_ms INTEGER NOT NULL,
    qty TEXT NOT NULL,
    entry_price TEXT NOT NULL,
    exit_price TEXT NOT NULL,
    fees TEXT NOT NULL,
    funding TEXT NOT NULL,
    pnl TEXT NOT NULL,
    reason TEXT NOT NULL,
    decided_ms INTEGER
);
CREATE TABLE equity_sample (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    t_ms INTEGER NOT NULL,
    equity TEXT NOT NULL,
    balance TEXT NOT NULL,
    peak_equity TEXT NOT NULL,
    day INTEGER NOT NULL,
    day_start_equity TEXT NOT NULL,
    is_reduced INTEGER NOT NULL,
    is_emergency_armed INTEGER NOT NULL,
    is_halted INTEGER NOT NULL,
    daily_loss_day INTEGER,
    cooldown_end_ms INTEGER NOT NULL,
    epoch INTEGER NOT NULL
);
CREATE TABLE transfer (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    transfer_id TEXT NOT NULL UNIQUE,
    amount TEXT NOT NULL,
    ts_ms INTEGER NOT NULL
);
CREATE TABLE operator_command (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    command TEXT NOT NULL,
    arguments TEXT NOT NULL,
    operator TEXT NOT NULL,
    result TEXT NOT NULL,
    ts_ms INTEGER NOT NULL
);
"""

_NOTICES = """
ALTER TABLE decision_grant ADD COLUMN crosses TEXT NOT NULL DEFAULT '';
ALTER TABLE decision_grant ADD COLUMN ema_short REAL;
ALTER TABLE decision_grant ADD COLUMN ema_long REAL;
CREATE TABLE notice (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    similar TEXT NOT NULL,
    kind TEXT NOT NULL,
    asset TEXT,
    cause TEXT NOT NULL,
    t_ms INTEGER NOT NULL,
    text TEXT NOT NULL,
    is_held_back INTEGER NOT NULL
);
CREATE INDEX notice_by_similar ON notice (similar, id);
CREATE TABLE delivery (
    channel TEXT NOT NULL,
    notice_id INTEGER NOT NULL REFERENCES notice (id),
    is_routine INTEGER NOT NULL,
    status TEXT NOT NULL,
    is_repeat INTEGER NOT NULL,
    PRIMARY KEY (channel, notice_id)
);
CREATE INDEX delivery_waiting ON delivery (channel, notice_id) WHERE status = 'WAITING';
INSERT INTO meta (key, value) SELECT 'notifier.read_through', COALESCE(MAX(id), 0) FROM fact;
"""

_BETWEEN_CLOSES = """
ALTER TABLE equity_sample ADD COLUMN close_ms INTEGER NOT NULL DEFAULT 0;
UPDATE equity_sample SET close_ms = t_ms;
ALTER TABLE transfer ADD COLUMN kind TEXT NOT NULL DEFAULT '';
"""

_JUDGED = """
ALTER TABLE decision_grant ADD COLUMN judged TEXT NOT NULL DEFAULT '';
ALTER TABLE decision_refusal ADD COLUMN judged TEXT NOT NULL DEFAULT '';
"""

_OPERATOR = """
ALTER TABLE operator_command ADD COLUMN is_done INTEGER NOT NULL DEFAULT 1;
CREATE INDEX operator_command_by_command ON operator_command (command);
"""

_FIRED = """
CREATE INDEX decision_fired ON decision (fact_id) WHERE protection_reason IS NOT NULL;
"""

_FIRST_FACTS = (
    "fact",
    "asset",
    "candle",
    "decision",
    "decision_grant",
    "decision_refusal",
    "decision_close",
    "intent",
    "order_update",
    "execution",
    "trade",
    "equity_sample",
    "transfer",
    "operator_command",
)


_SETTINGS = """
CREATE TABLE settings_change (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    operator TEXT NOT NULL,
    changes TEXT NOT NULL,
    ts_ms INTEGER NOT NULL
);
"""

_SIGNALS = "".join(
    f"ALTER TABLE {table} RENAME COLUMN cross_ms TO signal_ms;\n"
    for table in ("decision_grant", "decision_refusal", "intent", "execution")
)

_STRATEGIES = """
ALTER TABLE decision_grant ADD COLUMN side TEXT NOT NULL DEFAULT 'SELL';
ALTER TABLE decision_grant RENAME COLUMN crosses TO kinds;
ALTER TABLE decision_grant ADD COLUMN "values" TEXT NOT NULL DEFAULT '[]';
ALTER TABLE decision_grant ADD COLUMN terms TEXT;
ALTER TABLE asset ADD COLUMN terms TEXT;
ALTER TABLE asset ADD COLUMN correlation_group TEXT;
ALTER TABLE intent ADD COLUMN terms TEXT;
ALTER TABLE execution ADD COLUMN terms TEXT;
ALTER TABLE equity_sample RENAME COLUMN is_reduced TO reduction_step;
ALTER TABLE equity_sample ADD COLUMN entry_capital TEXT NOT NULL DEFAULT '0';
ALTER TABLE equity_sample ADD COLUMN is_capital_armed INTEGER NOT NULL DEFAULT 1;
CREATE TABLE stop_move (
    fact_id INTEGER PRIMARY KEY REFERENCES fact (id),
    asset TEXT NOT NULL,
    opened_ms INTEGER NOT NULL,
    best TEXT NOT NULL,
    stop_loss TEXT NOT NULL,
    ts_ms INTEGER NOT NULL,
    confirmed_stop_loss TEXT,
    confirmed_ms INTEGER
);
CREATE INDEX stop_move_by_asset ON stop_move (asset);
"""

FACT_TABLES = (*_FIRST_FACTS, "settings_change", "stop_move")
"""Tables whose rows are never changed or deleted."""
NUMBERED = ("fact", "notice")
"""Tables with automatically numbered rows."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from one version of the database to the next."""

    script: str
    """SQL statements with SQLite's type names."""
    append_only: tuple[str, ...] = ()
    """Tables whose rows are never changed or deleted from here on."""

    def statements(self) -> Iterator[str]:
        """Yield its statements, one by one."""
        return (text for text in self.script.split(";\n") if text.strip())


MIGRATIONS: tuple[Migration, ...] = (
    Migration(_FIRST),
    Migration(_NOTICES),
    Migration(_BETWEEN_CLOSES),
    Migration(_JUDGED),
    Migration(_OPERATOR),
    Migration(_FIRED),
    Migration("", append_only=_FIRST_FACTS),
    Migration(_SETTINGS, append_only=("settings_change",)),
    Migration(_SIGNALS),
    Migration(_STRATEGIES, append_only=("stop_move",)),
    Migration(VIEWS),
)
"""Each leads from one version of the database to the next; none is ever changed."""


def table(name: str) -> Table:
    """Return a table for queries, not bound to a database."""
    return Table(name)


def replace_row(database: Database, into: Table, row: Mapping[str, Any]) -> None:
    """Store a row, replacing the one with the same value in the first column."""
    key, *others = row
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in others)
    text = _insert_text(into.__name__, tuple(row), database.param)
    text = f'{text} ON CONFLICT ("{key}") DO UPDATE SET {changed}'
    database.execute_sql(text, tuple(row.values()))  # type: ignore[no-untyped-call]


def insert_row(database: Database, into: Table, row: Mapping[str, Any]) -> int:
    """Add a row, given as columns by name, and return its id if its table numbers rows."""
    text = _insert_text(into.__name__, tuple(row), database.param)
    if not database.sequences:
        cursor = database.execute_sql(text, tuple(row.values()))  # type: ignore[no-untyped-call]
        return int(cursor.lastrowid)
    is_numbered = into.__name__ in NUMBERED
    text += ' RETURNING "id"' if is_numbered else ""
    cursor = database.execute_sql(text, tuple(row.values()))  # type: ignore[no-untyped-call]
    return int(cursor.fetchone()[0]) if is_numbered else 0


@cache
def _insert_text(table_name: str, columns: tuple[str, ...], param: str) -> str:
    """Return the statement, cached: building it by peewee costs more than inserting the row."""
    names, places = ", ".join(f'"{name}"' for name in columns), ", ".join([param] * len(columns))
    return f'INSERT INTO "{table_name}" ({names}) VALUES ({places})'  # noqa: S608 (our own names)


class _Given(Node):
    """A parameter placeholder in the database's syntax."""

    def __sql__(self, context: Context) -> Context:
        written: Context = context.literal(context.state.param or Database.param)
        return written


GIVEN = _Given()
"""Stands in a `Prepared` query for a value given at each execution."""
ONE, ZERO = SQL("1"), SQL("0")
"""Numbers that are part of a query's text."""


class Prepared:
    """A query whose text is built once: building it costs several times as much as executing it."""

    def __init__(self, query: Query) -> None:
        """Build the text of the query.

        Raises:
            ValueError: the query holds a value that is neither `GIVEN` nor part of its text.
        """
        text, held = query.sql()
        if held:
            message = f"expected GIVEN for each value, found {held} in {text}"
            raise ValueError(message)
        self._query = query
        self._texts: dict[str, str] = {}
        """Texts by the database's parameter style."""

    def rows(self, database: Database, *given: object) -> list[dict[str, Any]]:
        """Return the rows for these values, in the order of their placeholders."""
        return _named(self.cursor(database, *given))

    def cursor(self, database: Database, *given: object) -> Any:
        """Return a cursor that yields the rows as tuples."""
        return database.execute_sql(self._text(database), given)  # type: ignore[no-untyped-call]

    def _text(self, database: Database) -> str:
        text = self._texts.get(database.param)
        if text is None:
            context = database.get_sql_context()
            text, _ = context.sql(self._query).query()  # type: ignore[no-untyped-call]
            self._texts[database.param] = text
        return text


def rows_of(database: Database, query: str, *given: object) -> list[dict[str, Any]]:
    """Return the rows of a query with `%s` in place of each value."""
    cursor = database.execute_sql(query.replace("%s", database.param), given)  # type: ignore[no-untyped-call]
    return _named(cursor)


def _named(cursor: Any) -> list[dict[str, Any]]:
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def newest(of: Table, where: object = None) -> Prepared:
    """Return the query for a table's newest fact, or for the newest that meets a condition."""
    query = of.select(SQL("*")).order_by(of.c.fact_id.desc()).limit(ONE)
    return Prepared(query if where is None else query.where(where))
