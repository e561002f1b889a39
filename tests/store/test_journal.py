"""The journal: what is stored comes back, once, whoever dies."""

import contextlib
import signal
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import peewee
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigError, FencedError, JournalError, StaleApprovalError
from domain.facts import ClosedCandle, Fact
from domain.market.instruments import Candle, Side
from domain.portfolio.protection import initial_state
from domain.trading.decisions import Decision, Protection
from domain.trading.orders import (
    ExitReason,
    OrderStatus,
)
from domain.trading.positions import Trade
from domain.trading.transfers import Transfer
from infra.settings import load_settings
from infra.store import schema
from infra.store.engine import JournalBusyError
from infra.store.journal import JournalStore
from infra.store.location import Location, PostgresAddress
from infra.store.opening import open_store
from infra.store.writer import JournalWriter
from tests.store.facts import (
    T_MS,
    decision,
    entry,
    execution,
    journals_in,
    news,
    protection,
    store_one_of_each,
)

COLUMNS = ("open", "high", "low", "close", "volume")
ROOT = Path(__file__).resolve().parents[2]


def test_an_intent_comes_back_with_its_newest_state_and_what_caused_it(
    journal: JournalWriter,
) -> None:
    intent = entry()

    journal.append(intent)
    journal.append(news(intent, OrderStatus.FILLED))

    (order,) = journal.orders("BTC")
    assert order.intent == intent
    assert order.state.status is OrderStatus.FILLED
    assert order.state.filled_qty == Decimal("0.083")
    assert order.origin == (7, 8)
    assert journal.orders("ETH") == []


money = st.decimals(allow_nan=False, allow_infinity=False, places=18, min_value=0, max_value=10**9)


@given(price=money)
def test_money_comes_back_to_the_last_digit(
    tmp_path_factory: pytest.TempPathFactory, price: Decimal
) -> None:
    journals = journals_in(tmp_path_factory.mktemp("journal"))
    journal = journals.open("execution/BTC", lambda: None)
    fact = execution(1, price)

    journal.append(fact)

    (stored,) = journal.executions("BTC")
    assert stored.execution == fact
    assert format(stored.execution.price, "f") == format(price, "f")
    journal.close()


def test_a_decision_comes_back_with_its_parts_in_their_order(journal: JournalWriter) -> None:
    journal.append(decision(T_MS))
    assert journal.newest_decision(1) == decision(T_MS)

    journal.append(protection(1, T_MS + 1))
    assert journal.newest_decision(1) == protection(1, T_MS + 1)
    assert journal.newest_protection() == protection(1, T_MS + 1).protection
    assert journal.newest_approval("BTC") == decision(T_MS).approvals[1]
    assert journal.newest_approval("ETH") is None


def test_a_later_decision_does_not_hide_the_newest_protection(journal: JournalWriter) -> None:
    journal.append(protection(1, T_MS))
    journal.append(decision(T_MS + 1))

    assert journal.newest_decision(1) == decision(T_MS + 1)
    assert journal.newest_protection() == protection(1, T_MS).protection


def test_what_was_decided_between_closes_hides_no_close(journal: JournalWriter) -> None:
    close_ms = T_MS // 300_000 * 300_000
    journal.append(decision(close_ms))
    journal.append(protection(1, close_ms + 1))

    assert journal.newest_decision(300_000) == decision(close_ms)
    assert journal.newest_protection() == protection(1, close_ms + 1).protection


def test_transfers_come_back_in_their_order_and_each_is_stored_once(
    journal: JournalWriter,
) -> None:
    made = [
        Transfer(transfer_id=name, ts_ms=T_MS, kind="TRANSFER_IN", amount=Decimal("-0.10"))
        for name in ("b", "a")
    ]
    journal.append(*made)

    assert journal.transfers() == made
    with pytest.raises(peewee.IntegrityError):
        journal.append(made[0])


def test_the_newest_equity_sample_comes_back(journal: JournalWriter) -> None:
    first = initial_state(Decimal("10000.10"), T_MS)
    second = replace(first, t_ms=T_MS + 1, is_halted=True, daily_loss_day=20194, epoch=2)

    journal.append(first)
    journal.append(second)

    assert journal.newest_state() == second


def test_candles_and_trades_come_back(journals: JournalStore, journal: JournalWriter) -> None:
    closed = Candle(
        open_time_ms=T_MS,
        close_time_ms=T_MS + 300_000,
        open=0.1,
        high=0.30000000000000004,
        low=0.1,
        close=0.2,
        volume=3.0,
    )
    trade = Trade(
        asset="BTC",
        side=Side.SELL,
        entry_ms=1,
        exit_ms=2,
        qty=Decimal("0.1"),
        entry_price=Decimal(10),
        exit_price=Decimal(9),
        fees=Decimal("0.01"),
        funding=Decimal("-0.5"),
        pnl=Decimal("-0.41"),
        reason=ExitReason.STOP_LOSS,
        decided_ms=None,
    )

    journal.append(ClosedCandle(asset="BTC", candle=closed), trade)

    kept = (closed.open_time_ms, *(getattr(closed, name) for name in COLUMNS))
    assert journal.candles("BTC").tolist() == [list(kept)]
    assert journal.candles("ETH").shape == (0, 6)
    assert journals.trades() == [trade]


def test_facts_of_all_kinds_have_one_rising_sequence(
    journals: JournalStore, journal: JournalWriter
) -> None:
    other = journals.open("portfolio", lambda: None)

    ids = journal.append(entry(1), execution(1)) + other.append(decision(), execution(2))
    ids += journal.append(news(entry(1), OrderStatus.FILLED))

    assert ids == sorted(set(ids))
    assert [s.fact_id for s in journal.executions("BTC")] == [ids[1], ids[3]]
    assert [s.fact_id for s in journal.executions("BTC", after=ids[1])] == [ids[3]]


def test_an_append_stores_all_its_facts_or_none(journal: JournalWriter) -> None:
    journal.append(execution(1))

    with pytest.raises(Exception, match=r"(?i)unique"):
        journal.append(entry(), execution(1))

    assert journal.orders("BTC") == []


@pytest.mark.parametrize(
    "again", [(execution(1),), (entry(),), (decision(),)], ids=["execution", "intent", "decision"]
)
def test_what_happens_once_is_stored_once(journal: JournalWriter, again: tuple[Fact, ...]) -> None:
    journal.append(execution(1), entry(), decision())

    with pytest.raises(Exception, match=r"(?i)unique"):
        journal.append(*again)


def test_no_fact_is_ever_changed_or_deleted_not_even_by_another_program(
    journal: JournalWriter, location: Location
) -> None:
    store_one_of_each(journal)
    with another_program(location) as ask:
        for table in schema.FACT_TABLES:
            before = ask(f"SELECT * FROM {table}")
            column = "kind" if table == "fact" else "fact_id"
            refused = [f"UPDATE {table} SET {column} = {column}", f"DELETE FROM {table}"]
            if isinstance(location, PostgresAddress):
                refused.append(f"TRUNCATE {table} CASCADE")
            for statement in refused:
                with pytest.raises(
                    (sqlite3.IntegrityError, psycopg.IntegrityError), match="append-only"
                ):
                    ask(statement)
            assert before
            assert ask(f"SELECT * FROM {table}") == before


def test_a_fact_is_not_replaced_by_another_one_of_its_id(tmp_path: Path) -> None:
    journals = journals_in(tmp_path)
    journal = journals.open("execution/BTC", lambda: None)
    store_one_of_each(journal)

    for table in schema.FACT_TABLES:
        with pytest.raises(peewee.IntegrityError, match="append-only"):
            journals.database.execute_sql(f"REPLACE INTO {table} SELECT * FROM {table}")

    journal.close()


@contextlib.contextmanager
def another_program(location: Location) -> Iterator[Callable[[str], list[tuple[object, ...]]]]:
    """Ask the database past the store, as its owner may."""
    if isinstance(location, PostgresAddress):
        with psycopg.connect(location.url, autocommit=True) as server:
            server.execute(f"SET search_path = {location.schema}")

            def ask(query: str) -> list[tuple[object, ...]]:
                cursor = server.execute(query)
                return [] if cursor.description is None else cursor.fetchall()

            yield ask
        return
    with contextlib.closing(sqlite3.connect(location, isolation_level=None)) as database:
        yield lambda query: database.execute(query).fetchall()


def test_connections_are_counted_by_thread_until_they_are_closed(journals: JournalStore) -> None:
    found: list[int] = []

    def beside() -> None:
        with journals.connected():
            found.append(journals.connections)
        found.append(journals.connections)

    with journals.connected():
        thread = threading.Thread(target=beside)
        thread.start()
        thread.join()

    assert [*found, journals.connections] == [2, 1, 0]


def test_every_table_that_continues_a_fact_is_append_only(journals: JournalStore) -> None:
    with journals.connected():
        tables = journals.database.get_tables(schema=None)
        continued = {
            table
            for table in tables
            if "fact_id" in {column.name for column in journals.database.get_columns(table)}
        }

    assert continued | {"fact"} == set(schema.FACT_TABLES)


def test_a_replaced_pen_stores_nothing_more(journals: JournalStore) -> None:
    old = journals.open("execution/BTC", lambda: None)
    new = journals.open("execution/BTC", lambda: None)

    with pytest.raises(FencedError, match="execution/BTC was replaced"):
        old.append(execution(1))
    new.append(execution(1))

    assert [s.execution.exec_id for s in new.executions("BTC")] == ["BTC-1"]


def test_pens_of_other_addresses_go_on(journals: JournalStore) -> None:
    bitcoin = journals.open("execution/BTC", lambda: None)
    journals.open("execution/ETH", lambda: None)

    assert bitcoin.append(execution(1))


def test_an_entry_granted_before_a_protection_is_refused(journal: JournalWriter) -> None:
    journal.append(protection(1))

    with pytest.raises(StaleApprovalError, match=r"epoch 0.*epoch 1 has begun"):
        journal.append(entry(epoch=0))
    journal.append(entry(epoch=1))

    assert [order.intent.protection_epoch for order in journal.orders("BTC")] == [1]


def test_a_close_is_stored_whatever_the_epoch(journal: JournalWriter) -> None:
    journal.append(protection(1))

    assert journal.append(entry(epoch=None))


def test_a_locked_database_is_an_error_of_the_journal(tmp_path: Path) -> None:
    journals = journals_in(tmp_path, busy_timeout_ms=1)
    journal = journals.open("execution/BTC", lambda: None)
    other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")

    with pytest.raises(JournalError, match=r"execution/BTC could not store its facts.*locked"):
        journal.append(execution(1))

    other.execute("ROLLBACK")
    other.close()
    assert journal.append(execution(1))
    journal.close()


def test_a_pen_that_cannot_be_written_is_held_and_taken_with_the_first_facts_that_can_be(
    tmp_path: Path,
) -> None:
    journals = journals_in(tmp_path)
    first = journals.open("portfolio", lambda: None)
    journals.database.pragma("query_only", 1)

    second = journals.open("portfolio", lambda: None)

    with pytest.raises(JournalError, match=r"could not store its facts: .*readonly"):
        second.append(execution(1))
    journals.database.pragma("query_only", 0)
    with pytest.raises(FencedError):
        first.append(execution(1))
    assert second.append(execution(1))
    second.close()


def test_a_pen_that_another_process_has_taken_meanwhile_is_lost(tmp_path: Path) -> None:
    file = tmp_path / "j.sqlite"
    ours, theirs = (open_store(file, lambda: 0, busy_timeout_ms=100) for _ in range(2))
    with ours.connected():
        ours.database.pragma("query_only", 1)
        writer = ours.open("portfolio", lambda: None)

        with theirs.connected():
            theirs.open("portfolio", lambda: None)

        with pytest.raises(FencedError):
            writer.keep(fired())
        ours.database.pragma("query_only", 0)
        with pytest.raises(FencedError):
            writer.append(fired())


def fired() -> Decision:
    found = Protection(
        t_ms=1, reason=ExitReason.DRAWDOWN, closes=(), epoch=1, cooldown_end_ms=0, figures=""
    )
    return Decision(t_ms=1, protection=found)


def test_threads_write_at_once_and_lose_nothing(journals: JournalStore) -> None:
    assets = [f"A{number}" for number in range(4)]

    def write(asset: str) -> None:
        writer = journals.open(f"execution/{asset}", lambda: None)
        for number in range(25):
            writer.append(replace(execution(number), asset=asset, exec_id=f"{asset}-{number}"))
        writer.close()

    threads = [threading.Thread(target=write, args=[asset]) for asset in assets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    reader = journals.open("reader", lambda: None)
    assert [len(reader.executions(asset)) for asset in assets] == [25] * 4
    reader.close()


def test_a_journal_of_a_newer_program_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    journals_in(tmp_path)
    database = sqlite3.connect(file)
    database.execute("PRAGMA user_version = 99")
    database.close()

    with pytest.raises(ConfigError, match=r"journal\.sqlite: the journal is of version 99"):
        journals_in(tmp_path)


def test_a_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    file.write_text("these are not facts, and long enough to be read as a header" * 10)
    before = file.read_bytes()

    with pytest.raises(ConfigError, match=r"journal\.sqlite: the journal cannot be used"):
        journals_in(tmp_path)

    assert file.read_bytes() == before


def test_a_journal_that_another_program_holds_may_be_free_later(tmp_path: Path) -> None:
    first = journals_in(tmp_path)
    other = sqlite3.connect(tmp_path / "journal.sqlite", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")

    second = journals_in(tmp_path, busy_timeout_ms=1)
    with (
        pytest.raises(JournalBusyError, match=r"journal\.sqlite: another program holds"),
        second.connected(),
    ):
        second.write_meta("mode", "sim")

    other.execute("ROLLBACK")
    other.close()

    with first.connected():
        first.write_meta("mode", "sim")
        assert first.read_meta("mode") == "sim"


def test_facts_survive_a_kill_of_the_process_that_wrote_them(tmp_path: Path) -> None:
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from tests.store.facts import execution, journals_in
        writer = journals_in(Path(sys.argv[1])).open("execution/BTC", lambda: None)
        for number in range(10**6):
            writer.append(execution(number))
            print(number, flush=True)
        """
    )
    (tmp_path / "writer.py").write_text(program)
    writer = subprocess.Popen(
        [sys.executable, "writer.py", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdout is not None
    for _ in range(20):
        confirmed = int(writer.stdout.readline())
    writer.send_signal(signal.SIGKILL)
    rest = writer.stdout.read().split()
    writer.wait(60)
    writer.stdout.close()
    confirmed = int(rest[-1]) if rest else confirmed

    reader = journals_in(tmp_path).open("execution/BTC", lambda: None)

    stored = [s.execution.exec_id for s in reader.executions("BTC")]
    assert stored[: confirmed + 1] == [f"BTC-{number}" for number in range(confirmed + 1)]
    assert len(stored) <= confirmed + 2
    reader.close()


def test_an_asset_is_stored_again_only_where_it_differs(journal: JournalWriter) -> None:
    rules = load_settings(None, environ={}, dotenv=None).trading_rules()
    bitcoin = rules.asset("BTC")

    for asset in (bitcoin, bitcoin, replace(bitcoin, leverage=Decimal(5)), rules.asset("ETH")):
        journal.record_asset(asset)

    assert [row["leverage"] for row in journal.assets("BTC")] == ["10", "5"]
    assert [row["symbol"] for row in journal.assets("ETH")] == ["ETHUSDT"]


def test_a_fact_that_cannot_be_what_was_stored_is_named_and_the_journal_is_refused(
    location: Location, journals: JournalStore, journal: JournalWriter
) -> None:
    store_one_of_each(journal)
    journals.check()
    with another_program(location) as ask:
        is_file = isinstance(location, Path)
        trigger = "execution_refuses_update" if is_file else "execution_refuses_change"
        ask(f"DROP TRIGGER {trigger}" if is_file else f"DROP TRIGGER {trigger} ON execution")
        ask("UPDATE execution SET qty = 'NaN', side = 'SHORT'")

    with pytest.raises(ConfigError) as caught:
        journals.check()

    found = [line.partition(", ")[0::2] for line in str(caught.value).splitlines()[1:3]]
    assert [(table, cell.partition(", ")[2]) for table, cell in found] == [
        ("- table execution", "column side: holds 'SHORT'"),
        ("- table execution", "column qty: holds 'NaN'"),
    ]
