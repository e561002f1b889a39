"""A journal with damaged cells: the start refuses it, or what it says is whole."""

import sqlite3
from contextlib import closing
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigError
from domain.operator.commands import fold
from domain.trading.books import Books
from domain.trading.positions import ExecutionKind
from infra.store.audit import read_audit
from infra.store.opening import inspect_journal, open_store
from infra.store.schema import FACT_TABLES
from tests.fuzzing.campaign import examples
from tests.fuzzing.mutations import damaged
from tests.store.facts import T_MS, store_one_of_each

CELLS: st.SearchStrategy[Any] = st.one_of(
    st.sampled_from(
        ["", "x", "NaN", "Infinity", "-1", "1e5", "1.2.3", "0", "9" * 400, "BTC", "SELL", "TRADE"]
    ),
    st.sampled_from([None, -1, 0, 1, 2**62, -(2**63), 1.5, float("inf"), b"", b"\xff\xfe", b"1"]),
    st.text(max_size=5).filter(lambda text: "\x00" not in text and text.isprintable()),
)


@cache
def whole() -> bytes:
    """Return the file of a journal that holds a fact of each kind."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "journal.sqlite"
        made = open_store(file, lambda: T_MS, busy_timeout_ms=5000)
        writer = made.open("execution/BTC", lambda: (7, 8))
        store_one_of_each(writer)
        writer.close()
        with closing(sqlite3.connect(file)) as database:
            for table in FACT_TABLES:
                for verb in ("update", "delete"):
                    database.execute(f"DROP TRIGGER {table}_refuses_{verb}")
            database.execute("PRAGMA journal_mode = delete")
        return file.read_bytes()


@cache
def cells() -> list[tuple[str, str]]:
    """Return the columns of all tables that hold something."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "journal.sqlite"
        file.write_bytes(whole())
        with closing(sqlite3.connect(file)) as database:
            names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            return [
                (table, column)
                for (table,) in names.fetchall()
                if not table.startswith("sqlite_")
                and database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
                for _, column, *_ in database.execute(f"PRAGMA table_info({table})").fetchall()
            ]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def read_all(file: Path) -> None:
    """Read everything that actors and commands read, and check that it can be so."""
    journals = open_store(file, lambda: T_MS, busy_timeout_ms=5000)
    writer = journals.open("portfolio", lambda: None)
    try:
        orders, stored = writer.orders("BTC"), writer.executions("BTC")
        executions = [fact.execution for fact in stored]
        trades = [e for e in executions if e.kind is ExecutionKind.TRADE]
        assert all(0 < e.qty < Decimal("1e60") and e.price > 0 for e in trades)
        books = Books(orders, executions, T_MS)
        assert books.position is None or books.position.qty == sum(e.qty for e in trades)
        for _, opened, _, low, closed, _ in writer.candles("BTC").tolist():
            assert 0 < low <= min(opened, closed)
        for state in (writer.oldest_state(), writer.newest_state()):
            assert state is None or (state.equity.is_finite() and state.peak_equity.is_finite())
        writer.newest_decision(1)
        writer.newest_protection()
        writer.newest_epoch()
        writer.newest_approval("BTC")
        writer.news(0)
        writer.trades(0, 2 * T_MS)
        writer.denials(0, 2 * T_MS)
        writer.balance_at(2 * T_MS)
        writer.transfers()
        fold(writer.commands(), ["BTC"])
        journals.recent_candles("BTC", 5)
        journals.samples()
    finally:
        writer.close()
    read_audit(file)


def is_refused(file: Path) -> bool:
    """Tell whether a start refuses a journal, and `bin/check` with it."""
    try:
        journals = open_store(file, lambda: T_MS, busy_timeout_ms=5000)
        with journals.connected():
            journals.check()
    except ConfigError:
        with pytest.raises(ConfigError):
            inspect_journal(file)
        return True
    return False


@examples(80)
@given(data=st.data())
def test_a_damaged_cell_is_refused_or_read_as_what_it_may_be(folder, data):
    file = folder / "journal.sqlite"
    for left in folder.iterdir():
        left.unlink()
    file.write_bytes(whole())
    change = st.tuples(st.sampled_from(cells()), CELLS)
    changes = data.draw(st.lists(change, min_size=1, max_size=3))
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA synchronous = off")
        for (table, column), value in changes:
            try:
                database.execute(f"UPDATE OR FAIL {table} SET {column} = ?", (value,))
            except sqlite3.Error:
                continue
        database.commit()

    if not is_refused(file):
        read_all(file)


@examples(30)
@given(data=st.data())
def test_damaged_bytes_are_refused_or_read(folder, data):
    file = folder / "journal.sqlite"
    for left in folder.iterdir():
        left.unlink()
    file.write_bytes(data.draw(damaged(whole())))

    if not is_refused(file):
        read_all(file)


def test_a_whole_journal_is_not_refused(folder):
    file = folder / "journal.sqlite"
    file.write_bytes(whole())

    assert not is_refused(file)
    read_all(file)
