"""What a journal's facts have come to, read while somebody writes it."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from domain.errors import ConfigError
from domain.facts import ClosedCandle
from domain.market.instruments import Side
from domain.trading.orders import ExitReason
from domain.trading.positions import Execution, ExecutionKind, Trade
from infra.store.opening import open_store
from infra.store.performance import PerformanceReader
from tests.domain.builders import candle

CANDLE_MS = 300_000
T_MS = 1_744_802_700_000
CANDLE = candle(T_MS, 100.0, CANDLE_MS, high=103.0, low=99.0)
ENTRY = Execution(
    exec_id="1",
    asset="BTC",
    ts_ms=T_MS + 20,
    kind=ExecutionKind.TRADE,
    side=Side.SELL,
    qty=Decimal(2),
    price=Decimal("99.9"),
    fee=Decimal("0.11"),
    decided_ms=T_MS,
)
TRADE = Trade(
    asset="BTC",
    side=Side.SELL,
    entry_ms=T_MS + 20,
    exit_ms=T_MS + CANDLE_MS + 20,
    qty=Decimal(2),
    entry_price=Decimal(100),
    exit_price=Decimal(98),
    fees=Decimal("0.2"),
    funding=Decimal(0),
    pnl=Decimal("3.8"),
    reason=ExitReason.TAKE_PROFIT,
    decided_ms=None,
)


def test_figures_of_new_facts_are_added_once_however_often_it_is_read(tmp_path: Path) -> None:
    journals = open_store(tmp_path / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)
    reader = PerformanceReader(tmp_path / "journal.sqlite", CANDLE_MS)
    later = replace(CANDLE, open_time_ms=T_MS, close_time_ms=T_MS + CANDLE_MS, high=101.0, low=97.0)
    with journals.connected():
        writer = journals.open("execution/BTC", lambda: None)
        writer.append(ClosedCandle(asset="BTC", candle=CANDLE), ENTRY)
        assert reader.read().total.slippage_bps == pytest.approx(10.0)
        writer.append(ClosedCandle(asset="BTC", candle=later), TRADE)

        for _ in range(3):
            found = reader.read().assets["BTC"]

    assert (found.trades, found.pnl) == (1, TRADE.pnl)
    assert found.slippage_bps == pytest.approx(10.0)
    # The candle before the entry is none of the trade's.
    assert found.adverse == pytest.approx(0.01)
    assert found.favorable == pytest.approx(0.03)
    reader.close()


def test_what_a_candle_reaches_after_the_exit_in_it_counts_for_no_reading(tmp_path: Path) -> None:
    journals = open_store(tmp_path / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)
    end_ms = T_MS + CANDLE_MS
    held = replace(CANDLE, open_time_ms=T_MS, close_time_ms=end_ms, high=101.0, low=97.0)
    later = replace(held, open_time_ms=end_ms, close_time_ms=end_ms + CANDLE_MS, high=120.0)
    reader = PerformanceReader(tmp_path / "journal.sqlite", CANDLE_MS)
    with journals.connected():
        pen = journals.open("execution/BTC", lambda: None)
        pen.append(ClosedCandle(asset="BTC", candle=held), ENTRY)
        pen.append(TRADE)
        before = reader.read().assets["BTC"]
        pen.append(ClosedCandle(asset="BTC", candle=later))

        anew = PerformanceReader(tmp_path / "journal.sqlite", CANDLE_MS)
        after = anew.read().assets["BTC"]

    assert (before.adverse, before.favorable) == (after.adverse, after.favorable)
    assert after.adverse == pytest.approx(0.01)
    reader.close()
    anew.close()


def test_a_trade_inside_one_candle_has_its_exit_alone(tmp_path: Path) -> None:
    journals = open_store(tmp_path / "journal.sqlite", lambda: T_MS, busy_timeout_ms=5000)
    reader = PerformanceReader(tmp_path / "journal.sqlite", CANDLE_MS)
    with journals.connected():
        pen = journals.open("execution/BTC", lambda: None)
        pen.append(ENTRY, replace(TRADE, exit_ms=T_MS + 40))

        found = reader.read().assets["BTC"]

    assert (found.adverse, found.favorable) == pytest.approx((0.0, 0.02))
    reader.close()


def test_a_journal_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        PerformanceReader(tmp_path / "journal.sqlite", CANDLE_MS).read()
